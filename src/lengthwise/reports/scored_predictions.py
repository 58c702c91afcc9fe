"""Predictions of any task, scored again item by item: the difference of two models, paired by what was held out."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import inf

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.metric import headline_name
from lengthwise.evaluation.paired import Interval, paired_means
from lengthwise.evaluation.score import read_predictions, scoring_of_table
from lengthwise.evaluation.scoring.registry import metric_of
from lengthwise.evaluation.scoring.task_scoring import ScoredLevel, TaskScoring
from lengthwise.reports.differences import Difference, ShardLevels
from lengthwise.sequences import LABEL, Sequences


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
