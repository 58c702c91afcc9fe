"""What a linear model reads of an item of any length: counts of its tokens and tags, and statistics of its numbers."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfTransformer

from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.evaluation.character_grams import common_grams, gram_counts
from lengthwise.evaluation.input_columns import InputColumns
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.step_windows import as_columns
from lengthwise.evaluation.weighting import items_having, tf_idf

# Sparse, float64 (N, F); or dense.
FeatureRows: TypeAlias = csr_matrix | np.ndarray
STATISTICS = 6


class ItemFeatures:
    """Rows of items for a linear model, alike for all splits.

    Counts are weighted by TF-IDF, with the logarithm of counts (Salton and Buckley, 1988). Beside them stands the
    logarithm of an item's steps, and what `statistics` says of each number; both standardized. N-grams of characters
    are weighted by a TF-IDF of their own, and are as many as `common_grams` leaves.

    Args:
        inputs: the columns that are read.
        training: sequences by which features are weighted and standardized.
        items: of the training sequences.
        weighted: whether counts are weighted, or stay as they are.
        lengths: whether the steps of an item are among its features.
        grams: n-grams of characters that tokens have, see `lengthwise.evaluation.character_grams`; None for none.
        parts: the same sequences and items in parts, which are read one after another, several times.
    """

    def __init__(
        self,
        inputs: InputColumns,
        training: Sequences,
        items: Items,
        *,
        weighted: bool = True,
        lengths: bool = True,
        grams: csr_matrix | None = None,
        parts: Iterable[tuple[Sequences, Items]] = (),
    ) -> None:
        self._inputs, self._lengths = inputs, lengths
        parts = parts or [(training, items)]
        self._grams = None if grams is None else self._weighted_grams(grams, parts)
        self._weighting = {
            name: tf_idf(*items_having(count_column(*part, name, size) for part in parts))
            for name, size in inputs.counted.items()
            if weighted
        }
        self._mean, spread = _moments_of(lambda: (self._dense(*part) for part in parts))
        self._spread = np.where(spread > 0, spread, 1)

    def rows(self, sequences: Sequences, items: Items) -> FeatureRows:
        """Of the items: float64 (N, F), sparse where there are counts."""
        dense = (self._dense(sequences, items) - self._mean) / self._spread
        counts = []
        for name, size in self._inputs.counted.items():
            found = count_column(sequences, items, name, size)
            counts.append(self._weighting[name].transform(found) if name in self._weighting else found)
        if self._grams is not None:
            common, weighting = self._grams
            # In place, and in half the bytes, until they stand beside the others.
            counts.append(weighting.transform(gram_counts(self._tokens(sequences, items), common), copy=False))
        if len(counts) == 1 and not dense.shape[1]:
            return counts[0]
        return hstack([*counts, csr_matrix(dense)], format="csr") if counts else dense

    def _weighted_grams(
        self, grams: csr_matrix, parts: Iterable[tuple[Sequences, Items]]
    ) -> tuple[csr_matrix, TfidfTransformer] | None:
        """The n-grams that are common among the training items, and their weighting; None if there is none."""
        common = common_grams((self._tokens(*part) for part in parts), grams)
        return (common.grams, tf_idf(common.items, common.having)) if len(common.having) else None

    def _tokens(self, sequences: Sequences, items: Items) -> csr_matrix:
        return count_column(sequences, items, TOKENS, self._inputs.counted[TOKENS])

    def _dense(self, sequences: Sequences, items: Items) -> np.ndarray:
        steps = np.bincount(items.group, sequences.lengths, minlength=len(items.labels))[:, np.newaxis]
        of_each = [statistics(sequences, items, name) for name in self._inputs.numbers]
        return np.concatenate([np.log1p(steps) if self._lengths else steps[:, :0], *of_each], axis=1)


def count_column(sequences: Sequences, items: Items, column: str, size: int) -> csr_matrix:
    """How often each number of a column occurs in each item: float64 (N, size), sparse."""
    values = as_columns(sequences[column])
    rows = np.repeat(np.repeat(items.group, sequences.lengths), values.shape[1])
    matrix = csr_matrix((np.ones(len(rows)), (rows, values.reshape(-1))), (len(items.labels), size))
    matrix.sum_duplicates()
    return matrix


def _moments_of(parts: Callable[[], Iterator[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of all rows, float64 (D,) each; of one part to the last bit what NumPy says."""
    sums = [(len(dense), dense.sum(axis=0)) for dense in parts()]
    count = sum(rows for rows, _ in sums)
    mean = np.sum([of_part for _, of_part in sums], axis=0) / count
    squares = np.sum([((dense - mean) ** 2).sum(axis=0) for dense in parts()], axis=0)
    return mean, np.sqrt(squares / count)


def statistics(sequences: Sequences, items: Items, column: str) -> np.ndarray:
    """What an item's numbers are like, whatever its length.

    Args:
        sequences: of N steps; the sequences of an item follow each other.
        items: which item each sequence is of.
        column: floats, (N,) or (N, D).

    Returns:
        float64 (items, 6 D): mean, standard deviation, least, largest, first and last of each number; zeros of an item
        without steps.
    """
    values = as_columns(sequences[column]).astype(np.float64)
    item = np.repeat(items.group, sequences.lengths)
    order = np.argsort(item, kind="stable")
    values, item = values[order], item[order]
    found = np.zeros((len(items.labels), STATISTICS, values.shape[1]))
    if len(values):
        present, starts, sizes = np.unique(item, return_index=True, return_counts=True)
        mean = np.add.reduceat(values, starts) / sizes[:, np.newaxis]
        squares = np.add.reduceat((values - np.repeat(mean, sizes, axis=0)) ** 2, starts) / sizes[:, np.newaxis]
        least, largest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        first, last = values[starts], values[starts + sizes - 1]
        found[present] = np.stack([mean, np.sqrt(squares), least, largest, first, last], axis=1)
    return found.reshape(len(found), -1)
