"""N-grams of characters within tokens, counted without reading any text.

How often an item has an n-gram is how often it has each token times how often the token has the n-gram: a product of
sparse matrices.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from lengthwise.core.sequences import UNK_ID
from lengthwise.evaluation.weighting import items_having

# Where a token begins and ends. Halves of surrogate pairs are no characters: no token has them.
BEGIN, END = "\ud800", "\udfff"
# N-grams that fewer training items have are left out.
FEWEST_ITEMS = 5
# Items whose n-grams are counted at once, before the rare ones are left out.
BLOCK = 256


def character_grams(tokens: Sequence[str], longest: int) -> csr_matrix:
    """How often each token of a vocabulary has each n-gram of characters, between a mark of its beginning and its end.

    So `at` has the n-grams `^a`, `at`, `t$`, `^at`, `at$` and `^at$` of 2 to 4 characters, where `^` and `$` are the
    marks. Source: Cavnar and Trenkle (1994), "N-gram-based text categorization", who mark the ends of words so too.

    Args:
        tokens: by their number; the first two, padding and unknown tokens, have no n-grams.
        longest: characters of the longest n-grams, marks among them, from 2.

    Returns:
        float32 (tokens, G), sparse; n-grams in the order in which they are met.

    >>> from lengthwise.evaluation.character_grams import character_grams
    >>> character_grams(["<PAD>", "<UNK>", "at", "a"], 3).toarray().astype(int).tolist()
    [[0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 1, 1]]
    """
    numbers: dict[str, int] = {}
    starts, columns = [0], []
    for token in [""] * (UNK_ID + 1) + [*tokens[UNK_ID + 1 :]]:
        marked = f"{BEGIN}{token}{END}" if token else ""
        for size in range(2, min(longest, len(marked)) + 1):
            for start in range(len(marked) - size + 1):
                columns.append(numbers.setdefault(marked[start : start + size], len(numbers)))
        starts.append(len(columns))
    matrix = csr_matrix((np.ones(len(columns), np.float32), columns, starts), (len(tokens), len(numbers)))
    matrix.sum_duplicates()
    return matrix


class CommonGrams(NamedTuple):
    """The n-grams that at least `FEWEST_ITEMS` items have.

    Attributes:
        grams: float32 (V, G), sparse: the columns of `character_grams` that are common.
        items: how many items were asked.
        having: int64 (G,), how many of them have each n-gram.
    """

    grams: csr_matrix
    items: int
    having: np.ndarray


def common_grams(parts: Iterable[csr_matrix], grams: csr_matrix) -> CommonGrams:
    """The n-grams that are common among items; a block of items is in memory at a time.

    Args:
        parts: (N, V) each, how often each of N items has each token; one part at least.
        grams: (V, G), see `character_grams`.
    """
    blocks = (counts[start : start + BLOCK] for counts in parts for start in range(0, counts.shape[0], BLOCK))
    items, having = items_having(gram_counts(block, grams) for block in blocks)
    common = np.flatnonzero(having >= FEWEST_ITEMS)
    return CommonGrams(grams[:, common], items, having[common])


def gram_counts(counts: csr_matrix, grams: csr_matrix) -> csr_matrix:
    """How often each item has each n-gram: float32 (N, G), sparse, exact to 16 million.

    Args:
        counts: (N, V), how often each of N items has each token.
        grams: (V, G), see `character_grams`.
    """
    return counts.astype(np.float32) @ grams
