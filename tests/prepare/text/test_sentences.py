import numpy as np
import pytest
import spacy
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc

from lengthwise.core.ragged import offsets_of
from lengthwise.prepare.text.chunks import ENDS_SENTENCE, IS_PUNCTUATION
from lengthwise.prepare.text.sentences import sentence_starts

# A word, an end of a sentence, a quote, and an end that spaCy does not take for punctuation.
WORD, END, QUOTE, ODD_END = 0, ENDS_SENTENCE | IS_PUNCTUATION, IS_PUNCTUATION, ENDS_SENTENCE
SHOWN = {WORD: "go", END: ".", QUOTE: '"'}


@pytest.fixture(scope="module")
def by_spacy():
    nlp, sentencizer = spacy.blank("en"), Sentencizer()

    def starts(flags):
        doc = sentencizer(Doc(nlp.vocab, [SHOWN[flag] for flag in flags]))
        return [bool(token.is_sent_start) for token in doc]

    return starts


@settings(max_examples=up_to(300), deadline=None)
@given(st.lists(st.lists(st.sampled_from([WORD, END, QUOTE]), min_size=1, max_size=9), max_size=5))
def test_sentence_starts_are_those_of_the_sentencizer(by_spacy, texts):
    flags = np.array([flag for text in texts for flag in text], np.uint8)
    starts = sentence_starts(flags, offsets_of(np.array([len(text) for text in texts], np.int64))[:-1])
    assert starts.dtype == bool
    assert starts.tolist() == [start for text in texts for start in by_spacy(text)]


@pytest.mark.parametrize(
    ("flags", "starts"),
    [
        # He left . " So did I ! ? ) End
        ([WORD, WORD, END, QUOTE, WORD, WORD, WORD, END, END, QUOTE, WORD], [0, 4, 10]),
        ([END, END], [0]),
        ([END, WORD], [0, 1]),
        ([QUOTE, WORD, END], [0]),
        ([WORD, ODD_END, ODD_END, WORD], [0, 3]),
        ([WORD, ODD_END, QUOTE], [0]),
    ],
)
def test_sentence_starts_follow_an_end_and_its_punctuation(flags, starts):
    found = sentence_starts(np.array(flags, np.uint8), np.array([0]))
    assert np.flatnonzero(found).tolist() == starts


def test_sentence_starts_do_not_carry_an_end_into_the_next_text():
    flags = np.array([WORD, END, QUOTE, WORD, WORD], np.uint8)
    assert sentence_starts(flags, np.array([0, 2])).tolist() == [True, False, True, False, False]


def test_sentence_starts_of_nothing_are_none():
    assert sentence_starts(np.zeros(0, np.uint8), np.zeros(0, np.int64)).tolist() == []
