"""The difference of two runs on the same test authors: both are resampled together.

A hard author is hard for both runs, so that the difference varies less than either figure: the paired bootstrap sees
that, where the two intervals of `levels.csv` cannot. It needs both runs' predictions: those of the base are in the DVC
cache if they were made here, and nothing is fetched.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from lengthwise.evaluation.levels import Level
from lengthwise.evaluation.metrics import Bootstrap
from lengthwise.labels import LabelFactor, factor_codes, factor_probabilities, joint_class_names
from lengthwise.reports.differences import IDS, levels_of, same_sequences
from lengthwise.reports.pull_request.cached import cached_files
from lengthwise.reports.pull_request.figures import Interval
from lengthwise.reports.pull_request.revisions import Snapshot, finite

# Relative: the figures in Git are rounded to six digits.
SAME = 2e-5


def predictions_at(snapshot: Snapshot, path: str, folder: Path) -> pd.DataFrame | None:
    """The predictions that a snapshot's `dvc.lock` names, from the DVC cache.

    Args:
        snapshot: of the base or the working tree.
        path: of the predictions.
        folder: the project's.

    Returns:
        The columns of the file; None if it is not in the cache or damaged.
    """
    place = cached_files(snapshot, [path], folder).get(path)
    try:
        return None if place is None else pd.read_parquet(place)
    except (OSError, pa.ArrowException):
        return None


def paired_intervals(
    old: pd.DataFrame, new: pd.DataFrame, unit: str, factors: Sequence[LabelFactor], bootstrap: Bootstrap
) -> dict[str, tuple[float, float, Interval]]:
    """The headline of two runs and the interval of each difference.

    Args:
        old: predictions of the base, a row a test sequence, see docs/formats.md.
        new: those of the working tree.
        unit: the shards' unit.
        factors: the label factors.
        bootstrap: how the authors are resampled: each resample is of both runs.

    Returns:
        By the headline's names: the old value, the new one, and the interval of new less old; empty if the predictions
        are not of the same sequences.
    """
    if old.columns.tolist() != new.columns.tolist() or not same_sequences(old, new):
        return {}
    if len(new.columns) - len(IDS) != len(joint_class_names(factors)):
        return {}
    tail = (1 - bootstrap.confidence) / 2
    intervals = {}
    for finest, (before, after) in enumerate(zip(levels_of(old, unit), levels_of(new, unit), strict=True)):
        scores = [_scores(level, factors, with_nll=finest == 0) for level in (before, after)]
        _, author = np.unique(after.author, return_inverse=True)
        weights = bootstrap.weights(author.max() + 1)
        for name in scores[0]:
            value, resampled = zip(*(_mean(side[name], author, weights) for side in scores), strict=True)
            low, high = np.quantile(resampled[1] - resampled[0], [tail, 1 - tail])
            intervals[f"{after.name}_{name}"] = (*value, Interval(float(low), float(high)))
    return intervals


def agreeing(
    intervals: Mapping[str, tuple[float, float, Interval]], old: Mapping[str, object], new: Mapping[str, object]
) -> dict[str, Interval]:
    """The intervals, if the predictions are those that the metrics in Git were made from; else none."""
    for name, (before, after, _) in intervals.items():
        for value, known in ((before, old.get(name)), (after, new.get(name))):
            if not finite(known) or not math.isclose(known, value, rel_tol=SAME, abs_tol=1e-12):
                return {}
    return {name: interval for name, (_, _, interval) in intervals.items()}


def _scores(level: Level, factors: Sequence[LabelFactor], with_nll: bool) -> dict[str, np.ndarray]:
    """By the headline's names: what each item adds to a mean, float64 (N,)."""
    scores = {"accuracy": level.log_probabilities.argmax(axis=1) == level.labels}
    probabilities = factor_probabilities(np.exp(level.log_probabilities), factors)
    for factor, joint, truth in zip(factors, probabilities, factor_codes(level.labels, factors), strict=True):
        scores[factor.name] = joint.argmax(axis=1) == truth
    if with_nll:
        scores["nll"] = -level.log_probabilities[np.arange(len(level.labels)), level.labels]
    return {name: score.astype(np.float64) for name, score in scores.items()}


def _mean(score: np.ndarray, author: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean of a score, and its mean in each resample of the authors."""
    sums, counts = np.bincount(author, score), np.bincount(author)
    return float(score.mean()), weights @ sums / (weights @ counts)
