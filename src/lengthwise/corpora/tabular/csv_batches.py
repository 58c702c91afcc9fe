"""CSV read by Arrow, several times as fast as by Python's csv, where both must say the same.

Arrow takes more than csv does: a value that goes on behind its closing quote, and quotes that are never closed. So the
bytes are looked at on their way: quotes open and close in turn, and each must stand where one may open or close. What
is told apart so is read by csv, which also says what is wrong with it.
"""

import codecs
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from lengthwise.corpora.tabular.table_dialect import TableDialect

# A batch of rows is one block; a row that is longer than one is left to csv.
BLOCK_BYTES = 1 << 18
# A row may straddle blocks: no value of it is longer than this.
LONGEST_VALUE = 4 * BLOCK_BYTES
LINE_ENDS = b"\r\n"


class DoubtError(Exception):
    """Arrow and csv might read these bytes in two ways."""


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


def may_read(dialect: TableDialect, encoding: str, separator: str, max_bytes: int) -> bool:
    """Whether Arrow reads tables of a dialect as csv does, but for those that `csv_batches` refuses."""
    signs = [separator] if dialect.quote is None else [separator, dialect.quote]
    return (
        encoding == "utf-8-sig"
        and dialect.escape is None
        and max_bytes >= LONGEST_VALUE
        and all((len(sign) == 1 and sign.isascii() and sign.isprintable()) or sign == "\t" for sign in signs)
        and len({*signs, " "}) == len(signs) + 1
    )


def csv_batches(stream: BinaryIO, dialect: TableDialect, columns: CsvColumns) -> Iterator[list[list[str]]]:
    """The values of rows, a header's among them: a list for each column that is wanted, for some rows at a time.

    Raises:
        DoubtError: csv might read the rows that follow in another way, or refuse them.
    """
    try:
        reader = arrow_csv.open_csv(
            pa.PythonFile(_Watched(stream, columns.separator, dialect.quote), "r"),
            arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=list(columns.names)),
            arrow_csv.ParseOptions(
                delimiter=columns.separator,
                quote_char=dialect.quote if dialect.quote is not None else False,
                newlines_in_values=dialect.quote is not None,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(columns.names, pa.string()),
                include_columns=list(columns.wanted),
                strings_can_be_null=False,
            ),
        )
        for batch in reader:
            yield [column.to_pylist() for column in batch.columns]
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DoubtError(str(error)) from None


class _Watched(io.RawIOBase):
    """A stream of text whose quotes are where both readers take them for the same."""

    def __init__(self, raw: BinaryIO, separator: str, quote: str | None) -> None:
        self._raw, self._quote = raw, None if quote is None else ord(quote)
        beside = {ord(separator), *LINE_ENDS, *([] if quote is None else [ord(quote)])}
        self._beside = np.isin(np.arange(256), list(beside))
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._last = LINE_ENDS[-1]
        self._open = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self._decoder.decode(data, final=not data)
        if self._quote is not None:
            self._look(data)
        return data

    def _look(self, data: bytes) -> None:
        """See that each quote that opens a value stands at its beginning, and each that closes one at its end."""
        if not data:
            if self._open:
                raise DoubtError("a quote is not closed")
            return
        # The byte before counts as well: what follows a quote that closes is known only now.
        signs = np.frombuffer(bytes([self._last]) + data, np.uint8)
        places = np.flatnonzero(signs[1:] == self._quote) + 1
        opens, closes = places[self._open :: 2], places[not self._open :: 2]
        closed_before = self._last == self._quote and not self._open
        behind = closes[closes < len(signs) - 1] + 1
        if not (
            self._beside[signs[opens - 1]].all()
            and self._beside[signs[behind]].all()
            and (not closed_before or self._beside[signs[1]])
        ):
            raise DoubtError("a quote is neither at the beginning nor at the end of a value")
        self._open ^= bool(len(places) % 2)
        self._last = data[-1]
