"""The rectangle of a batch: which step of which sequence stands where. What is padding is known from spans alone."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lengthwise.batching.plan import Plan
from lengthwise.core.ragged import ranges


@dataclass(frozen=True)
class Grid:
    """B rows of T steps, n of them with a step of a sequence, in P spans.

    Two sequences of 2 and 1 steps in one row, one of 1 step in the next:

        segments   0  0 1      resets   1 0 1      ends   0 1 1      positions   0 1 0
                   2 -1 -1              1 0 0             1 0 0                  0 0 0

    Attributes:
        shape: (B, T).
        sequence: int32 (P,), which sequence each span is of.
        start: int32 (P,), its first step in the sequence.
        count: int32 (P,), how many steps it has.
        row: int32 (P,).
        column: int32 (P,), where it begins.
        finished: bool (P,), whether it ends its sequence.
        lengths: int32 (B,), steps of each row from its first to its last.
        begins: int64 (P,), where it begins among all N steps of the sequences.
        drawn: int64 (n,), which of the N steps stand in the batch, if it is not those from where the spans begin.
    """

    shape: tuple[int, int]
    sequence: np.ndarray
    start: np.ndarray
    count: np.ndarray
    row: np.ndarray
    column: np.ndarray
    finished: np.ndarray
    lengths: np.ndarray
    begins: np.ndarray
    drawn: np.ndarray | None = None

    @cached_property
    def steps(self) -> np.ndarray:
        """Which of all N steps of the sequences stand in the batch, span by span: int64 (n,)."""
        return ranges(self.begins, self.count) if self.drawn is None else self.drawn

    @cached_property
    def places(self) -> np.ndarray:
        """Where those steps stand in the flattened rectangle: int64 (n,)."""
        return ranges(self.row.astype(np.int64) * self.shape[1] + self.column, self.count)

    def fill(self, values: np.ndarray) -> np.ndarray:
        """A value for each of the n steps, (n, ...), as (B, T, ...), 0 at padding."""
        if len(values) == self.shape[0] * self.shape[1]:
            # No step is padding, and spans stand in the order of rows and columns.
            return values.reshape(*self.shape, *values.shape[1:])
        filled = np.zeros((self.shape[0] * self.shape[1], *values.shape[1:]), values.dtype)
        filled[self.places] = values
        return filled.reshape(*self.shape, *values.shape[1:])

    def of_steps(self, column: np.ndarray) -> np.ndarray:
        """A column per step, (N, ...), as (B, T, ...), 0 at padding."""
        rows, width = self.shape
        # Where rows would begin if what is padding were steps too.
        begins = self.begins - self.column
        apart = self.drawn is not None or len(begins) > rows
        if apart or begins.min() < 0 or begins.max() + width > len(column):
            return self.fill(column.take(self.steps, axis=0))
        # One span a row: its steps stand one after another in the column too, so that each row is copied in one piece.
        shape, strides = (len(column) - width + 1, width, *column.shape[1:]), (column.strides[0], *column.strides)
        filled = as_strided(column, shape, strides, writeable=False)[begins]
        if int(self.count.sum()) < rows * width:
            flat = filled.reshape(rows * width, *column.shape[1:])
            flat[np.flatnonzero(~self.mask)] = 0
            filled = flat.reshape(filled.shape)
        return filled

    def of_sequences(self, column: np.ndarray) -> np.ndarray:
        """A column per sequence, (S, ...), at each of its steps: (B, T, ...), 0 at padding."""
        return self.fill(np.repeat(column[self.sequence], self.count, axis=0))

    @cached_property
    def mask(self) -> np.ndarray:
        """Where there is a step: bool (B, T)."""
        if len(self.row) > self.shape[0]:
            return self.fill(np.ones(len(self.steps), bool))
        steps, column = np.arange(self.shape[1], dtype=np.int32), self.column[:, np.newaxis]
        return (steps >= column) & (steps < column + self.count[:, np.newaxis])

    @cached_property
    def segments(self) -> np.ndarray:
        """The span that each step is of, -1 at padding: int32 (B, T)."""
        return self.fill(np.repeat(np.arange(1, len(self.row) + 1, dtype=np.int32), self.count)) - np.int32(1)

    @cached_property
    def resets(self) -> np.ndarray:
        """Where a sequence begins: bool (B, T)."""
        resets = np.zeros(self.shape, bool)
        fresh = self.start == 0
        resets[self.row[fresh], self.column[fresh]] = True
        return resets

    @cached_property
    def ends(self) -> np.ndarray:
        """Where a sequence ends: bool (B, T)."""
        ends = np.zeros(self.shape, bool)
        ends[self.row[self.finished], (self.column + self.count - 1)[self.finished]] = True
        return ends

    @cached_property
    def positions(self) -> np.ndarray:
        """The number of each step in its sequence, from 0: int32 (B, T)."""
        return self.fill(ranges(self.start, self.count).astype(np.int32))

    @cached_property
    def ordinals(self) -> np.ndarray:
        """The number of each step among the batch's n, from 0, -1 at padding: int32 (B, T)."""
        return self.fill(np.arange(1, len(self.steps) + 1, dtype=np.int32)) - np.int32(1)

    @cached_property
    def sequences(self) -> np.ndarray:
        """The number of the sequence that each step is of, -1 at padding: int32 (B, T)."""
        return self.fill(np.repeat(self.sequence + np.int32(1), self.count)) - np.int32(1)


def grid_of(plan: Plan, batch: int, offsets: np.ndarray, padding: str = "post") -> Grid:
    """The rectangle of one batch of a plan.

    Args:
        plan: of an epoch.
        batch: its number, from 0.
        offsets: int64 (S + 1,), where the sequences of the plan begin.
        padding: `post`, after a row's steps, or `pre`, before them.
    """
    spans = slice(plan.offsets[batch], plan.offsets[batch + 1])
    sequence, start, row, column = plan.sequence[spans], plan.start[spans], plan.row[spans], plan.column[spans]
    count = plan.stop[spans] - start
    shape = (int(row[-1]) + 1, max(int((column + count).max()), plan.least_width))
    # Each row has a span, and its last one ends last.
    lengths = (column + count)[np.append(row[1:] != row[:-1], True)].astype(np.int32)
    if padding == "pre":
        column = column + (shape[1] - lengths)[row]
    begins = offsets[sequence]
    return Grid(
        shape=shape,
        sequence=sequence,
        start=start,
        count=count,
        row=row,
        column=column,
        finished=start + count == offsets[sequence + 1] - begins,
        lengths=lengths,
        begins=begins + start,
    )
