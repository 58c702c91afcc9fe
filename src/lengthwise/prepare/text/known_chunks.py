"""Texts tokenized chunk by chunk, as the stage does it: spaCy sees each distinct chunk once, not in every text."""

from collections.abc import Callable
from itertools import chain

from lengthwise.core.ragged import offsets_of
from lengthwise.prepare.text.normalization import Normalization
from lengthwise.prepare.text.spacy_tokenizer import ChunkTokenizer
from lengthwise.prepare.text.spacy_words import MOST_WORDS

# Of a chunk: its tokens, and the classes of the first and the last of them in `SpecialBoundaries`.
Known = tuple[list[str], int, int]


class KnownChunks:
    """Remembers the tokens of the chunks that it has met, as many as have a bound.

    A text in which a special case may reach across two chunks (1 in some hundred), or a chunk is cut because it is too
    long, is tokenized by itself.

    Args:
        language: a spaCy language code.
        link_word: what stands for a link in the corpus, see `ChunkTokenizer`.
        normalization: of each chunk.
        tokenize: what makes the tokens of a text by itself.

    Raises:
        ParamsError: spaCy does not know the language.
    """

    def __init__(
        self,
        language: str,
        link_word: str | None,
        normalization: Normalization,
        tokenize: Callable[[str], list[str]],
    ) -> None:
        self._language, self._link_word = language, link_word
        self._normalization, self._tokenize = normalization, tokenize
        self._restart()

    def __call__(self, texts: list[str]) -> list[list[str]]:
        """The tokens of each text."""
        if self._chunk_tokenizer.known_words > MOST_WORDS or len(self._known) > MOST_WORDS:
            self._restart()
        chunks = [text.split() for text in texts]
        self._learn({chunk for of_text in chunks for chunk in of_text} - self._known.keys())
        return [self._tokens(text, of_text) for text, of_text in zip(texts, chunks, strict=True)]

    def _tokens(self, text: str, chunks: list[str]) -> list[str]:
        known = [self._known[chunk] for chunk in chunks]
        if None in known:
            return self._tokenize(text)
        if not known:
            return []
        tokens, firsts, lasts = zip(*known, strict=True)
        # Nearly no text has both.
        if any(firsts) and any(lasts):
            borders = zip(lasts, firsts[1:], strict=False)
            if any(before and first and self._joined[before, first] for before, first in borders):
                return self._tokenize(text)
        return list(chain.from_iterable(tokens))

    def _learn(self, chunks: set[str]) -> None:
        clean: dict[str, list[str]] = {}
        for chunk in chunks:
            pieces = self._normalization.pieces(chunk)
            if len(pieces) == 1:
                clean.setdefault(pieces[0], []).append(chunk)
            else:
                self._known[chunk] = None
        if not clean:
            return
        found = self._chunk_tokenizer([*clean])
        words = found.strings.to_pylist()
        tokens = [words[number] for number in found.tokens.tolist()]
        offsets = offsets_of(found.counts).tolist()
        firsts, lasts = found.first.tolist(), found.last.tolist()
        for number, meant in enumerate(clean.values()):
            own = tokens[offsets[number] : offsets[number + 1]]
            for chunk in meant:
                self._known[chunk] = (own, firsts[number], lasts[number])

    def _restart(self) -> None:
        self._chunk_tokenizer = ChunkTokenizer(self._language, self._link_word)
        self._joined = self._chunk_tokenizer.boundaries.table
        self._known: dict[str, Known | None] = {}
