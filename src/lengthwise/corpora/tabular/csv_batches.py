"""CSV read many rows at a time, several times as fast as by Python's csv, where both must say the same.

NumPy finds the signs that have a meaning: quotes, separators and line ends. Quotes open and close in turn, and each
must stand where one may open or close; what is told apart so is read by csv, which also says what is wrong with it.

    id,text    the values of `text` begin and end at    offsets of all that stands between these ends:
    1,"a b"                4 6        3 5               the values, and what is left out between them,
    2,cd                                                of which Arrow takes every other one
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lengthwise.corpora.tabular.table_dialect import TableDialect

# Rows of about so many bytes are a batch; of fewer, where a value has to be shorter than so many of them.
BLOCK_BYTES = 1 << 20
BLOCKS_PER_VALUE = 4
LINE_FEED, CARRIAGE_RETURN = b"\n\r"
BYTE_ORDER_MARK = "\ufeff".encode()
FIRST_BEYOND_ASCII = 0x80
# What Arrow counts the bytes of a batch with.
MOST_BYTES = 2**31 - 1


class DoubtError(Exception):
    """Csv might read these bytes in another way, or refuse them."""


@dataclass(frozen=True)
class CsvColumns:
    """What is read of a table of text.

    Attributes:
        separator: between columns.
        names: of all columns, in their order.
        wanted: those whose values are read.
    """

    separator: str
    names: Sequence[str]
    wanted: Sequence[str]


def may_read(dialect: TableDialect, encoding: str, separator: str) -> bool:
    """Whether `csv_batches` reads tables of a dialect as csv does, but for those that it refuses."""
    signs = [separator] if dialect.quote is None else [separator, dialect.quote]
    return (
        encoding == "utf-8-sig"
        and dialect.escape is None
        and all((len(sign) == 1 and sign.isascii() and sign.isprintable()) or sign == "\t" for sign in signs)
        and len({*signs, " "}) == len(signs) + 1
    )


def csv_batches(
    stream: BinaryIO, dialect: TableDialect, columns: CsvColumns, max_bytes: int
) -> Iterator[list[pa.StringArray]]:
    """The values of rows, a header's among them: an array for each column that is wanted, for some rows at a time.

    Args:
        stream: of UTF-8, with or without a byte order mark.
        dialect: one that `may_read` takes.
        columns: of the table.
        max_bytes: what one value may hold.

    Raises:
        DoubtError: csv might read the rows that follow in another way, or refuse them.
    """
    reader = _BlockReader(dialect.quote, columns)
    places = [columns.names.index(name) for name in columns.wanted]
    most = min(max_bytes, MOST_BYTES)
    # One buffer for all blocks: to get memory for each would cost more than to look at it.
    block = min(BLOCK_BYTES, most // BLOCKS_PER_VALUE)
    buffer, size, is_first, is_last = bytearray(2 * block), 0, True, False
    while not is_last:
        # As much again of a row that is longer than a block, so that its bytes are not looked at block by block.
        end = size + max(block, size, len(BYTE_ORDER_MARK))
        if end > len(buffer):
            buffer = buffer[:size] + bytearray(end - size)
        new = _read_into(stream, memoryview(buffer)[size:end])
        size, is_last = size + new, not new
        if is_first and buffer.startswith(BYTE_ORDER_MARK):
            size -= len(BYTE_ORDER_MARK)
            buffer[:size] = buffer[len(BYTE_ORDER_MARK) : size + len(BYTE_ORDER_MARK)]
        is_first = False
        # No value may be longer than csv lets one be.
        if size > most:
            raise DoubtError("a row is long")
        signs = np.frombuffer(buffer, np.uint8, size)
        rows, end = reader.read(signs, is_last=is_last)
        if len(rows.begins):
            _check_utf8(signs[:end])
            yield [reader.values(signs, rows, place) for place in places]
        buffer[: size - end] = buffer[end:size]
        size -= end


def _read_into(stream: BinaryIO, view: memoryview) -> int:
    """Fill a view from a stream as far as it goes; how many bytes that are."""
    size = 0
    while size < len(view) and (new := stream.readinto(view[size:])):  # type: ignore[attr-defined]
        size += new
    return size


class _FoundRows(NamedTuple):
    """Some rows of a block, which are not empty.

    Attributes:
        begins: int64 (R,), where each begins.
        signs: int64 (R,), which of `places` is the first sign behind where it begins.
        places: int64 (P,), where separators and line ends are that are not within quotes.
        quotes: int64 (P,), how many quotes stand before each.
    """

    begins: np.ndarray
    signs: np.ndarray
    places: np.ndarray
    quotes: np.ndarray


class _BlockReader:
    """Finds rows and values in blocks.

    Args:
        quote: that values may stand in; None where it means nothing.
        columns: of the table.
    """

    def __init__(self, quote: str | None, columns: CsvColumns) -> None:
        self._separator, self._width = ord(columns.separator), len(columns.names)
        # Without quotes, what is looked for as a quote is what no UTF-8 has.
        self._quote = 0xFF if quote is None else ord(quote)
        beside = [self._separator, self._quote, LINE_FEED, CARRIAGE_RETURN]
        # New arrays of a block's size would cost as much as what is done in them.
        self._found = np.empty((2, 0), bool)
        self._beside = np.isin(np.arange(256), beside)

    def read(self, signs: np.ndarray, *, is_last: bool) -> tuple[_FoundRows, int]:
        """The whole rows of a block that begins with a row, and where the last of them ends.

        Args:
            signs: uint8 (N,), the block.
            is_last: whether nothing follows.

        Raises:
            DoubtError: see `csv_batches`.
        """
        size = len(signs)
        places = self._places(signs)
        is_quote = signs[places] == self._quote
        quotes = np.cumsum(is_quote)
        self._check_quotes(signs, places[is_quote])
        if is_last and len(quotes) and quotes[-1] % 2:
            raise DoubtError("a quote is not closed")
        outside = ~is_quote & (quotes % 2 == 0)
        places, quotes = places[outside], quotes[outside]
        if is_last and size:
            # The last row may lack its end.
            places, quotes = np.append(places, size), np.append(quotes, quotes[-1] if len(quotes) else 0)
            signs = np.append(signs, np.uint8(LINE_FEED))
            quotes[-1] = np.count_nonzero(is_quote)
        ends = np.flatnonzero(signs[places] != self._separator)
        if not len(ends):
            return _FoundRows(*[np.zeros(0, np.int64)] * 4), 0
        begins = np.concatenate([[0], places[ends[:-1]] + 1])
        first = np.concatenate([[0], ends[:-1] + 1])
        # Of a pair of a carriage return and a line feed each is an end, with nothing between them.
        is_row = places[ends] > begins
        if not (ends - first + 1 == self._width)[is_row].all():
            raise DoubtError("a row has another number of columns")
        return _FoundRows(begins[is_row], first[is_row], places, quotes), min(int(places[ends[-1]]) + 1, size)

    def _places(self, signs: np.ndarray) -> np.ndarray:
        """Where signs are that have a meaning: int64 (P,)."""
        if self._found.shape[1] < len(signs):
            self._found = np.empty((2, len(signs)), bool)
        found, other = self._found[:, : len(signs)]
        np.equal(signs, self._quote, out=found)
        for sign in (self._separator, LINE_FEED, CARRIAGE_RETURN):
            found |= np.equal(signs, sign, out=other)
        return np.flatnonzero(found)

    def values(self, signs: np.ndarray, rows: _FoundRows, column: int) -> pa.StringArray:
        """The values of a column.

        Args:
            signs: uint8 (N,), the block, valid UTF-8 as far as the rows go.
            rows: in it.
            column: its number.
        """
        last = rows.signs + column
        begins = rows.places[last - 1] + 1 if column else rows.begins
        ends, quotes = rows.places[last], rows.quotes[last]
        quotes = quotes - (rows.quotes[last - 1] if column else np.where(last, rows.quotes[last - 1], 0))
        is_quoted = quotes > 0
        offsets = np.stack([begins + is_quoted, ends - is_quoted], axis=1).astype(np.int32).reshape(-1)
        between = pa.Array.from_buffers(
            pa.string(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(signs)]
        )
        found = between.take(pa.array(np.arange(0, len(offsets), 2, dtype=np.int32)))
        # A quote within quotes is doubled.
        if (doubled := quotes > 2).any():
            sign = chr(self._quote)
            mended = pc.replace_substring(found.filter(pa.array(doubled)), 2 * sign, sign)
            found = pc.replace_with_mask(found, pa.array(doubled), mended)
        return found

    def _check_quotes(self, signs: np.ndarray, places: np.ndarray) -> None:
        """See that quotes open and close in turn, each where it may."""
        before, behind = places[::2] - 1, places[1::2] + 1
        before, behind = before[before >= 0], behind[behind < len(signs)]
        if not (self._beside[signs[before]].all() and self._beside[signs[behind]].all()):
            raise DoubtError("a quote is neither at the beginning nor at the end of a value")


def _check_utf8(signs: np.ndarray) -> None:
    if not len(signs) or signs.max() < FIRST_BEYOND_ASCII:
        return
    offsets = pa.py_buffer(np.array([0, len(signs)], np.int32))
    try:
        pa.Array.from_buffers(pa.binary(), 1, [None, offsets, pa.py_buffer(signs)]).cast(pa.string())
    except pa.ArrowInvalid as error:
        raise DoubtError(str(error)) from None
