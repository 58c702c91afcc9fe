"""The difference of two runs on the same test authors: both are resampled together.

A hard author is hard for both runs, so that the difference varies less than either figure: the paired bootstrap sees
that, where the two intervals of `levels.csv` cannot. It needs both runs' predictions: those of the base are in the DVC
cache if they were made here, and nothing is fetched.
"""

import math
from collections.abc import Mapping, Sequence
from io import BytesIO

import pandas as pd
import pyarrow as pa

from lengthwise.errors import FormatError
from lengthwise.evaluation.metrics import headline_name, item_scores, metric_of
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.labels import LabelFactor, joint_class_names
from lengthwise.reports.change.figures import Interval
from lengthwise.reports.differences import IDS, levels_of, same_sequences
from lengthwise.reports.files import finite
from lengthwise.reports.run import Run

# Relative: the figures in Git are rounded to six digits.
SAME = 2e-5


def predictions_at(run: Run, path: str) -> pd.DataFrame | None:
    """The predictions that a run has; None if they are not at hand or damaged."""
    try:
        return pd.read_parquet(BytesIO(run.files[path]))
    except (KeyError, OSError, FormatError, pa.ArrowException):
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
    intervals = {}
    for finest, (before, after) in enumerate(zip(levels_of(old, unit), levels_of(new, unit), strict=True)):
        was, is_now = item_scores(before, factors), item_scores(after, factors)
        for name in was:
            metric = metric_of(name)
            if finest and metric and metric.finest:
                continue
            _, low, high = bootstrap.difference(is_now[name], was[name], after.author)
            value = float(was[name].mean()), float(is_now[name].mean())
            intervals[f"{after.name}_{headline_name(name)}"] = (*value, Interval(low, high))
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
