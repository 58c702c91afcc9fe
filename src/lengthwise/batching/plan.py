"""A plan: a whole epoch of batches, from lengths alone, before any token is touched.

A *span* `(sequence, start, stop)` is a piece of one sequence. A *row* of a batch is a list of spans, one after
another. A *plan* holds all spans of an epoch as columns, so that ten million sequences are six arrays.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from lengthwise.bounds import Count, check_fields
from lengthwise.core.ragged import offsets_of, places_in_runs
from lengthwise.errors import ArgumentError

# What a strategy's plain `int` stands for.
SETTING = {int: Count}


@dataclass(frozen=True)
class Plan:
    """All batches of an epoch; spans are ordered by batch, row and column.

    Attributes:
        sequence: int32 (N,), which sequence a span is of.
        start: int32 (N,), its first token; a row's state is reset where this is 0, and carried on where not.
        stop: int32 (N,), one past its last.
        batch: int32 (N,), the batch it is in.
        row: int32 (N,), the row of the batch.
        column: int32 (N,), where it begins in the row, in steps.
        least_width: steps that every batch has at least, padded ones included.
    """

    sequence: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    batch: np.ndarray
    row: np.ndarray
    column: np.ndarray
    least_width: int = 0

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where each batch's spans begin: int64 (batches + 1,)."""
        batches = int(self.batch[-1]) + 1 if len(self.batch) else 0
        return np.searchsorted(self.batch, np.arange(batches + 1))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def rows(self) -> np.ndarray:
        """Rows in each batch: int64 (batches,)."""
        return self._largest(self.row + 1)

    @property
    def widths(self) -> np.ndarray:
        """Steps that each batch is wide: int64 (batches,)."""
        return np.maximum(self._largest(self.column + self.stop - self.start), self.least_width)

    @property
    def steps(self) -> np.ndarray:
        """Steps with a token in each batch: int64 (batches,)."""
        tokens = offsets_of(self.stop - self.start)
        return np.diff(tokens[self.offsets])

    def _largest(self, values: np.ndarray) -> np.ndarray:
        if not len(self):
            return np.zeros(0, np.int64)
        return np.maximum.reduceat(values, self.offsets[:-1]).astype(np.int64)


@dataclass(frozen=True)
class Strategy(ABC):
    """A way to batch: a frozen dataclass whose fields are whole numbers from 1, see `lengthwise.batching.sizes`.

    A subclass writes `_plan`.

    Attributes:
        packs: whether a row may hold several sequences, one after another.
        cuts: whether a sequence may be cut into windows, in successive batches, its state carried on.
        counts_sequences: whether the number of batches depends on that of the sequences alone, not on their lengths.
        pads: whether rows may be filled up, as they are where a batch has several.

    Raises:
        ArgumentError: a field is no whole number from 1, or above its bound; it is a `ValueError`.
    """

    packs: ClassVar[bool] = False
    cuts: ClassVar[bool] = False
    counts_sequences: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self, SETTING)

    @property
    def pads(self) -> bool:  # noqa: D102 - see the class.
        return getattr(self, "batch_size", None) != 1

    def plan(self, lengths: ArrayLike, rng: np.random.Generator | None = None) -> Plan:
        """Plan one epoch; every epoch has the same number of batches.

        Args:
            lengths: int (S,), steps of each sequence, each at least 1: an array or a list.
            rng: the only source of chance; by default `epoch_rng(0, 0)`.

        Raises:
            ArgumentError: the lengths are no whole numbers from 1, or the strategy has no batch for one of them.
        """
        checked = checked_lengths(lengths)
        self.check_lengths(checked)
        return self._plan(checked, epoch_rng(0, 0) if rng is None else rng)

    def check_lengths(self, lengths: np.ndarray) -> None:  # noqa: B027 - most strategies have a batch for any length.
        """Reject lengths int (S,) for which there is no batch.

        Raises:
            ArgumentError: there is none for one of them; it is a `ValueError`.
        """

    @abstractmethod
    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        """Plan one epoch of lengths that were checked."""


def checked_lengths(lengths: ArrayLike, name: str = "lengths") -> np.ndarray:
    """Lengths as an array of whole numbers from 1: int (S,).

    Args:
        lengths: an array or a list.
        name: of the argument, for what is raised.

    Raises:
        ArgumentError: they are something else; it is a `ValueError`.
    """
    try:
        array = np.asarray(lengths)
    except ValueError:  # Lists of different lengths.
        array = np.zeros((1, 1))
    if array.shape == (0,):
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        got = f"got {array.dtype} of shape {array.shape}" if array.size != 1 or array.ndim < 2 else "got nested lists"
        raise ArgumentError(name, f"{got}; expected whole numbers, one for each sequence")
    shortest = int(array.argmin())
    if array[shortest] < 1:
        raise ArgumentError(
            name, f"got {array[shortest]} for sequence {shortest}; expected 1 or more", "leave empty sequences out"
        )
    return array


def epoch_rng(seed: int, epoch: int) -> np.random.Generator:
    """The generator of an epoch: the order is a pure function of these two, so resuming needs no replay."""
    return np.random.default_rng([seed, epoch])


def smallest_type(values: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 in the smallest unsigned type that holds them: NumPy sorts 16 bits by radix."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def order_with_random_ties(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The order that sorts whole numbers from 0, equal ones in random order: int64 (S,)."""
    shuffled = rng.permutation(len(values))
    return shuffled[np.argsort(smallest_type(values)[shuffled], kind="stable")]


def plan_of_batches(groups: np.ndarray, members: np.ndarray, lengths: np.ndarray) -> Plan:
    """A plan whose rows hold one whole sequence each.

    Args:
        groups: int (S,), the batch of each member; never falls, no batch is left out.
        members: int (S,), the sequences in the order of their rows.
        lengths: int (S,), tokens of each sequence, by sequence.
    """
    zeros = np.zeros(len(members), np.int32)
    return Plan(
        sequence=members.astype(np.int32),
        start=zeros,
        stop=lengths[members].astype(np.int32),
        batch=groups.astype(np.int32),
        row=places_in_runs(groups).astype(np.int32),
        column=zeros,
    )


def batches_in_order(lengths: np.ndarray, order: np.ndarray, batch_size: int) -> Plan:
    """Cut sequences, in a given order, into batches of `batch_size`, the last perhaps smaller."""
    return plan_of_batches(np.arange(len(order)) // batch_size, order, lengths)


def batches_within_groups(group: np.ndarray, lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> Plan:
    """Batches of sequences of one group each, the members of a group and the order of the batches random.

    Args:
        group: int (S,), the group of each sequence, from 0.
        lengths: int (S,), tokens of each sequence.
        batch_size: rows in a batch; the last batch of each group may have fewer.
        rng: the only source of chance.
    """
    order = order_with_random_ties(group, rng)
    return plan_of_shuffled_batches(places_in_runs(group[order]) % batch_size == 0, order, lengths, rng)


def plan_of_shuffled_batches(
    begins: np.ndarray, members: np.ndarray, lengths: np.ndarray, rng: np.random.Generator
) -> Plan:
    """Cut sequences, in a given order, into batches, and put the batches into random order.

    Args:
        begins: bool (S,), whether a member is the first of a batch; the first one is.
        members: int (S,), the sequences in the order of their rows.
        lengths: int (S,), tokens of each sequence, by sequence.
        rng: the only source of chance.
    """
    rank = rng.permutation(begins.sum())[np.cumsum(begins) - 1]
    by_rank = np.argsort(smallest_type(rank), kind="stable")
    return plan_of_batches(rank[by_rank], members[by_rank], lengths)
