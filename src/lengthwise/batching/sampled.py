"""Batches of sequences of sequences: outer sequences by any strategy, each with a sample of its inner ones.

An author has 20,000 sentences, and another one three: a step reads a sample, another one in every epoch. Which inner
sequences are drawn, and where they stand, is planned from lengths alone, as all batches are.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from lengthwise.batching.grid import Grid, grid_of
from lengthwise.batching.limited_groups import draw
from lengthwise.batching.packed import Packed
from lengthwise.batching.plan import Plan, Strategy, checked_lengths, epoch_rng, plan_of_batches
from lengthwise.batching.sizes import WindowSize
from lengthwise.bounds import Count, check_fields
from lengthwise.core.ragged import offsets_of, ranges
from lengthwise.errors import ArgumentError


@dataclass(frozen=True)
class NestedBatch:
    """The two rectangles of a batch.

    Attributes:
        outer: B rows of M steps, which are the drawn inner sequences; `steps` are their numbers among all S.
        inner: the rows of those P inner sequences, R rows of T steps.
        place: int32 (B, M), which inner sequence stands there, from 0 in the order in which they have rows; -1 where
            there is none.
        last: int32 (B, M), where its last step is in the flattened inner rectangle; -1 where there is none.
    """

    outer: Grid
    inner: Grid
    place: np.ndarray
    last: np.ndarray


@dataclass(frozen=True)
class NestedPlan:
    """All batches of an epoch of outer sequences.

    Attributes:
        outer: the plan of outer sequences, whose steps are the drawn inner ones.
        drawn: int64 (D,), which inner sequences are drawn, those of one outer sequence after those of another.
        offsets: int64 (A + 1,), where those of each outer sequence begin in `drawn`.
        lengths: int64 (S,), steps of all inner sequences.
        window: steps of a row that holds several inner sequences; None: each has a row.
    """

    outer: Plan
    drawn: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    window: int | None

    def __len__(self) -> int:
        return len(self.outer)

    @property
    def left_out(self) -> tuple[int, int]:
        """Inner sequences that are not drawn, and their steps."""
        steps = int(self.lengths.sum()) - int(self.lengths[self.drawn].sum())
        return len(self.lengths) - len(self.drawn), steps

    @cached_property
    def steps(self) -> np.ndarray:
        """Steps of the inner sequences of each batch: int64 (batches,)."""
        before = offsets_of(self.lengths[self.drawn])
        begins = self.offsets[self.outer.sequence]
        of_spans = before[begins + self.outer.stop] - before[begins + self.outer.start]
        return np.diff(offsets_of(of_spans)[self.outer.offsets])

    @property
    def rows(self) -> np.ndarray:
        """Inner sequences of each batch: int64 (batches,)."""
        of_spans = offsets_of(self.outer.stop - self.outer.start)
        return np.diff(of_spans[self.outer.offsets])

    @property
    def widths(self) -> np.ndarray:
        """Steps of the longest inner sequence of each batch: int64 (batches,)."""
        if not len(self):
            return np.zeros(0, np.int64)
        begins = self.offsets[self.outer.sequence] + self.outer.start
        steps = ranges(begins, self.outer.stop - self.outer.start)
        return np.maximum.reduceat(self.lengths[self.drawn[steps]], offsets_of(self.rows)[:-1])

    def rows_of(self, number: int) -> Plan:
        """The rows of a batch's inner sequences, a plan of one batch; without a window in the order of outer steps."""
        outer = grid_of(self.outer, number, self.offsets)
        return self._rows(self.drawn[outer.steps])

    def batch(self, number: int, inner_offsets: np.ndarray, padding: str = "post") -> NestedBatch:
        """The rectangles of a batch.

        Args:
            number: of the batch, from 0.
            inner_offsets: int64 (S + 1,), where the inner sequences begin.
            padding: `post` or `pre`, of outer rows and of inner ones.
        """
        outer = grid_of(self.outer, number, self.offsets, padding)
        numbers = self.drawn[outer.steps]
        rows = self._rows(numbers)
        inner = grid_of(rows, 0, inner_offsets, padding)
        # The inner rows may have another order than the outer steps.
        of_span = np.argsort(numbers, kind="stable")
        rank = of_span[np.searchsorted(numbers, inner.sequence, sorter=of_span)]
        place, last = np.empty(len(numbers), np.int32), np.empty(len(numbers), np.int32)
        place[rank] = np.arange(len(numbers), dtype=np.int32)
        last[rank] = inner.row * inner.shape[1] + inner.column + inner.count - 1
        there = replace(outer, drawn=numbers)
        return NestedBatch(there, inner, outer.fill(place + 1) - np.int32(1), outer.fill(last + 1) - np.int32(1))

    def _rows(self, numbers: np.ndarray) -> Plan:
        """The rows of some inner sequences: a plan of one batch."""
        lengths = self.lengths[numbers]
        if self.window is None:
            rows = plan_of_batches(np.zeros(len(numbers), np.int64), np.arange(len(numbers)), lengths)
        else:
            # As many rows as there are sequences hold all of them; who stands beside whom changes no result.
            rows = Packed(len(numbers), self.window).plan(lengths)
        return Plan(numbers[rows.sequence].astype(np.int32), rows.start, rows.stop, rows.batch, rows.row, rows.column)


