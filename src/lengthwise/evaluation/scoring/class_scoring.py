"""Scores of a classifier, and of seq2seq: one joint class of each sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lengthwise.core.labels import LabelFactor, joint_class_names
from lengthwise.core.sequences import LABEL, Sequences
from lengthwise.evaluation import metrics
from lengthwise.evaluation.levels import Items, Level, pool
from lengthwise.evaluation.metric import Metric
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.scoring.strata import confusion
from lengthwise.evaluation.scoring.task_scoring import (
    ItemScoring,
    PredictedColumns,
    ScoredLevel,
    kept_columns,
    with_one_target,
)

LOG_PROBABILITIES, STEP_RIGHT, STEP_COUNT = "log_probabilities", "step_right", "step_count"


@dataclass(frozen=True)
class ClassLevel(ScoredLevel):
    """A level of classes.

    Attributes:
        level: the pooled predictions.
        factors: of the joint class.
    """

    level: Level
    factors: tuple[LabelFactor, ...]

    def figures(self, bootstrap: Bootstrap) -> pd.DataFrame:
        """See `lengthwise.evaluation.metrics.figures_of_level`."""
        return metrics.figures_of_level(self.level, self.factors, bootstrap)

    def item_scores(self) -> dict[str, np.ndarray]:
        """Of each metric."""
        return metrics.item_scores(self.level, self.factors)

    def values(self) -> dict[str, float]:
        """The means of those."""
        return {name: float(scores.mean()) for name, scores in self.item_scores().items()}


@dataclass(frozen=True)
class ClassScoring(ItemScoring):
    """Of one joint class of label factors.

    Sequences have the column `label`, int (S,). Predictions have `log_probabilities`, float (S, C), of the joint
    classes; with `step_right` and `step_count`, int (T,), right predictions and all of them at each time step, there is
    a table of them.

    Levels: those of the items that have the same class throughout. See `lengthwise.evaluation.metrics`.

    Attributes:
        factors: of the joint class.
    """

    factors: tuple[LabelFactor, ...]

    @property
    def metrics(self) -> Sequence[Metric]:  # type: ignore[override]
        """Those of classes."""
        return metrics.METRICS

    def targets(self, sequences: Sequences) -> np.ndarray:
        """Joint classes."""
        return sequences[LABEL]

    def pooled(self, predictions: PredictedColumns, items: Items) -> PredictedColumns:
        """The mean of the log-probabilities, made a distribution again."""
        return {LOG_PROBABILITIES: pool(items, predictions[LOG_PROBABILITIES]).log_probabilities}

    def level(self, items: Items, targets: np.ndarray, predictions: PredictedColumns) -> ClassLevel:
        """A level of classes."""
        scored = Level(items.name, predictions[LOG_PROBABILITIES], targets.astype(np.int64), items.author)
        return ClassLevel(items.name, items.author, scored, self.factors)

    def tables(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> dict[str, pd.DataFrame]:
        """`confusion_<level>.csv`, `by_length.csv`, and `by_step.csv` where steps are counted."""
        names = joint_class_names(self.factors)
        tables = {}
        for of in with_one_target(items, sequences[LABEL]):
            level = pool(of, predictions[LOG_PROBABILITIES])
            predicted = level.log_probabilities.argmax(axis=1)
            tables[f"confusion_{of.name}.csv"] = confusion(names, level.labels, predicted)
        right = predictions[LOG_PROBABILITIES].argmax(axis=1) == sequences[LABEL]
        frame = pd.DataFrame({"length": sequences.lengths, "accuracy": right.astype(float)})
        tables["by_length.csv"] = frame.groupby("length")["accuracy"].agg(count="count", accuracy="mean").reset_index()
        if STEP_COUNT in predictions:
            count = predictions[STEP_COUNT]
            step = np.flatnonzero(count)
            accuracy = predictions[STEP_RIGHT][step] / count[step]
            tables["by_step.csv"] = pd.DataFrame({"step": step + 1, "count": count[step], "accuracy": accuracy})
        return tables

    def kept(self, sequences: Sequences, predictions: PredictedColumns) -> Sequences:
        """The right classes and the log-probabilities of all, a column each."""
        scores = predictions[LOG_PROBABILITIES].T
        columns = {f"log_probability_{number}": column for number, column in enumerate(scores)}
        return kept_columns(sequences, per_sequence={LABEL: sequences[LABEL], **columns})

    def from_kept(self, kept: Sequences) -> PredictedColumns:
        """The log-probabilities."""
        classes = len(joint_class_names(self.factors))
        return {LOG_PROBABILITIES: np.stack([kept[f"log_probability_{number}"] for number in range(classes)], axis=1)}
