"""Texts tokenized chunk by chunk, as the stage does it: spaCy sees each distinct chunk once, not in every text."""

import numpy as np
import pyarrow as pa

from lengthwise.core.ragged import offsets_of, take_rows
from lengthwise.prepare.text.chunks import SPACE, Chunks, find_runs, joined_chunks, replace_runs, split_chunks
from lengthwise.prepare.text.normalization import Normalization
from lengthwise.prepare.text.spacy_tokenizer import ChunkTokenizer
from lengthwise.prepare.text.spacy_words import MOST_WORDS
from lengthwise.prepare.text.tokenized import TokenizedTexts


class KnownChunks:
    """Remembers the tokens of the chunks that it has met, as many as have a bound.

    Args:
        language: a spaCy language code.
        link_word: what stands for a link in the corpus, see `ChunkTokenizer`.
        normalization: of each chunk.

    Raises:
        ParamsError: spaCy does not know the language.
    """

    _places: dict[str, int]
    _numbers: dict[str, int]
    _lexicon: list[str]
    _tokens: np.ndarray
    _offsets: np.ndarray
    _first: np.ndarray
    _last: np.ndarray

    def __init__(self, language: str, link_word: str | None, normalization: Normalization) -> None:
        self._language, self._link_word, self._normalization = language, link_word, normalization
        self._restart()

    def __call__(self, texts: list[str]) -> TokenizedTexts:
        """The tokens of each text; the lexicon grows from call to call, until what is known has reached its bound."""
        if self._tokenizer.known_words > MOST_WORDS or len(self._places) > MOST_WORDS:
            self._restart()
        # What ends a line would make a chunk of its own of each last word.
        chunks = split_chunks(pa.array([text.rstrip() for text in texts], pa.string()), self._normalization)
        ids = self._places_of(chunks.strings)[chunks.ids]
        joined = joined_chunks(ids, chunks.offsets, self._first, self._last, self._tokenizer.boundaries.table)
        if joined.any():
            runs = find_runs(chunks, joined)
            numbers = self._places_of(runs.texts)[runs.which]
            chunks = replace_runs(Chunks(chunks.strings, ids, chunks.offsets), runs, numbers)
            ids = chunks.ids
        tokens, counts = take_rows(self._tokens, self._offsets, ids)
        return TokenizedTexts(self._lexicon, tokens, offsets_of(counts)[chunks.offsets])

    def _places_of(self, strings: pa.StringArray) -> np.ndarray:
        """The place of each of some chunks, or of runs of chunks, in what is known: int64 (len(strings),)."""
        wanted = strings.to_pylist()
        places = [self._places.get(chunk, -1) for chunk in wanted]
        if new := [chunk for chunk, place in zip(wanted, places, strict=True) if place < 0]:
            self._learn(new)
            places = [self._places[chunk] for chunk in wanted]
        return np.array(places, np.int64)

    def _learn(self, chunks: list[str]) -> None:
        found = self._tokenizer(chunks)
        words = found.strings.to_pylist()
        for word in words:
            if word not in self._numbers:
                self._numbers[word] = len(self._lexicon)
                self._lexicon.append(word)
        numbers = np.array([self._numbers[word] for word in words], np.int32)
        self._places.update(zip(chunks, range(len(self._places), len(self._places) + len(chunks)), strict=True))
        self._tokens = np.concatenate([self._tokens, numbers[found.tokens]])
        self._offsets = np.concatenate([self._offsets, self._offsets[-1] + np.cumsum(found.counts)])
        self._first = np.concatenate([self._first, found.first])
        self._last = np.concatenate([self._last, found.last])

    def _restart(self) -> None:
        self._tokenizer = ChunkTokenizer(self._language, self._link_word)
        # White space is known to have no token and to join nothing.
        self._places = {SPACE: 0}
        self._tokens, self._offsets = np.zeros(0, np.int32), np.zeros(2, np.int64)
        self._first, self._last = np.zeros(1, np.int16), np.zeros(1, np.int16)
        # A new lexicon, for the old one is still somebody's.
        self._lexicon, self._numbers = [], {}
