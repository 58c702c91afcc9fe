"""spaCy's tokenizer, called once per distinct chunk instead of once per text.

spaCy splits a text at white space into chunks and works chunk by chunk, so that the tokens of a chunk are the same
wherever it stands. There is one exception: the special cases that contain punctuation (`a.m.`, `:-)`) are looked
for in the token stream of the whole text, and `s( ')` may match across two chunks. Such boundaries are rare (1 in 5,000
of everyday English) and known from the two tokens beside them: `SpecialBoundaries` finds them, and the chunks around
them are tokenized as one.
"""

from collections.abc import Iterable
from itertools import pairwise, product

import numpy as np
import pyarrow as pa
import spacy
from spacy.attrs import IS_PUNCT, LIKE_NUM, LOWER, ORTH
from spacy.language import Language
from spacy.pipeline import Sentencizer
from spacy.tokenizer import Tokenizer
from spacy.tokens import Token

from lengthwise.errors import ParamsError
from lengthwise.prepare.text.chunks import ENDS_SENTENCE, IS_PUNCTUATION, ChunkTokens

NUMBER_TOKEN = "<#>"  # noqa: S105
LINK_TOKEN = "<url>"  # noqa: S105


class SpecialBoundaries:
    """Where a special case could match across two chunks.

    `table[last, first]` is true if the last token of a chunk and the first token of the next may be neighbours
    within the token pattern of a special case. The tokens that spaCy shows may already be the result of a special
    case, so each stands for all tokens that may have stood there before.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        plain = Tokenizer(
            tokenizer.vocab,
            prefix_search=tokenizer.prefix_search,
            suffix_search=tokenizer.suffix_search,
            infix_finditer=tokenizer.infix_finditer,
            token_match=tokenizer.token_match,
            url_match=tokenizer.url_match,
        )
        pairs: set[tuple[str, str]] = set()
        results: list[tuple[list[str], list[str]]] = []
        for text, substrings in tokenizer.rules.items():
            pattern = [token.text for token in plain(text)]
            pairs.update(pairwise(pattern))
            results.append((pattern, [entry[ORTH] for entry in substrings]))
        before: dict[str, set[str]] = {left: {left} for left, _ in pairs}
        after: dict[str, set[str]] = {right: {right} for _, right in pairs}
        lefts, rights = set(before), set(after)
        for pattern, result in results:
            if pattern[-1] in lefts:
                before.setdefault(result[-1], set()).add(pattern[-1])
            if pattern[0] in rights:
                after.setdefault(result[0], set()).add(pattern[0])
        self.last = {token: number for number, token in enumerate(sorted(before), 1)}
        self.first = {token: number for number, token in enumerate(sorted(after), 1)}
        self.table = np.zeros((len(self.last) + 1, len(self.first) + 1), bool)
        for left, i in self.last.items():
            for right, j in self.first.items():
                self.table[i, j] = not pairs.isdisjoint(product(before[left], after[right]))


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


def words_of(tokens: Iterable[Token], link_word: str | None) -> list[str]:
    """SpaCy's tokens as the corpus has them: lower case, number-like ones `<#>`, no white space.

    Args:
        tokens: of a text or a sentence.
        link_word: what stands for a link in the corpus, in any case, and becomes `<url>`; None for nothing.
    """
    words = (NUMBER_TOKEN if token.like_num else token.lower_ for token in tokens if not token.is_space)
    link = None if link_word is None else link_word.lower()
    return [LINK_TOKEN if word == link else word for word in words]


def rule_based_pipeline(language: str) -> Language:
    """SpaCy's tokenizer for a language, without any model.

    Raises:
        ParamsError: spaCy does not know the language, or finds its words otherwise than by rules and white space.
    """
    try:
        nlp = spacy.blank(language)
    except (AttributeError, ImportError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ParamsError(
            f"tokens.language: got {language!r}; expected a language code of spaCy such as en ({reason}); change it"
        ) from error
    if type(nlp.tokenizer) is not Tokenizer:
        raise ParamsError(
            f"tokens.language: got {language!r}, whose words spaCy does not find by rules; expected another language, "
            "or name an installed pipeline for it in tokens.sentences"
        )
    return nlp


def installed_pipeline(name: str) -> Language:
    """The same from a name alone: whatever else spaCy would load, a folder or another package, is not looked at.

    Raises:
        ParamsError: see `named_pipeline`.
    """
    if name not in spacy.util.get_installed_models():
        raise ParamsError(
            f"tokens.sentences: got {name!r}; expected sentencizer or an installed spaCy pipeline; install it"
        )
    return named_pipeline(name)


def named_pipeline(name: str) -> Language:
    """An installed spaCy pipeline that finds sentences.

    Raises:
        ParamsError: it is not installed, or it finds no sentences.
    """
    try:
        nlp = spacy.load(name)
    except OSError as error:
        raise ParamsError(
            f"tokens.sentences: got {name!r}; expected sentencizer or an installed spaCy pipeline; "
            f"install it with: python -m spacy download {name}"
        ) from error
    if not {"parser", "senter", "sentencizer"} & set(nlp.pipe_factories.values()):
        raise ParamsError(
            f"tokens.sentences: the pipeline {name!r} finds no sentences; expected one with parser, senter or "
            "sentencizer; choose another"
        )
    # The limit guards the memory of parsers; no document may abort the run.
    nlp.max_length = 2**30
    return nlp
