"""spaCy's tokenizer, called once per distinct chunk instead of once per text.

spaCy splits a text at white space into chunks and works chunk by chunk, so that the tokens of a chunk are the same
wherever it stands. There is one exception: the special cases that contain punctuation (`a.m.`, `:-)`) are looked
for in the token stream of the whole text, and `s( ')` may match across two chunks. Such boundaries are rare (1 in 5,000
of everyday English) and known from the two tokens beside them: `SpecialBoundaries` finds them, and the chunks around
them are tokenized as one.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from spacy.attrs import IS_PUNCT, LIKE_NUM, LOWER, ORTH
from spacy.pipeline import Sentencizer

from lengthwise.prepare.text.chunks import ENDS_SENTENCE, IS_PUNCTUATION, ChunkTokens
from lengthwise.prepare.text.spacy_languages import rule_based_pipeline
from lengthwise.prepare.text.spacy_words import LINK_TOKEN, NUMBER_TOKEN
from lengthwise.prepare.text.special_boundaries import SpecialBoundaries


class ChunkTokenizer:
    """Tokenizes distinct chunks with spaCy; lower case, number-like tokens become `<#>`, as in the article.

    Args:
        language: a spaCy language code.
        link_word: what stands for a link in the corpus, in any case, and becomes `<url>`; None for nothing.

    Raises:
        ParamsError: see `rule_based_pipeline`.
    """

    def __init__(self, language: str, link_word: str | None) -> None:
        nlp = rule_based_pipeline(language)
        # Most of spaCy's time with a new word goes into attributes that nobody reads here.
        getters = nlp.vocab.lex_attr_getters
        for attribute in set(getters) - {LOWER, LIKE_NUM, IS_PUNCT}:
            del getters[attribute]
        self._vocab = nlp.vocab
        self._tokenizer = nlp.tokenizer
        self._strings = nlp.vocab.strings
        self._link_word = link_word
        self.boundaries = SpecialBoundaries(self._tokenizer)
        self._enders = self._hashes(Sentencizer.default_punct_chars)
        self._last = self._classes(self.boundaries.last)
        self._first = self._classes(self.boundaries.first)

    def __call__(self, chunks: list[str]) -> ChunkTokens:
        """Tokenize chunks, or short texts of several: none is empty, none has white space but blanks in it."""
        # One text for all: line feeds between the chunks keep them apart, for spaCy makes tokens of them.
        doc = self._tokenizer("\n".join(chunks))
        orth, lower, like_num, is_punct = doc.to_array([ORTH, LOWER, LIKE_NUM, IS_PUNCT]).T
        separator = orth == self._strings["\n"]
        kept = ~separator
        chunk = np.cumsum(separator)[kept]
        orth = orth[kept]
        hashes = np.where(like_num[kept] == 1, self._strings.add(NUMBER_TOKEN), lower[kept])
        if self._link_word is not None:
            link = self._strings.add(self._link_word.lower())
            hashes = np.where(hashes == link, self._strings.add(LINK_TOKEN), hashes)
        distinct, tokens = np.unique(hashes, return_inverse=True)
        counts = np.bincount(chunk, minlength=len(chunks))
        ends = np.cumsum(counts)
        flags = ENDS_SENTENCE * np.isin(orth, self._enders) + IS_PUNCTUATION * (is_punct[kept] == 1)
        return ChunkTokens(
            counts=counts.astype(np.int32),
            tokens=tokens.astype(np.int32),
            flags=flags.astype(np.uint8),
            first=_look_up(self._first, orth[ends - counts]),
            last=_look_up(self._last, orth[ends - 1]),
            strings=pa.array([self._strings[token] for token in distinct.tolist()], pa.string()),
        )

    @property
    def known_words(self) -> int:
        """Words in spaCy's vocabulary, which only grows."""
        return len(self._vocab)

    def _classes(self, classes: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
        hashes = self._hashes(classes)
        order = np.argsort(hashes)
        return hashes[order], np.array(list(classes.values()), np.int16)[order]

    def _hashes(self, tokens: Iterable[str]) -> np.ndarray:
        return np.array([self._strings.add(token) for token in tokens], np.uint64)


def _look_up(classes: tuple[np.ndarray, np.ndarray], hashes: np.ndarray) -> np.ndarray:
    """The class of each hash, 0 for those that are not in the table of (sorted hashes, classes)."""
    known, numbers = classes
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.where(known[place] == hashes, numbers[place], 0).astype(np.int16)
