"""Features of the items of a level: all of them in memory, or part by part where they would take too much of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_matrix

from lengthwise.evaluation.baseline_task import BaselineTask, SplitItems
from lengthwise.evaluation.item_features import FeatureRows, ItemFeatures
from lengthwise.evaluation.item_parts import FeatureBytes, ItemParts, level_bytes
from lengthwise.evaluation.levels import Items

MIB = 1 << 20


@dataclass(frozen=True)
class RowsInParts:
    """Rows of features that are made again each time that they are asked for, a part of them at a time.

    Attributes:
        features: what makes them.
        parts: of which items.
    """

    features: ItemFeatures
    parts: ItemParts

    @property
    def shape(self) -> tuple[int, ...]:
        """How many rows there are, as arrays say it."""
        return (len(self.parts.items.labels),)

    def in_order(self, order: Sequence[int] | np.ndarray) -> Iterator[tuple[np.ndarray, FeatureRows]]:
        """Of each of these parts the numbers of its items, and their rows."""
        for number in order:
            yield self.parts.members[number], self.features.rows(*self.parts.part(int(number)))

    def __iter__(self) -> Iterator[tuple[np.ndarray, FeatureRows]]:
        return self.in_order(range(len(self.parts)))


# What a linear model is fitted to, or asked about.
ModelRows: TypeAlias = FeatureRows | RowsInParts


@dataclass(frozen=True)
class LevelRows:
    """Features of the items of a level.

    Attributes:
        training: of training items.
        asked: of those of each split that is asked about.
        megabytes: what they take if all are in memory, estimated, in MiB.
    """

    training: ModelRows
    asked: list[ModelRows]
    megabytes: int

    @property
    def in_parts(self) -> bool:
        """Whether they would take more than is allowed."""
        return isinstance(self.training, RowsInParts)


def rows_of_level(
    task: BaselineTask,
    training: SplitItems,
    known: Items,
    asked: Sequence[SplitItems],
    *,
    weighted: bool,
    lengths: bool,
    grams: csr_matrix | None = None,
) -> LevelRows:
    """Features of a level, part by part if all of them would take more than `memory_mb` of the linear options.

    Args:
        task: whose inputs are read.
        training: by which features are weighted and standardized.
        known: its items.
        asked: splits that are asked about.
        weighted: see `ItemFeatures`.
        lengths: see `ItemFeatures`.
        grams: see `ItemFeatures`.
    """
    inputs, memory = task.inputs, task.options.linear.memory_mb
    place = [items.name for items in training.items].index(known.name)
    splits = [(training.sequences, known), *((split.sequences, split.items[place]) for split in asked)]
    needed = level_bytes([FeatureBytes.of(inputs, *split, grams) for split in splits])
    megabytes = -(-needed // MIB)
    if memory is None or megabytes <= memory:
        features = ItemFeatures(inputs, training.sequences, known, weighted=weighted, lengths=lengths, grams=grams)
        rows = [features.rows(*split) for split in splits[1:]]
        return LevelRows(features.rows(training.sequences, known), [*rows], megabytes)
    # One item more than half of it may be in a part.
    most = memory * MIB // 2
    parts = [
        ItemParts.within(inputs, *split, most, shuffled=not number, grams=grams) for number, split in enumerate(splits)
    ]
    features = ItemFeatures(
        inputs, training.sequences, known, weighted=weighted, lengths=lengths, grams=grams, parts=parts[0]
    )
    of_training, *others = (RowsInParts(features, of_split) for of_split in parts)
    return LevelRows(of_training, [*others], megabytes)


def predict_rows(predict: Callable[[FeatureRows], np.ndarray], rows: ModelRows) -> np.ndarray:
    """What a model says of rows, however they come: (N, ...)."""
    if not isinstance(rows, RowsInParts):
        return predict(rows)
    found: np.ndarray | None = None
    for members, part in rows:
        of_part = predict(part)
        if found is None:
            found = np.empty((rows.shape[0], *of_part.shape[1:]), of_part.dtype)
        found[members] = of_part
    assert found is not None
    return found
