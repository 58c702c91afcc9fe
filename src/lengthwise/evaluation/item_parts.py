"""Items in parts, so that the features of a part, and never of all items, are in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.evaluation.input_columns import InputColumns
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.step_windows import as_columns

# Measured by tracemalloc on items in which no token comes twice: bytes of a count in a sparse row and of a feature that
# is a number, with its copies; and beside them, while rows are made, of each counted value, of a step, of each of its
# numbers, and of a value that is taken from all sequences.
COUNT_BYTES, NUMBER_BYTES = 12, 32
COUNTING_BYTES, STEP_BYTES, STEP_NUMBER_BYTES, TAKEN_BYTES = 36, 16, 24, 16
# While rows are made, of a count of an n-gram, which is then copied beside the others.
GRAM_BYTES = 20
# Sequences whose n-grams are counted at once.
COUNTED_AT_ONCE = 4096
# What the statistics of a number are, and the length of an item.
DENSE_OF_NUMBER, DENSE_OF_ITEM = 6, 1
# Of the order in which training items come.
PARTS_SEED = 0


@dataclass(frozen=True)
class FeatureBytes:
    """What rows of features take, estimated from counts before any is made; each float64 (N,), of N items.

    Attributes:
        held: bytes of the rows of each item.
        making: bytes that are needed beside while they are made.
    """

    held: np.ndarray
    making: np.ndarray

    @classmethod
    def of(
        cls, inputs: InputColumns, sequences: Sequences, items: Items, grams: csr_matrix | None = None
    ) -> "FeatureBytes":
        """Of the rows that `ItemFeatures.rows` makes.

        Args:
            inputs: the columns that are read.
            sequences: those of the items.
            items: N of them.
            grams: n-grams of characters that tokens have, see `lengthwise.evaluation.character_grams`.
        """
        steps = np.bincount(items.group, sequences.lengths, minlength=len(items.labels))
        counted = sum(as_columns(sequences[name]).shape[1] for name in inputs.counted)
        numbers = sum(as_columns(sequences[name]).shape[1] for name in inputs.numbers)
        dense = NUMBER_BYTES * (DENSE_OF_NUMBER * numbers + DENSE_OF_ITEM)
        making = COUNTING_BYTES * counted + (STEP_BYTES + STEP_NUMBER_BYTES * numbers) * bool(numbers)
        held, beside = COUNT_BYTES * counted * steps + dense, making * steps
        if grams is not None:
            values = gram_values(sequences, items, grams)
            held, beside = held + COUNT_BYTES * values, beside + GRAM_BYTES * values
        return cls(held, beside)


def level_bytes(splits: Sequence[FeatureBytes]) -> int:
    """What it takes to make the rows of several splits one after another and to hold all of them, in bytes."""
    return int(sum(of.held.sum() for of in splits) + max(of.making.sum() for of in splits))


def gram_values(sequences: Sequences, items: Items, grams: csr_matrix) -> np.ndarray:
    """At most so many n-grams of characters each item has: float64 (N,).

    Args:
        sequences: those of the items.
        items: N of them.
        grams: (V, G), see `lengthwise.evaluation.character_grams`.
    """
    of_token, of_sequence = np.diff(grams.indptr), np.empty(len(sequences))
    for begin in range(0, len(sequences), COUNTED_AT_ONCE):
        offsets = sequences.offsets[begin : begin + COUNTED_AT_ONCE + 1]
        before = offsets_of(of_token[sequences[TOKENS][offsets[0] : offsets[-1]]])
        of_sequence[begin : begin + COUNTED_AT_ONCE] = np.diff(before[offsets - offsets[0]])
    return np.minimum(np.bincount(items.group, of_sequence, minlength=len(items.labels)), grams.shape[1])


@dataclass(frozen=True)
class ItemParts:
    """The items of a split in parts.

    Attributes:
        sequences: of the split, with the columns that are read.
        items: of a level.
        members: of each part the numbers of its items, rising: int64.
    """

    sequences: Sequences
    items: Items
    members: Sequence[np.ndarray]

    @classmethod
    def within(
        cls,
        inputs: InputColumns,
        sequences: Sequences,
        items: Items,
        most_bytes: int,
        *,
        shuffled: bool = False,
        grams: csr_matrix | None = None,
    ) -> "ItemParts":
        """Cut items into parts whose features take no more than some memory; an item by itself is not cut.

        Args:
            inputs: the columns that are read.
            sequences: those of the items.
            items: of a level.
            most_bytes: what the features of a part may take while they are made, but for one item more.
            shuffled: whether items come in a random order, the same each time, and not in their own: sequences are
                sorted by length, so that a part would be of one length.
            grams: see `FeatureBytes.of`.
        """
        takes = FeatureBytes.of(inputs, sequences, items, grams)
        read = Sequences(sequences.offsets, {name: sequences[name] for name in inputs.names})
        taken = TAKEN_BYTES * sum(as_columns(values).shape[1] for values in read.per_step.values())
        steps = np.bincount(items.group, sequences.lengths, minlength=len(items.labels))
        count = len(items.labels)
        order = np.random.default_rng(PARTS_SEED).permutation(count) if shuffled else np.arange(count)
        sizes = (takes.held + takes.making + taken * steps)[order]
        part = np.floor((np.cumsum(sizes) - sizes) / most_bytes)
        cuts = np.flatnonzero(np.diff(part)) + 1
        return cls(read, items, [np.sort(members) for members in np.split(order, cuts)])

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[tuple[Sequences, Items]]:
        return (self.part(number) for number in range(len(self)))

    def part(self, number: int) -> tuple[Sequences, Items]:
        """The sequences of a part, and its items as if there were no others."""
        order, begins = self._sequences_of
        rows, members = order[begins[number] : begins[number + 1]], self.members[number]
        group = np.searchsorted(members, self.items.group[rows])
        items = Items(self.items.name, group, self.items.labels[members], self.items.author[members])
        return self.sequences.take(rows), items

    @cached_property
    def _sequences_of(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of all sequences, part by part, and where each part begins."""
        part = np.empty(len(self.items.labels), np.int32)
        for number, members in enumerate(self.members):
            part[members] = number
        of_sequence = part[self.items.group]
        counts = np.bincount(of_sequence, minlength=len(self))
        return np.argsort(of_sequence, kind="stable"), offsets_of(counts)
