"""Scores of several labels, each yes or no."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lengthwise.core.sequences import LABELS, Sequences
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.metric import Metric
from lengthwise.evaluation.ratios import Ratio
from lengthwise.evaluation.scoring.strata import by_key, class_table, group_table, in_ranges
from lengthwise.evaluation.scoring.task_scoring import (
    ItemScoring,
    PredictedColumns,
    RatioLevel,
    as_ratio,
    group_of_sequences,
    kept_columns,
    means_of_items,
)

LOGITS = "logits"


@dataclass(frozen=True)
class PredictedLabels:
    """The L labels of N items.

    Attributes:
        right: bool (N, L), which are yes.
        logits: float64 (N, L), the logarithm of the odds of yes, which is predicted above zero.
    """

    right: np.ndarray
    logits: np.ndarray


def _subset(of: PredictedLabels, _: object) -> dict[str, np.ndarray]:
    return {"accuracy": ((of.logits > 0) == of.right).all(axis=1)}


def _f1(of: PredictedLabels, _: object) -> dict[str, Ratio]:
    said = of.logits > 0
    return {"label_f1": Ratio(2.0 * (said & of.right), said.astype(float) + of.right)}


def _nats(of: PredictedLabels, _: object) -> dict[str, np.ndarray]:
    return {"nll": np.logaddexp(0, np.where(of.right, -of.logits, of.logits)).mean(axis=1)}


@dataclass(frozen=True)
class LabelScoring(ItemScoring):
    """Of several labels, each yes or no, in a column per sequence.

    Sequences have the column `labels`, int (S, L), 1 for yes and 0 for no. Predictions have `logits`, float (S, L), the
    logarithm of the odds of yes.

    Levels: those of the items that have the same labels throughout; a pooled prediction is the mean of the logits.
    Figures: accuracy, the share of items that have all labels right (subset accuracy); label_f1, the mean over labels
    of F1 (macro-F1); nll, nats of a label; of each label its accuracy and F1 (`accuracy <label>`, `f1 <label>`), and
    label_share, the share of all labels that are right.

    Attributes:
        names: of the L labels.
    """

    names: tuple[str, ...]

    metrics = (
        Metric("accuracy", _subset, 1, 0.01),
        Metric("label_f1", _f1, 1, 0.01),
        Metric("nll", _nats, -1, 0.02, finest=True),
    )

    def targets(self, sequences: Sequences) -> np.ndarray:
        """The right labels."""
        return sequences[LABELS]

    def pooled(self, predictions: PredictedColumns, items: Items) -> PredictedColumns:
        """The mean of the logits."""
        return {LOGITS: means_of_items(predictions[LOGITS], items)}

    def level(self, items: Items, targets: np.ndarray, predictions: PredictedColumns) -> RatioLevel:
        """A level of labels."""
        of = PredictedLabels(targets > 0, np.asarray(predictions[LOGITS], np.float64))
        return RatioLevel(items.name, items.author, self.judged(of, self, items.name), self._of_labels(of))

    def tables(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> dict[str, pd.DataFrame]:
        """`by_class.csv`, `by_length.csv` and `by_group.csv` of sequences."""
        of = PredictedLabels(sequences[LABELS] > 0, np.asarray(predictions[LOGITS], np.float64))
        said = of.logits > 0
        shares = {
            "accuracy": as_ratio(_subset(of, self)["accuracy"]),
            "label_share": self._of_labels(of)["label_share"],
        }
        counts = [each.sum(axis=0) for each in (said & of.right, of.right, said)]
        return {
            "by_class.csv": class_table(self.names, *counts),
            "by_length.csv": by_key("length", in_ranges(sequences.lengths), shares),
            **group_table(group_of_sequences(items), np.arange(len(sequences)), shares),
        }

    def kept(self, sequences: Sequences, predictions: PredictedColumns) -> Sequences:
        """The right labels and the logits."""
        logits = predictions[LOGITS].astype(np.float32)
        return kept_columns(sequences, per_sequence={LABELS: sequences[LABELS], LOGITS: logits})

    def from_kept(self, kept: Sequences) -> PredictedColumns:
        """The logits."""
        return {LOGITS: kept[LOGITS]}

    def _of_labels(self, of: PredictedLabels) -> dict[str, Ratio]:
        said = of.logits > 0
        right = (said == of.right).astype(float)
        items = np.ones(len(right))
        found = {"label_share": Ratio(right.mean(axis=1), items)}
        for place, name in enumerate(self.names):
            yes = said[:, place].astype(float) + of.right[:, place]
            found[f"accuracy {name}"] = Ratio(right[:, place], items)
            found[f"f1 {name}"] = Ratio(2.0 * (said & of.right)[:, place], yes)
        return found
