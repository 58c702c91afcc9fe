"""The difference of two models that scored the same test sequences, paired by author.

What is hard for both cancels out. Two intervals that overlap say little: that of the difference says whether
one model is better.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import pandas as pd

from lengthwise.evaluation.levels import Level, items_of, pool
from lengthwise.evaluation.paired import Interval, paired_means
from lengthwise.names import UNITS, Unit

IDS = ("sequence", "document", "group", "label")
# Figures in Git are rounded: predictions that give others are of another run.
SAME = 1e-4
# The unit of the shards, and what the corpus calls the units that it has.
ShardLevels = tuple[Unit, Mapping[Unit, str]]
# By metric, what each item of a level adds to its mean.
Scores = Callable[[Level], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Difference:
    """One model's figure less another's at a level.

    Attributes:
        level: the corpus's word for its items.
        metric: which figure.
        one: of the one model.
        other: of the other.
        low: where the interval of the difference begins; too few authors leave it without ends.
        high: where it ends.
        items: how many were scored.
    """

    level: str
    metric: str
    one: float
    other: float
    low: float
    high: float
    items: int

    @property
    def value(self) -> float:
        """One less the other."""
        return self.one - self.other

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def same_sequences(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two predictions are of the same sequences in the same order."""
    known = {*IDS} <= {*one.columns} & {*other.columns}
    return known and len(one) > 0 and one[[*IDS]].equals(other[[*IDS]])


def accuracy_of(level: Level) -> dict[str, np.ndarray]:
    """Of each item, whether the joint class was predicted: float64 (N,)."""
    return {"accuracy": (level.log_probabilities.argmax(axis=1) == level.labels).astype(np.float64)}


def paired_differences(
    one: pd.DataFrame, other: pd.DataFrame, levels: ShardLevels, confidence: float, scores: Scores = accuracy_of
) -> list[Difference]:
    """The figures of `one` less those of `other`, by level and metric.

    Args:
        one: predictions, a row a test sequence, see docs/formats.md.
        other: those of another model on the same sequences.
        levels: those of the shards.
        confidence: of the intervals, see `lengthwise.evaluation.paired.paired_means`; authors are its groups.
        scores: which figures.
    """
    found = []
    for mine, its in zip(levels_of(one, levels), levels_of(other, levels), strict=True):
        of_one, of_other = scores(mine), scores(its)
        for metric in of_one:
            means = paired_means(of_other[metric], of_one[metric], mine.author, confidence)
            ends = Interval(-inf, inf) if means is None else means.interval
            values = float(of_one[metric].mean()), float(of_other[metric].mean())
            found.append(Difference(mine.name, metric, *values, ends.low, ends.high, len(mine.labels)))
    return found


def agree(predictions: pd.DataFrame, levels: ShardLevels, accuracies: Mapping[str, float]) -> bool:
    """Whether predictions give the accuracies by level that a run reports of them."""
    found = {level.name: float(accuracy_of(level)["accuracy"].mean()) for level in levels_of(predictions, levels)}
    return found.keys() == accuracies.keys() and all(abs(found[name] - accuracies[name]) < SAME for name in found)


def shard_levels(unit: Unit, names: Sequence[str]) -> ShardLevels:
    """The levels of a run's shards.

    Args:
        unit: of the shards.
        names: what the run calls its levels, from the finest to the coarsest.
    """
    return unit, dict(zip(UNITS[UNITS.index(unit) :], names, strict=False))


def levels_of(predictions: pd.DataFrame, levels: ShardLevels) -> list[Level]:
    """The items of each level, with what the model said of them.

    Args:
        predictions: a row a test sequence, see docs/formats.md.
        levels: those of the shards.
    """
    ids = {name: predictions[name].to_numpy() for name in IDS}
    scores = predictions.drop(columns=[*IDS]).to_numpy(np.float64)
    return [pool(items, scores) for items in items_of(ids, *levels)]
