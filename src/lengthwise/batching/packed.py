"""Several sequences in one row, the state reset between them.

What the source article calls impossible with the stock layers (its "awkward sequence lengths"): a layer that resets its
state inside a row (`lengthwise.layers.Recurrent`) computes each sequence as if it stood alone.

Rows are filled by best-fit decreasing (Johnson, 1973): from the longest sequence on, each goes where the least space is
left. It works on the histogram of lengths, not on sequences: rows of the same lengths are filled together, so that ten
million sequences are a matter of seconds.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lengthwise.batching.plan import Plan, Strategy, order_with_random_ties
from lengthwise.batching.sizes import BatchSize, WindowSize
from lengthwise.core.ragged import offsets_of


@dataclass(frozen=True)
class _AlikeRows:
    """Rows with the same lengths in them.

    Attributes:
        count: how many rows.
        content: (length, how many of it) from the first column on.
    """

    count: int
    content: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Packed(Strategy):
    """Rows of at most `window` steps, filled with whole sequences; a longer sequence has a row of its own.

    A batch's rows are about as wide as each other; which sequences of a length share a row, and the order of the
    batches, is random. With `batch_size` 2, `window` 4 and lengths [3, 1, 2, 6, 2]:

        batch 0   0 0 0 1      batch 1   3 3 3 3 3 3
                  4 4 2 2

    >>> import lengthwise as lw
    >>> plan = lw.Packed(batch_size=2, window=4).plan([3, 1, 2, 6, 2])
    >>> plan.rows.tolist(), plan.widths.tolist()
    ([2, 1], [4, 6])

    Attributes:
        batch_size: rows in a batch; the last may have fewer.
        window: steps of a row.

    Raises:
        ValueError: a setting is no whole number from 1.
    """

    packs: ClassVar[bool] = True
    batch_size: BatchSize
    window: WindowSize

    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        by_length = order_with_random_ties(lengths, rng)
        distinct, counts = np.unique(lengths, return_counts=True)
        rows = fill_rows(distinct.tolist(), counts.tolist(), self.window)
        sequence, row, column = _deal(rows, by_length, dict(zip(distinct.tolist(), offsets_of(counts), strict=False)))
        widths = np.repeat([sum(length * number for length, number in kind.content) for kind in rows], _counts(rows))
        # Rows by width, and batches of them shuffled: a row's place in the epoch.
        order = order_with_random_ties(widths.astype(np.int64), rng)
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        batch = place // self.batch_size
        batch = rng.permutation(int(batch.max(initial=-1)) + 1)[batch]
        spans = np.argsort(
            (batch * self.batch_size + place % self.batch_size)[row] * (widths.max(initial=0) + 1) + column
        )
        row, column = row[spans], column[spans]
        return Plan(
            sequence=sequence[spans].astype(np.int32),
            start=np.zeros(len(spans), np.int32),
            stop=lengths[sequence[spans]].astype(np.int32),
            batch=batch[row].astype(np.int32),
            row=(place[row] % self.batch_size).astype(np.int32),
            column=column.astype(np.int32),
        )


def _counts(rows: list[_AlikeRows]) -> np.ndarray:
    return np.array([kind.count for kind in rows], np.int64)


def fill_rows(lengths: list[int], counts: list[int], window: int) -> list[_AlikeRows]:
    """Fill rows with a histogram of lengths by best-fit decreasing.

    With `window` 4, one 3, two 2s and one 1:

        3 -> a new row, 1 left        2, 2 -> a new row, full        1 -> where 1 is left

    Args:
        lengths: distinct, rising.
        counts: how many sequences there are of each.
        window: steps of a row.
    """
    full: list[_AlikeRows] = []
    # Rows with space, by space; the spaces in use, rising.
    by_space: dict[int, list[_AlikeRows]] = {}
    spaces: list[int] = []

    def put(rows: _AlikeRows, space: int) -> None:
        if rows.count and space:
            if space not in by_space:
                insort(spaces, space)
            by_space.setdefault(space, []).append(rows)
        elif rows.count:
            full.append(rows)

    def take(least: int) -> tuple[_AlikeRows, int]:
        space = spaces[bisect_left(spaces, least)]
        rows = by_space[space].pop()
        if not by_space[space]:
            del by_space[space]
            spaces.remove(space)
        return rows, space

    for length, left in zip(reversed(lengths), reversed(counts), strict=True):
        if length > window:
            full.append(_AlikeRows(left, ((length, 1),)))
            continue
        while left:
            rows, space = take(length) if spaces and spaces[-1] >= length else (_AlikeRows(left, ()), window)
            # A row that has taken one has the least space for the next, while there is any.
            most = min(space // length, left)
            filled = min(rows.count, left // most)
            put(_AlikeRows(filled, (*rows.content, (length, most))), space - length * most)
            if rows.content:
                put(_AlikeRows(rows.count - filled, rows.content), space)
            left -= filled * most
    return full + [rows for space in spaces for rows in by_space[space]]


def _deal(
    rows: list[_AlikeRows], by_length: np.ndarray, begins: dict[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give every row its sequences.

    Args:
        rows: all rows.
        by_length: sequences by rising length, those of a length in random order.
        begins: where each length's sequences begin in `by_length`.

    Returns:
        For each span its sequence, row and column: int64 (S,).
    """
    pools, row_numbers, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    first_row = 0
    for kind in rows:
        column = 0
        for length, number in kind.content:
            begin = begins[length]
            begins[length] = begin + kind.count * number
            pools.append(by_length[begin : begins[length]])
            row_numbers.append(np.repeat(np.arange(first_row, first_row + kind.count), number))
            columns.append(np.tile(column + length * np.arange(number), kind.count))
            column += length * number
        first_row += kind.count
    return np.concatenate(pools), np.concatenate(row_numbers), np.concatenate(columns)
