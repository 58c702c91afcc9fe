"""Rows as columns: what is made of the values of many rows at once, the same as of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lengthwise.corpora.tabular.row_values import TableRow
from lengthwise.prepare.forms.text_bytes import bytes_of

# What Python takes for white space: in ASCII all of it lies at or below the blank, beyond it begins with one of these
# bytes in UTF-8, and ends with another one of them.
BLANK = 0x20
BEGINS_SPACE = (0xC2, 0xE1, 0xE2, 0xE3)
ENDS_SPACE = (0x85, 0xA0, *range(0x80, 0x8B), 0xA8, 0xA9, 0xAF, 0x9F)
MAY_BEGIN, MAY_END = (np.isin(np.arange(256), [*range(BLANK + 1), *beyond]) for beyond in (BEGINS_SPACE, ENDS_SPACE))


@dataclass(frozen=True)
class RowBatch:
    """Neighbouring rows of a table of text.

    Attributes:
        values: by column, of those that were asked for.
        columns: all that the file has.
        place_of: where a row of the batch is, by its number in it.
    """

    values: Mapping[str, pa.StringArray]
    columns: Sequence[str]
    place_of: Callable[[int], str]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def rows(self) -> Iterator[TableRow]:
        """The same, row by row."""
        lists = [column.to_pylist() for column in self.values.values()]
        for number, cells in enumerate(zip(*lists, strict=True)):
            yield TableRow(partial(self.place_of, number), dict(zip(self.values, cells, strict=True)), self.columns)

    def filter(self, kept: np.ndarray) -> "RowBatch":
        """Some of the rows.

        Args:
            kept: bool (R,), which.
        """
        numbers = np.flatnonzero(kept)
        chosen = pa.array(numbers)
        values = {name: column.take(chosen) for name, column in self.values.items()}
        return RowBatch(values, self.columns, lambda number: self.place_of(int(numbers[number])))


def rows_of(part: RowBatch | TableRow) -> Iterator[TableRow]:
    """The rows of a batch, or the one row that there is."""
    return part.rows() if isinstance(part, RowBatch) else iter([part])


def mapped(column: pa.StringArray, meaning: Callable[[str], object]) -> list[object]:
    """What each value of a column means, each distinct one asked for once."""
    encoded = column.dictionary_encode()
    meanings = [meaning(value) for value in encoded.dictionary.to_pylist()]
    return [meanings[number] for number in encoded.indices.to_pylist()]


def codes_of(column: pa.StringArray, meaning: Callable[[str], int | None]) -> np.ndarray:
    """The code of each value of a column, -1 for None: int32 (R,); each distinct value is asked for once."""
    encoded = column.dictionary_encode()
    found = [meaning(value) for value in encoded.dictionary.to_pylist()]
    codes = np.array([-1 if code is None else code for code in found], np.int32)
    return codes[encoded.indices.to_numpy()]


def stripped(column: pa.StringArray) -> pa.StringArray:
    r"""Each value as `str.strip` leaves it.

    >>> stripped(pa.array([" a b\n", "c", "\u3000", ""])).to_pylist()
    ['a b', 'c', '', '']
    """
    offsets, data = bytes_of(column)
    begins, ends = offsets[:-1], offsets[1:]
    rows = np.flatnonzero(ends > begins)
    signs = np.frombuffer(data, np.uint8)
    rows = rows[MAY_BEGIN[signs[begins[rows]]] | MAY_END[signs[ends[rows] - 1]]]
    return replaced(column, rows, str.strip)


def replaced(column: pa.StringArray, rows: np.ndarray, change: Callable[[str], str]) -> pa.StringArray:
    """A column with other values in some rows.

    Args:
        column: of R values.
        rows: int (K,), which, in rising order.
        change: what becomes of the value of such a row.
    """
    if not len(rows):
        return column
    values = column.take(pa.array(rows)).to_pylist()
    changed = [*map(change, values)]
    if changed == values:
        return column
    is_changed = np.zeros(len(column), bool)
    is_changed[rows] = True
    return pc.replace_with_mask(column, pa.array(is_changed), pa.array(changed, column.type))


def joined_by_lines(columns: Sequence[pa.StringArray]) -> pa.StringArray:
    r"""The values of a row one after another, with line ends between those that are not empty.

    >>> joined_by_lines([pa.array(["a", "", ""]), pa.array(["b", "c", ""])]).to_pylist()
    ['a\nb', 'c', '']
    """
    joined, *others = columns
    for column in others:
        between = pc.if_else(
            pc.and_(pc.greater(pc.binary_length(joined), 0), pc.greater(pc.binary_length(column), 0)), "\n", ""
        )
        joined = pc.binary_join_element_wise(joined, column, between)
    return joined
