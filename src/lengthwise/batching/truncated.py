"""Long sequences cut into windows; the state goes from a window to the next, the gradient does not.

Truncated backpropagation through time (Williams and Peng, 1990) for sequences of any length. A *lane* is one row of all
batches: a stream of sequences, one after another, each begun with a reset. Row *i* of a batch goes on where row *i* of
the batch before stopped, which the source notes ask their reader to arrange by hand.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lengthwise.batching.plan import Plan, Strategy, order_with_random_ties, smallest_type
from lengthwise.batching.sizes import BatchSize, WindowSize
from lengthwise.core.ragged import ranges

# Sequences are dealt to lanes in at most so many turns, whatever their number.
MOST_TURNS = 20_000


@dataclass(frozen=True)
class Truncated(Strategy):
    """Lanes of sequences cut every `window` steps.

    The first window's length is random, so that the cuts move from epoch to epoch. With `batch_size` 2, `window` 3 and
    lengths [5, 2, 3], sequence 2 begins with a reset within a row, and both rows of the second batch go on:

        batch 0   0 0 0      batch 1   0 0
                  1 1 2                2 2

    >>> import lengthwise as lw
    >>> plan = lw.Truncated(batch_size=2, window=3).plan([5, 2, 3])
    >>> plan.rows.tolist(), plan.widths.tolist()
    ([2, 2], [2, 3])

    Attributes:
        batch_size: lanes; a batch has fewer rows once a lane has ended, for lanes stand by falling length.
        window: steps of a batch, and so of a gradient.

    Raises:
        ValueError: a setting is no whole number from 1.
    """

    cuts: ClassVar[bool] = True
    batch_size: BatchSize
    window: WindowSize

    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        lane = _lanes(lengths, order_with_random_ties(lengths, rng)[::-1], self.batch_size)
        order = order_with_random_ties(lane, rng)
        row, length = lane[order], lengths[order].astype(np.int64)
        # Where each sequence begins in its lane, the lane's first window cut short.
        begin = np.cumsum(length) - length
        begin -= np.repeat(begin[np.diff(row, prepend=-1) > 0], np.bincount(row))
        missing = self.window - self._first_window(int(np.bincount(row, length).max(initial=0)), rng)
        begin += missing
        first = begin // self.window
        cuts = (begin + length - 1) // self.window - first + 1
        window = ranges(first, cuts)
        # Streams are in order already, each by itself: a stable sort by window keeps lanes and columns in order.
        spans = np.argsort(smallest_type(window), kind="stable")
        window, member = window[spans], np.repeat(np.arange(len(order)), cuts)[spans]
        since = window * self.window - begin[member]
        return Plan(
            sequence=order[member].astype(np.int32),
            start=np.maximum(since, 0).astype(np.int32),
            stop=np.minimum(since + self.window, length[member]).astype(np.int32),
            batch=window.astype(np.int32),
            row=row[member].astype(np.int32),
            column=(np.maximum(-since, 0) - missing * (window == 0)).astype(np.int32),
        )

    def _first_window(self, steps: int, rng: np.random.Generator) -> int:
        """Steps of the first window: random, but so that every epoch has the same number of batches.

        A lane of `q * window + rest` steps makes q + 1 windows if the first has `rest` steps at least, else q + 2: the
        count that leaves the more to chance is taken.

        Args:
            steps: of the longest lane.
            rng: the only source of chance.
        """
        rest = (steps - 1) % self.window + 1
        if self.window - rest + 1 >= rest - 1:
            return int(rng.integers(rest, self.window + 1))
        return int(rng.integers(1, rest))


def _lanes(lengths: np.ndarray, falling: np.ndarray, batch_size: int) -> np.ndarray:
    """Deal sequences to lanes of nearly the same length: int64 (S,), lane 0 the longest, none empty.

    As many sequences at a time as there are lanes, the longest of them to the shortest lane (Graham, 1969); where that
    were too many turns, several rounds at a time, each the other way round.

    Args:
        lengths: tokens of each sequence.
        falling: the sequences by falling length.
        batch_size: lanes, unless there are fewer sequences.
    """
    lanes = min(batch_size, len(lengths))
    rounds = 1 + len(lengths) // max(1, lanes * MOST_TURNS)
    lane = np.zeros(len(lengths), np.int64)
    loads = np.zeros(lanes, np.int64)
    for begin in range(0, len(lengths), max(1, lanes * rounds)):
        members = falling[begin : begin + lanes * rounds]
        shortest_first = np.argsort(loads, kind="stable")
        both_ways = np.concatenate([shortest_first, shortest_first[::-1]])
        dealt = np.resize(both_ways, len(members))
        lane[members] = dealt
        loads += np.bincount(dealt, lengths[members], lanes).astype(np.int64)
    rank = np.empty(lanes, np.int64)
    rank[np.argsort(-loads, kind="stable")] = np.arange(lanes)
    return rank[lane] if lanes else lane
