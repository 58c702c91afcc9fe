"""What a task is scored by, in one place: each kind of prediction is a class of its own."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.metric import Metric
from lengthwise.evaluation.ratios import Ratio, interval_table, sums_by
from lengthwise.evaluation.resampling import Bootstrap

# Arrays by name: which ones, each kind of scoring says.
PredictedColumns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ScoredLevel(ABC):
    """What the predictions for the N items of a level are worth.

    Attributes:
        name: of what is counted: the word for a step, an entity, a sequence or what sequences are parts of.
        group: int64 (N,), what each item is held out with.
    """

    name: str
    group: np.ndarray

    @abstractmethod
    def figures(self, bootstrap: Bootstrap) -> pd.DataFrame:
        """All figures with their intervals: columns metric, value, low, high."""

    @abstractmethod
    def item_scores(self) -> dict[str, np.ndarray]:
        """By metric what each item adds to it, float64 (N,), whose mean is the figure; for paired differences."""

    @abstractmethod
    def values(self) -> dict[str, float]:
        """The metrics by name, without intervals."""


@dataclass(frozen=True)
class RatioLevel(ScoredLevel):
    """A level whose figures are ratios of sums over its items.

    Attributes:
        judged: the metrics.
        reported: figures by which nothing is judged, such as the recall of each class.
    """

    judged: Mapping[str, Ratio]
    reported: Mapping[str, Ratio]

    def figures(self, bootstrap: Bootstrap) -> pd.DataFrame:
        """The metrics, then what is reported."""
        return interval_table({**self.judged, **self.reported}, self.group, bootstrap)

    def item_scores(self) -> dict[str, np.ndarray]:
        """Of the metrics that are known."""
        return {name: self.judged[name].item_scores() for name in self.values()}

    def values(self) -> dict[str, float]:
        """Of the metrics that are known."""
        values = {name: ratio.value for name, ratio in self.judged.items()}
        return {name: value for name, value in values.items() if np.isfinite(value)}


class TaskScoring(ABC):
    """A kind of prediction: of classes, tags, numbers, labels or the next token.

    A subclass says in its docstring which columns of the sequences it reads, and which arrays predictions have.

    Attributes:
        metrics: what models are judged by.
    """

    metrics: Sequence[Metric]

    @abstractmethod
    def levels(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> Sequence[ScoredLevel]:
        """What is scored, the finest level first.

        Args:
            sequences: of one split.
            predictions: of these sequences.
            items: of each level, see `lengthwise.evaluation.levels.items_of`; the first are of the shards' unit.
        """

    @abstractmethod
    def tables(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> dict[str, pd.DataFrame]:
        """By the name of a file, what plots draw: figures by length, by step, by class."""

    @abstractmethod
    def kept(self, sequences: Sequences, predictions: PredictedColumns) -> Sequences:
        """The sequences with what is right and what was predicted, and no more: what a file of predictions holds."""

    @abstractmethod
    def from_kept(self, kept: Sequences) -> PredictedColumns:
        """The predictions that `kept` holds."""

    def judged(self, of: Any, described: Any, level: str) -> dict[str, Ratio]:  # noqa: ANN401 - the metrics' own.
        """The metrics of a level, of which each item has a count of one where the metric says no other."""
        found = [metric.per_item(of, described) for metric in self.metrics if metric.at in ("", level)]
        return {name: as_ratio(score) for scores in found for name, score in scores.items()}


class ItemScoring(TaskScoring):
    """A kind of prediction that is made of whole sequences, and of what they are parts of by pooling."""

    @abstractmethod
    def targets(self, sequences: Sequences) -> np.ndarray:
        """What is right for each sequence: (S, ...)."""

    @abstractmethod
    def pooled(self, predictions: PredictedColumns, items: Items) -> PredictedColumns:
        """Predictions for items, a row each, from those for the sequences that they consist of."""

    @abstractmethod
    def level(self, items: Items, targets: np.ndarray, predictions: PredictedColumns) -> ScoredLevel:
        """What predictions for items are worth.

        Args:
            items: N of them.
            targets: (N, ...), what is right.
            predictions: of the items, a row each.
        """

    def levels(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> Sequence[ScoredLevel]:
        """Those of the items that have one target each, from the shards' unit upwards."""
        return self.levels_of(sequences, items, lambda of: self.pooled(predictions, of))

    def levels_of(
        self, sequences: Sequences, items: Sequence[Items], predicted: Callable[[Items], PredictedColumns | None]
    ) -> Sequence[ScoredLevel]:
        """The levels of predictions that are made for each by itself.

        Args:
            sequences: of one split.
            items: of each level.
            predicted: the predictions for the items of a level, None if there are none.
        """
        targets = self.targets(sequences)
        found = []
        for of in with_one_target(items, targets):
            if (predictions := predicted(of)) is not None:
                _, first = np.unique(of.group, return_index=True)
                found.append(self.level(of, targets[first], predictions))
        return found


def means_of_items(values: np.ndarray, items: Items) -> np.ndarray:
    """The mean over the sequences of each item: float64 (N, K) of (S, K)."""
    found: np.ndarray = sums_by(items.group, np.asarray(values, np.float64))
    return found / np.bincount(items.group)[:, np.newaxis]


def as_ratio(score: np.ndarray | Ratio) -> Ratio:
    """A mean over items as a ratio."""
    if isinstance(score, Ratio):
        return score
    return Ratio(score, np.ones(len(score)))


def group_of_sequences(items: Sequence[Items]) -> np.ndarray:
    """What each sequence is held out with: int64 (S,)."""
    group: np.ndarray = items[0].author[items[0].group]
    return group


def with_one_target(items: Sequence[Items], targets: np.ndarray) -> list[Items]:
    """The levels of which each item has one target: what is said of an author's messages may be nothing of the author.

    Args:
        items: of each level.
        targets: (S, ...), what is right for each sequence.
    """
    rows = targets.reshape(len(targets), -1)

    def is_one(level: Items) -> bool:
        _, first = np.unique(level.group, return_index=True)
        return bool((rows[first][level.group] == rows).all())

    return [level for level in items if is_one(level)]


def steps_to_sequences(sequences: Sequences, of_steps: np.ndarray) -> np.ndarray:
    """Sums over the steps of each sequence.

    Args:
        sequences: S of them, of N steps.
        of_steps: (N,) or (N, K), numbers or truth values.

    Returns:
        float64 (S,) or (S, K).
    """
    row = np.repeat(np.arange(len(sequences)), sequences.lengths)
    columns = of_steps.reshape(len(of_steps), -1).T
    sums = np.stack([np.bincount(row, column, minlength=len(sequences)) for column in columns], axis=1)
    return sums.reshape(len(sequences), *of_steps.shape[1:])


def kept_columns(
    sequences: Sequences,
    per_step: Mapping[str, np.ndarray] | None = None,
    per_sequence: Mapping[str, np.ndarray] | None = None,
) -> Sequences:
    """The sequences with these columns in the place of theirs, beside what says which sequence each is."""
    ids = {name: sequences[name] for name in ID_COLUMNS if name in sequences.per_sequence}
    return replace(sequences, per_step=per_step or {}, per_sequence={**ids, **(per_sequence or {})}, classes={})


# What says which sequence of the corpus a sequence is.
ID_COLUMNS = ("sequence", "document", "author", "group")