@dataclass(frozen=True)
class Sampled:
    """Outer sequences by a strategy, each with a sample of its inner ones, which keep their order.

    The lengths that the strategy plans are the numbers of drawn inner sequences: the rows of `Padded(batch_size=8)` are
    eight authors, the tokens of `TokenBudget` so many sentences, and the window of `Truncated` cuts authors.

    A batch is an outer rectangle (B, M) of drawn inner sequences, and their rows, an inner rectangle (R, T).

    >>> import lengthwise as lw
    >>> plan = lw.Sampled(lw.Padded(batch_size=2), sample=2).plan([5, 1, 2], [3, 3, 1, 2, 2, 4, 4, 1])
    >>> len(plan), len(plan.drawn), plan.left_out[0]
    (2, 5, 3)

    Attributes:
        strategy: of the outer sequences, any one.
        sample: the inner sequences of each outer one that an epoch draws, all where there are no more; None for all.
        window: steps of a row that is packed with inner sequences; None: each inner sequence has a row.

    Raises:
        ArgumentError: there is no such strategy, or a number is not from 1; it is a `ValueError`.
    """

    strategy: Strategy
    sample: Count | None = None
    window: WindowSize | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.strategy, Strategy):
            got = f"got {self.strategy!r:.80}"
            raise ArgumentError("strategy", f"{got}; expected a strategy, such as Padded(batch_size=8)")
        check_fields(self)

    def plan(
        self, outer_lengths: ArrayLike, inner_lengths: ArrayLike, rng: np.random.Generator | None = None
    ) -> NestedPlan:
        """Plan one epoch.

        Args:
            outer_lengths: int (A,), inner sequences of each outer one, each at least 1.
            inner_lengths: int (S,), steps of each inner sequence, each at least 1.
            rng: the only source of chance; by default `epoch_rng(0, 0)`.

        Raises:
            ArgumentError: lengths are no whole numbers from 1 or do not belong together, or the strategy has no batch
                for one of them; it is a `ValueError`.
        """
        outer, inner = checked_lengths(outer_lengths, "outer_lengths"), checked_lengths(inner_lengths, "inner_lengths")
        if (total := int(outer.sum())) != len(inner):
            raise ArgumentError("inner_lengths", f"got {len(inner)}; expected {total}, the sum of outer_lengths")
        chance = epoch_rng(0, 0) if rng is None else rng
        if self.sample is None:
            drawn, counts = np.arange(total), outer
        else:
            drawn = draw(np.repeat(np.arange(len(outer)), outer), self.sample, chance)
            counts = np.minimum(outer, self.sample)
        return NestedPlan(self.strategy.plan(counts, chance), drawn, offsets_of(counts), inner, self.window)
