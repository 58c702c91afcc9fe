"""Figures of a model from what each item adds to its metrics: means, and paired differences."""

from collections.abc import Sequence
from math import inf

import numpy as np
import pandas as pd

from lengthwise.evaluation.item_table import LevelScores
from lengthwise.evaluation.level_tables import COLUMNS
from lengthwise.evaluation.paired import Interval, paired_means
from lengthwise.evaluation.resampling import Bootstrap


def mean_figures(model: str, levels: Sequence[LevelScores], bootstrap: Bootstrap) -> pd.DataFrame:
    """The metrics with their intervals, groups resampled with all their items.

    Returns:
        A row a level and metric, with the columns of `levels.csv`.
    """
    rows = []
    for level in levels:
        _, codes = np.unique(level.group, return_inverse=True)
        columns = [np.ones(len(codes)), *level.scores.values()]
        sums = np.stack([np.bincount(codes, column) for column in columns], axis=1)
        resampled = bootstrap.resampled(sums)
        low, high = bootstrap.ends(resampled[:, 1:] / resampled[:, :1])
        for place, (metric, scores) in enumerate(level.scores.items()):
            rows.append((model, level.name, metric, float(scores.mean()), float(low[place]), float(high[place])))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def paired_figures(one: Sequence[LevelScores], other: Sequence[LevelScores], confidence: float) -> pd.DataFrame:
    """The metrics of one model less those of another on the same items: see `lengthwise.evaluation.paired`.

    Args:
        one: of the one model.
        other: of the other; a level whose items are not the same is left out.
        confidence: of the intervals.

    Returns:
        Columns level, metric, one, other, difference, low, high; too few groups leave an interval without ends.
    """
    rows = []
    others = {level.name: level for level in other}
    for level in one:
        beside = others.get(level.name)
        if beside is None or not np.array_equal(level.group, beside.group):
            continue
        for metric in (metric for metric in level.scores if metric in beside.scores):
            found = paired_means(beside.scores[metric], level.scores[metric], level.group, confidence)
            ends = Interval(-inf, inf) if found is None else found.interval
            values = float(level.scores[metric].mean()), float(beside.scores[metric].mean())
            rows.append((level.name, metric, *values, values[0] - values[1], ends.low, ends.high))
    return pd.DataFrame(rows, columns=["level", "metric", "one", "other", "difference", "low", "high"])
