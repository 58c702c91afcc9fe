"""The difference of two models that scored the same test sequences, with a paired bootstrap over their authors.

Each resample of the authors is of both models, so that what is hard for both cancels out. Two intervals that overlap
say little: the interval of the difference says whether one model is better.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lengthwise.evaluation.levels import Level, items_of, pool
from lengthwise.evaluation.resampling import Bootstrap

IDS = ("sequence", "document", "author", "label")
# Figures in Git are rounded: predictions that give others are of another run.
SAME = 1e-4


@dataclass(frozen=True)
class Difference:
    """One model's accuracy less another's at a level.

    Attributes:
        level: of `lengthwise.evaluation.levels.LEVELS`.
        value: the difference.
        low: where its interval begins.
        high: where it ends.
        items: how many were scored.
        authors: who wrote them, and were resampled.
    """

    level: str
    value: float
    low: float
    high: float
    items: int
    authors: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def same_sequences(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two predictions are of the same sequences in the same order."""
    known = {*IDS} <= {*one.columns} & {*other.columns}
    return known and len(one) > 0 and one[[*IDS]].equals(other[[*IDS]])


def paired_differences(one: pd.DataFrame, other: pd.DataFrame, unit: str, bootstrap: Bootstrap) -> list[Difference]:
    """The accuracies of `one` less those of `other`, a level each.

    Args:
        one: predictions, a row a test sequence, see docs/formats.md.
        other: those of another model on the same sequences.
        unit: the shards' unit.
        bootstrap: how the authors are resampled.
    """
    found = []
    for mine, its in zip(levels_of(one, unit), levels_of(other, unit), strict=True):
        value, low, high = bootstrap.difference(_right(mine), _right(its), mine.author)
        authors = len(np.unique(mine.author))
        found.append(Difference(mine.name, value, low, high, len(mine.labels), authors))
    return found


def agree(predictions: pd.DataFrame, unit: str, accuracies: Mapping[str, float]) -> bool:
    """Whether predictions give the accuracies by level that a run reports of them."""
    found = {level.name: float(_right(level).mean()) for level in levels_of(predictions, unit)}
    return found.keys() == accuracies.keys() and all(abs(found[name] - accuracies[name]) < SAME for name in found)


def levels_of(predictions: pd.DataFrame, unit: str) -> list[Level]:
    """The items of each level, with what the model said of them.

    Args:
        predictions: a row a test sequence, see docs/formats.md.
        unit: the shards' unit.
    """
    ids = {name: predictions[name].to_numpy() for name in IDS}
    scores = predictions.drop(columns=[*IDS]).to_numpy(np.float64)
    return [pool(items, scores) for items in items_of(ids, unit)]


def _right(level: Level) -> np.ndarray:
    """Of each item, whether the joint class was predicted: float64 (N,)."""
    right: np.ndarray = (level.log_probabilities.argmax(axis=1) == level.labels).astype(np.float64)
    return right
