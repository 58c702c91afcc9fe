"""What a network reads of a lexicon that grows is what it reads of its tokens."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.affixes import affixes_of
from lengthwise.core.sequences import AFFIXES, TOKENS
from lengthwise.prepare.text.token_codes import TokenCodes
from lengthwise.prepare.text.tokenized import as_tokenized
from lengthwise.prepare.vocabulary import PAD, UNK, Vocabulary

VOCABULARY = Vocabulary((PAD, UNK, "it", "left"), (0, 0, 2, 1))
WORDS = st.sampled_from(["it", "left", "Never", PAD, UNK, "5", ""])


@settings(deadline=None)
@given(st.lists(st.lists(st.lists(WORDS, max_size=4), max_size=4), max_size=4), st.sampled_from([None, 1, 3]))
def test_a_lexicon_that_grows_or_is_another_has_the_codes_of_its_tokens(lexicons, letters):
    codes = TokenCodes(VOCABULARY, letters)
    for parts in lexicons:
        lexicon: list[str] = []
        for part in parts:
            lexicon += part
            columns = codes.of(lexicon)
            assert set(columns) == ({TOKENS} if letters is None else {TOKENS, AFFIXES})
            expected = [VOCABULARY.tokens.index(word) if word in ("it", "left") else 1 for word in lexicon]
            assert columns[TOKENS].tolist() == expected
            if letters is not None:
                assert np.array_equal(columns[AFFIXES], affixes_of(lexicon, letters))


def test_each_token_of_a_lexicon_is_looked_up_once():
    asked = []

    class Watched(Vocabulary):
        def encode(self, tokens):
            asked.extend(tokens)
            return super().encode(tokens)

    codes, lexicon = TokenCodes(Watched(VOCABULARY.tokens, VOCABULARY.counts), None), ["it"]
    for word in ("left", "never"):
        codes.of(lexicon)
        lexicon.append(word)
    codes.of(lexicon)
    assert asked == ["it", "left", "never"]


@given(st.lists(st.lists(WORDS, max_size=4), max_size=5))
def test_lists_of_tokens_are_what_they_were(texts):
    assert as_tokenized(texts).lists() == texts
