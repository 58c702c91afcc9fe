"""Predictions of any task, scored again item by item: the difference of two models, paired by what was held out."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import inf
from operator import attrgetter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import LengthwiseError
from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.metric import headline_name
from lengthwise.evaluation.paired import Interval, paired_means
from lengthwise.evaluation.score import read_predictions, scoring_of_table
from lengthwise.evaluation.scoring.registry import metric_of
from lengthwise.evaluation.scoring.tag_scoring import ENTITY, STEP
from lengthwise.evaluation.scoring.task_scoring import ScoredLevel, TaskScoring
from lengthwise.names import LABEL_TASKS
from lengthwise.reports.differences import (
    SAME,
    Difference,
    ShardLevels,
    agree,
    paired_differences,
    same_sequences,
    shard_levels,
)
from lengthwise.reports.run import Run
from lengthwise.reports.run_files import PREDICTIONS
from lengthwise.reports.words import records
from lengthwise.sequences import LABEL, Sequences


def predictions_of(run: Run, model: str) -> pd.DataFrame | None:
    """What a model of classes said of each test sequence, if that is at hand and of this run; else None."""
    try:
        found = pd.read_parquet(BytesIO(run.files[f"{PREDICTIONS}{model}.parquet"]))
    except (KeyError, OSError, ValueError, LengthwiseError):
        return None
    return found if _is_of_this_run(found, run, model) else None


def has_predictions(run: Run, task: str) -> bool:
    """Whether the predictions of a task's network are at hand and, of classes, of this run."""
    path = f"{PREDICTIONS}{task}.parquet"
    if path not in run.files:
        return False
    return task not in LABEL_TASKS or _scores_itself(run.files[path]) or predictions_of(run, task) is not None


def _scores_itself(content: bytes) -> bool:
    """Whether a file of predictions says what scores it, as all but those of classes do."""
    try:
        return scoring_of_table(pq.read_table(BytesIO(content))) is not None
    except (OSError, ValueError, pa.ArrowException):
        return False


def _is_of_this_run(predictions: pd.DataFrame, run: Run, model: str) -> bool:
    accuracies = run.levels[(run.levels["model"] == model) & (run.levels["metric"] == "accuracy")]
    try:
        reported = dict(zip(accuracies["level"], accuracies["value"], strict=True))
        return agree(predictions, shard_levels_of(run), reported)
    except (KeyError, TypeError, ValueError, LengthwiseError):
        return False


def shard_levels_of(run: Run) -> ShardLevels:
    """The unit of a run's shards, and the levels of its labels."""
    labels = [task for task in run.tasks if task in LABEL_TASKS] or run.tasks
    return shard_levels(run.params("shards")["unit"], run.levels_of(labels)["level"].unique().tolist())


def differences_of_runs(one: Run, other: Run, task: str) -> list[Difference] | None:
    """The metrics of a task's network of one run less those of another's, by level.

    Returns:
        None if the runs were tested on other sequences, or the predictions of one are not at hand or not of its run.
    """
    confidence = other.params("evaluate")["confidence"]
    mine, its = (predictions_of(run, task) for run in (one, other))
    if mine is not None and its is not None:
        units = {run.params("shards")["unit"] for run in (one, other)}
        if len(units) > 1 or not same_sequences(mine, its):
            return None
        return paired_differences(mine, its, shard_levels_of(one), confidence)
    path = f"{PREDICTIONS}{task}.parquet"
    if path not in one.files or path not in other.files:
        return None
    # What is counted within sequences has no items of its own.
    names = [name for name in one.levels_of([task])["level"].unique() if name not in (STEP, ENTITY)]
    levels = shard_levels(one.params("shards")["unit"], names)
    found = task_differences(one.files[path], other.files[path], levels, confidence) or []
    return found if found and _agree(found, one, other, task) else None


def _agree(found: Sequence[Difference], one: Run, other: Run, task: str) -> bool:
    """Whether the predictions give the figures that both runs report."""
    for run, value_of in ((one, attrgetter("one")), (other, attrgetter("other"))):
        rows = run.table(f"evaluate/{task}/levels.csv", ("level", "metric"), ("value",))
        reported = {(row.level, row.metric): row.value for row in records(rows)}
        for of in found:
            value = reported.get((of.level, of.metric))
            if value is None or abs(value - value_of(of)) > SAME * max(1.0, abs(value)):
                return False
    return True


def task_differences(one: bytes, other: bytes, levels: ShardLevels, confidence: float) -> list[Difference] | None:
    """The metrics of one model less those of another, by level.

    Args:
        one: a file of predictions, see docs/formats.md.
        other: that of another model.
        levels: those of the shards.
        confidence: of the intervals, see `lengthwise.evaluation.paired.paired_means`.

    Returns:
        None if the files do not say what scores them, or are of other sequences, or damaged.
    """
    try:
        tables = [pq.read_table(BytesIO(content)) for content in (one, other)]
        scorings = [scoring_of_table(table) for table in tables]
        scoring = scorings[0]
        if scoring is None or scorings[1] != scoring or not _same_sequences(scoring, *tables):
            return None
        mine, its = (_levels(scoring, table, levels) for table in tables)
    except (KeyError, OSError, ValueError, IndexError, pa.ArrowException):
        return None
    return [found for pair in zip(mine, its, strict=True) for found in level_differences(*pair, confidence)]


def level_differences(one: ScoredLevel, other: ScoredLevel, confidence: float) -> list[Difference]:
    """The metrics of one model less those of another at the same level of the same items."""
    of_one, of_other = one.item_scores(), other.item_scores()
    found = []
    for metric in (name for name in of_one if name in of_other):
        means = paired_means(of_other[metric], of_one[metric], one.group, confidence)
        ends = Interval(-inf, inf) if means is None else means.interval
        values = float(of_one[metric].mean()), float(of_other[metric].mean())
        found.append(Difference(one.name, metric, *values, ends.low, ends.high, len(one.group)))
    return found


def of_headline(found: Sequence[Difference]) -> dict[str, Difference]:
    """The differences of the headline's figures, by its names."""
    return {
        f"{one.level}_{headline_name(one.metric)}": one
        for one in found
        if one.level == found[0].level or not ((metric := metric_of(one.metric)) and metric.finest)
    }


def _levels(scoring: TaskScoring, table: pa.Table, levels: ShardLevels) -> Sequence[ScoredLevel]:
    sequences, predictions = read_predictions(scoring, table)
    ids: Mapping[str, np.ndarray] = {LABEL: np.zeros(len(sequences), np.int64), **sequences.per_sequence}
    return scoring.levels(sequences, predictions, items_of(ids, *levels))


def _same_sequences(scoring: TaskScoring, *tables: pa.Table) -> bool:
    """Whether tables are of the same sequences in the same order, with the same right answers."""
    (one, said), (other, _) = (read_predictions(scoring, table) for table in tables)
    names = [name for name in one.names if name not in said]
    return one.names == other.names and np.array_equal(one.offsets, other.offsets) and _equal(one, other, names)


def _equal(one: Sequences, other: Sequences, names: Sequence[str]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in names)
