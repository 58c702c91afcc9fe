"""Scores of a tagger: a class of its own at every step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.metric import Metric
from lengthwise.evaluation.ratios import Ratio
from lengthwise.evaluation.scoring.entities import EntityScheme
from lengthwise.evaluation.scoring.strata import by_key, class_table, confusion, group_table, in_ranges
from lengthwise.evaluation.scoring.task_scoring import (
    PredictedColumns,
    RatioLevel,
    TaskScoring,
    group_of_sequences,
    kept_columns,
    steps_to_sequences,
)

STEP, ENTITY = "step", "entity"
PREDICTED, LOG_PROBABILITY = "predicted", "log_probability"


@dataclass(frozen=True)
class TaggedSequences:
    """What a tagger got right, summed over the steps of each of S sequences.

    Attributes:
        steps: float64 (S,), steps.
        right: float64 (S,), steps that are right.
        nats: float64 (S,), negative log-likelihood of the right tags.
        entities: float64 (3, S, E), entities of each type: right, there, predicted; None if tags are of no entities.
    """

    steps: np.ndarray
    right: np.ndarray
    nats: np.ndarray
    entities: np.ndarray | None


def _of_steps(of: TaggedSequences, _: object) -> dict[str, Ratio]:
    return {"accuracy": Ratio(of.right, of.steps)}


def _nats_of_steps(of: TaggedSequences, _: object) -> dict[str, Ratio]:
    return {"nll": Ratio(of.nats, of.steps)}


def _entity_f1(of: TaggedSequences, _: object) -> dict[str, Ratio]:
    if of.entities is None:
        return {}
    right, there, predicted = of.entities.sum(axis=2)
    return {"f1": Ratio(2 * right, there + predicted)}


@dataclass(frozen=True)
class TagScoring(TaskScoring):
    """Of tags in a column per step.

    Sequences have the column `column`, int (N,). Predictions have `predicted`, int (N,), the likeliest class at each
    step, and `log_probability`, float (N,), of the right class there.

    Levels: `step`, with accuracy, nll (nats), macro_f1 and the recall of each class; `entity`, if tags are of entities
    (`lengthwise.evaluation.scoring.entities`), with f1, precision and recall over all types and each type's f1; and the
    sequences, of which those are right that have all tags right.

    Attributes:
        column: which is predicted.
        classes: names of the C tags.
    """

    column: str
    classes: tuple[str, ...]

    metrics = (
        Metric("accuracy", _of_steps, 1, 0.01, at=STEP),
        Metric("nll", _nats_of_steps, -1, 0.02, finest=True, at=STEP),
        Metric("f1", _entity_f1, 1, 0.01, at=ENTITY),
    )

    def levels(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> Sequence[RatioLevel]:
        """Of steps, of entities, and of whole sequences."""
        scheme = EntityScheme.of(self.classes)
        group = group_of_sequences(items)
        of = self._summed(sequences, predictions, scheme)
        levels = [RatioLevel(STEP, group, self.judged(of, self, STEP), self._by_class(sequences, predictions))]
        if scheme is not None and of.entities is not None:
            judged = self.judged(of, self, ENTITY)
            levels.append(RatioLevel(ENTITY, group, judged, _entity_figures(of.entities, scheme)))
        whole = {"accuracy": Ratio((of.right == of.steps).astype(float), np.ones(len(sequences)))}
        levels.append(RatioLevel(items[0].name, group, whole, {}))
        return levels

    def tables(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> dict[str, pd.DataFrame]:
        """`confusion_step.csv`, `by_{class,length,step,group}.csv`, and `by_entity.csv` if tags are of entities."""
        actual, predicted = sequences[self.column], predictions[PREDICTED]
        right = actual == predicted
        counts = [np.bincount(of, minlength=len(self.classes)) for of in (actual[right], actual, predicted)]
        step = np.arange(len(actual)) - np.repeat(sequences.offsets[:-1], sequences.lengths) + 1
        steps = Ratio(right.astype(float), np.ones(len(right)))
        row = np.repeat(np.arange(len(sequences)), sequences.lengths)
        tables = {
            "confusion_step.csv": confusion(self.classes, actual, predicted),
            "by_class.csv": class_table(self.classes, *counts),
            "by_length.csv": by_key("length", in_ranges(sequences.lengths[row]), {"accuracy": steps}),
            "by_step.csv": by_key("step", in_ranges(step), {"accuracy": steps}),
            **group_table(group_of_sequences(items), row, {"accuracy": steps}),
        }
        if scheme := EntityScheme.of(self.classes):
            entities = scheme.counts(actual, predicted, sequences.offsets).sum(axis=1)
            tables["by_entity.csv"] = class_table(scheme.types, *entities)
        return tables

    def kept(self, sequences: Sequences, predictions: PredictedColumns) -> Sequences:
        """The right tags, the predicted ones, and the log-probabilities of the right ones."""
        return kept_columns(
            sequences,
            {
                self.column: sequences[self.column],
                PREDICTED: predictions[PREDICTED].astype(np.int32),
                LOG_PROBABILITY: predictions[LOG_PROBABILITY].astype(np.float32),
            },
        )

    def from_kept(self, kept: Sequences) -> PredictedColumns:
        """Both arrays."""
        return {name: kept[name] for name in (PREDICTED, LOG_PROBABILITY)}

    def _summed(
        self, sequences: Sequences, predictions: PredictedColumns, scheme: EntityScheme | None
    ) -> TaggedSequences:
        right = sequences[self.column] == predictions[PREDICTED]
        return TaggedSequences(
            sequences.lengths.astype(float),
            steps_to_sequences(sequences, right),
            -steps_to_sequences(sequences, predictions[LOG_PROBABILITY].astype(float)),
            None
            if scheme is None
            else scheme.counts(sequences[self.column], predictions[PREDICTED], sequences.offsets).astype(float),
        )

    def _by_class(self, sequences: Sequences, predictions: PredictedColumns) -> dict[str, Ratio]:
        """Macro-F1, and the recall of each class that occurs."""
        actual, predicted = sequences[self.column].astype(np.int64), predictions[PREDICTED].astype(np.int64)
        row = np.repeat(np.arange(len(sequences)), sequences.lengths)
        shape = (len(sequences), len(self.classes))

        def counted(tags: np.ndarray, of: np.ndarray | slice) -> np.ndarray:
            return np.bincount(row[of] * shape[1] + tags[of], minlength=shape[0] * shape[1]).reshape(shape)

        present = np.flatnonzero(np.bincount(actual, minlength=shape[1]))
        right, there, said = (
            counted(tags, of)[:, present].astype(float)
            for tags, of in ((actual, actual == predicted), (actual, slice(None)), (predicted, slice(None)))
        )
        recalls = {
            f"recall {self.classes[number]}": Ratio(right[:, place], there[:, place])
            for place, number in enumerate(present)
        }
        return {"macro_f1": Ratio(2 * right, there + said), **recalls}


def _entity_figures(entities: np.ndarray, scheme: EntityScheme) -> dict[str, Ratio]:
    right, there, predicted = entities
    of_types = {
        f"f1 {name}": Ratio(2 * right[:, place], there[:, place] + predicted[:, place])
        for place, name in enumerate(scheme.types)
        if there[:, place].any()
    }
    totals = {
        "precision": Ratio(right.sum(axis=1), predicted.sum(axis=1)),
        "recall": Ratio(right.sum(axis=1), there.sum(axis=1)),
    }
    return {**totals, **of_types}


def of_tags(log_probabilities: np.ndarray, tags: np.ndarray) -> PredictedColumns:
    """Predictions as `TagScoring` reads them: the likeliest of C tags at N steps, and how likely the right one is.

    Args:
        log_probabilities: float (N, C).
        tags: int (N,), the right ones.
    """
    right = log_probabilities[np.arange(len(tags)), tags]
    return {PREDICTED: log_probabilities.argmax(axis=1).astype(np.int32), LOG_PROBABILITY: right}
