"""The rows of long tables as they stand: CSV of any usual separator, or Parquet."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as pcsv

from lengthwise.corpora.opened import SourceFile
from lengthwise.corpora.steps.parquet_files import MAGIC, open_parquet, row_batches
from lengthwise.corpora.steps.raw import NO_VALUE, WantedColumns
from lengthwise.corpora.steps.text_lines import is_utf_16
from lengthwise.errors import CorpusError

SEPARATORS = (",", "\t", ";", "|")
# Where the separator is a semicolon, numbers may be written so.
DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class CsvHead:
    """How a CSV is written, by its first rows.

    Attributes:
        encoding: utf-8 or utf-16.
        separator: between columns.
        columns: their names.
        rows: those behind the header that were read.
        decimal_point: of numbers.
    """

    encoding: str
    separator: str
    columns: list[str]
    rows: list[list[str]]
    decimal_point: str


def is_parquet(file: SourceFile) -> bool:
    """Whether a file is Parquet, by its first bytes."""
    with file.open() as stream:
        return stream.read(len(MAGIC)) == MAGIC


def csv_head(file: SourceFile, names: tuple[str, ...] = ()) -> CsvHead:
    """How a CSV is written.

    Args:
        file: to read.
        names: columns that it is to have: the separator is one that gives most of them, or most columns.

    Raises:
        CorpusError: its first lines are no text.
    """
    with file.open() as stream:
        data = stream.read(HEAD_BYTES)
        while data and len(data) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(data))):
            data += more
    encoding = "utf-16" if is_utf_16(data) else "utf-8-sig"
    text = data.decode(encoding, "replace")
    if len(data) == HEAD_BYTES:
        # The last line is not whole.
        text = text[: text.rfind("\n") + 1] or text
    tables = {separator: _rows(text, separator) for separator in SEPARATORS}

    def fit(separator: str) -> tuple[int, int]:
        columns = tables[separator][0] if tables[separator] else []
        return sum(name in columns for name in names), len(columns)

    best = max(SEPARATORS, key=fit)
    if not tables[best]:
        raise CorpusError(
            f"{file.place}: has no header; expected names of columns in its first line; get the file again"
        )
    header, rows = tables[best][0], tables[best][1:]
    commas = best == ";" and any(DECIMAL_COMMA.fullmatch(cell) for row in rows for cell in row)
    return CsvHead(encoding.removesuffix("-sig"), best, header, rows, "," if commas else ".")


def _rows(text: str, separator: str) -> list[list[str]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    found: list[list[str]] = []
    # A quote may be open at the end: the rows before it tell enough.
    with suppress(csv.Error):
        found.extend(row for row in rows if row)
    return found


def read_csv_rows(file: SourceFile, wanted: WantedColumns, max_bytes: int) -> pa.Table:
    """The columns that are wanted, in the order of rows.

    Raises:
        CorpusError: a column is absent, or a cell is no number where one is expected.
    """
    del max_bytes
    names = _names(wanted)
    head = csv_head(file, names)
    wanted.refuse_absent(file.place, head.columns, names)
    kinds = {name: pa.float64() if name in wanted.features else pa.string() for name in names}
    convert = pcsv.ConvertOptions(
        column_types=kinds, include_columns=list(names), null_values=list(NO_VALUE), decimal_point=head.decimal_point
    )
    try:
        with file.open() as stream:
            table: pa.Table = pcsv.read_csv(
                pa.PythonFile(stream, "r"),
                pcsv.ReadOptions(encoding=head.encoding),
                pcsv.ParseOptions(delimiter=head.separator, newlines_in_values=True),
                convert,
            )
    except pa.ArrowException as error:
        raise CorpusError(f"{file.place}: {' '.join(str(error).split()):.200}; mend the table") from None
    return table


def read_parquet_rows(file: SourceFile, wanted: WantedColumns, max_bytes: int) -> pa.Table:
    """The like of Parquet.

    Raises:
        CorpusError: a column is absent, or the file is damaged.
    """
    names = _names(wanted)
    with open_parquet(file, max_bytes) as parquet:
        wanted.refuse_absent(file.place, parquet.schema_arrow.names, names)
        fields = [parquet.schema_arrow.field(name) for name in names]
        batches: Iterator[pa.RecordBatch] = row_batches(file, parquet, names, max_bytes)
        return pa.Table.from_batches([batch.select(list(names)) for batch in batches], pa.schema(fields))


def _names(wanted: WantedColumns) -> tuple[str, ...]:
    own = [name for name in (wanted.sequence, wanted.step) if name is not None]
    return tuple(dict.fromkeys((*own, *wanted.per_step, *wanted.per_sequence)))
