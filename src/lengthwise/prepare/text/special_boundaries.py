"""Where spaCy's special cases may reach across two chunks of a text."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from spacy.attrs import ORTH
from spacy.tokenizer import Tokenizer


class SpecialBoundaries:
    """Where a special case could match across two chunks.

    `table[last[one], first[other]]` is true if `one`, the last token of a chunk, and `other`, the first token of the
    next, may be neighbours within the token pattern of a special case. The tokens that spaCy shows may already be the
    result of a special case, so each stands for all tokens that may have stood there before.

    Indonesian has 16,000 special cases, nearly all of them a word, a hyphen and a word. So only the pairs that occur
    are looked at, and tokens that have the same neighbours share a class: its table has 10,363 by 9,929 pairs of
    tokens and a few classes.

    Attributes:
        last: the class of each last token that some special case may join to the next chunk; all others are class 0.
        first: the same of first tokens.
        table: bool (classes of last tokens, classes of first tokens), never true for class 0.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        pairs, results = _patterns(tokenizer)
        lefts, rights = {left for left, _ in pairs}, {right for _, right in pairs}
        # Of a token within a pattern: all tokens that may be seen in its place.
        shown_left = {left: {left} for left in lefts}
        shown_right = {right: {right} for right in rights}
        for pattern, result in results:
            if pattern[-1] in lefts:
                shown_left[pattern[-1]].add(result[-1])
            if pattern[0] in rights:
                shown_right[pattern[0]].add(result[0])
        after: dict[str, set[str]] = {}
        before: dict[str, set[str]] = {}
        for left, right in pairs:
            for shown in shown_left[left]:
                after.setdefault(shown, set()).update(shown_right[right])
            for shown in shown_right[right]:
                before.setdefault(shown, set()).update(shown_left[left])
        self.last, self.first = _classes(after), _classes(before)
        self.table = np.zeros((_size(self.last), _size(self.first)), bool)
        for left in _one_of_each(self.last):
            self.table[self.last[left], [self.first[right] for right in after[left]]] = True


def _patterns(tokenizer: Tokenizer) -> tuple[set[tuple[str, str]], list[tuple[list[str], list[str]]]]:
    """The neighbours within the token patterns of all special cases, and each pattern with what becomes of it."""
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
    return pairs, results


def _classes(neighbours: dict[str, set[str]]) -> dict[str, int]:
    """A class from 1 on for each token, the same for tokens that have the same neighbours."""
    numbers: dict[frozenset[str], int] = {}
    return {token: numbers.setdefault(frozenset(neighbours[token]), len(numbers) + 1) for token in sorted(neighbours)}


def _size(classes: dict[str, int]) -> int:
    return max(classes.values(), default=0) + 1


def _one_of_each(classes: dict[str, int]) -> Iterable[str]:
    return {number: token for token, number in classes.items()}.values()
