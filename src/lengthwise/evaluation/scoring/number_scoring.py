"""Scores of a regressor: numbers of each sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lengthwise.core.sequences import NUMBERS, Sequences
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.metric import Metric
from lengthwise.evaluation.ratios import REST, ROOT, Ratio
from lengthwise.evaluation.scoring.strata import by_key, group_table, in_ranges
from lengthwise.evaluation.scoring.task_scoring import (
    ItemScoring,
    PredictedColumns,
    RatioLevel,
    as_ratio,
    group_of_sequences,
    kept_columns,
    means_of_items,
)

PREDICTED = "predicted"


@dataclass(frozen=True)
class PredictedNumbers:
    """The K numbers of N items.

    Attributes:
        right: float64 (N, K).
        predicted: float64 (N, K).
    """

    right: np.ndarray
    predicted: np.ndarray


def _absolute(of: PredictedNumbers, names: Sequence[str]) -> dict[str, np.ndarray]:
    return {f"{name}_mae": error for name, error in zip(names, np.abs(of.predicted - of.right).T, strict=True)}


def _explained(of: PredictedNumbers, names: Sequence[str]) -> dict[str, Ratio]:
    unexplained, all_of_it = (of.predicted - of.right) ** 2, (of.right - of.right.mean(axis=0)) ** 2
    columns = zip(names, unexplained.T, all_of_it.T, strict=True)
    return {f"{name}_r2": Ratio(above, below, REST) for name, above, below in columns}


def _root(of: PredictedNumbers, names: Sequence[str]) -> dict[str, Ratio]:
    squares = (of.predicted - of.right) ** 2
    return {f"{name}_rmse": Ratio(each, np.ones(len(each)), ROOT) for name, each in zip(names, squares.T, strict=True)}


@dataclass(frozen=True)
class NumberScoring(ItemScoring):
    """Of numbers in a column per sequence.

    Sequences have the column `numbers`, float (S, K). Predictions have `predicted`, float (S, K).

    Levels: those of the items that have the same numbers throughout; a pooled prediction is the mean. Of each number
    its mean absolute error (`<name>_mae`) and the root of its mean squared error (`<name>_rmse`) in its own unit, and
    R² (`<name>_r2`), the share of its squared deviations from the mean of the test items that is explained.

    Attributes:
        names: of the K numbers.
    """

    names: tuple[str, ...]

    # The unit of an error is the number's own: whatever difference is clear counts.
    metrics = (Metric(".+_mae", _absolute, -1, 0.0), Metric(".+_r2", _explained, 1, 0.01))

    def targets(self, sequences: Sequences) -> np.ndarray:
        """The right numbers."""
        return np.asarray(sequences[NUMBERS], np.float64)

    def pooled(self, predictions: PredictedColumns, items: Items) -> PredictedColumns:
        """The mean."""
        return {PREDICTED: means_of_items(predictions[PREDICTED], items)}

    def level(self, items: Items, targets: np.ndarray, predictions: PredictedColumns) -> RatioLevel:
        """A level of numbers."""
        of = PredictedNumbers(targets, np.asarray(predictions[PREDICTED], np.float64))
        judged = self.judged(of, self.names, items.name)
        return RatioLevel(items.name, items.author, judged, _root(of, self.names))

    def tables(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> dict[str, pd.DataFrame]:
        """`by_length.csv` and `by_group.csv` with the absolute error of sequences; `fit.csv`, what became of each."""
        of = PredictedNumbers(*(np.asarray(each, float) for each in (sequences[NUMBERS], predictions[PREDICTED])))
        errors = {name: as_ratio(error) for name, error in _absolute(of, self.names).items()}
        return {
            "by_length.csv": by_key("length", in_ranges(sequences.lengths), errors),
            **group_table(group_of_sequences(items), np.arange(len(sequences)), errors),
            "fit.csv": pd.concat(self._binned(of, place) for place in range(len(self.names))),
        }

    def kept(self, sequences: Sequences, predictions: PredictedColumns) -> Sequences:
        """The right numbers and the predicted ones."""
        numbers = {
            NUMBERS: np.asarray(sequences[NUMBERS], float),
            PREDICTED: np.asarray(predictions[PREDICTED], float),
        }
        return kept_columns(sequences, per_sequence=numbers)

    def from_kept(self, kept: Sequences) -> PredictedColumns:
        """The predicted numbers."""
        return {PREDICTED: kept[PREDICTED]}

    def _binned(self, of: PredictedNumbers, place: int) -> pd.DataFrame:
        """Twenty equally large parts of the items, by what was predicted: the mean prediction and the mean of each."""
        predicted = of.predicted[:, place]
        ranks = np.argsort(np.argsort(predicted, kind="stable"), kind="stable")
        part = ranks * min(PARTS, len(ranks)) // max(1, len(ranks))
        means = {"predicted": as_ratio(predicted), "actual": as_ratio(of.right[:, place])}
        return by_key("part", part, means).assign(number=self.names[place])


PARTS = 20
