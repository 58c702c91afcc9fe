"""Rows of CSV: by Arrow as far as it says the same as Python's csv, by csv from there on."""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from lengthwise.corpora.opened import SourceFile, head_of
from lengthwise.corpora.tabular.csv_batches import CsvColumns, DoubtError, csv_batches, may_read
from lengthwise.corpora.tabular.row_columns import RowBatch
from lengthwise.corpora.tabular.row_values import TableRow
from lengthwise.corpora.tabular.table_dialect import TableDialect, csv_reader, separator_of
from lengthwise.errors import CorpusError

# What a first line holds in UTF-16 and UTF-32.
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def csv_parts(
    file: SourceFile, dialect: TableDialect, max_bytes: int, wanted: list[str]
) -> Iterator[RowBatch | TableRow]:
    """Batches of rows by Arrow as far as it reads the same as csv, the other rows by csv."""
    done = 0
    with suppress(DoubtError):
        for batch in _arrow_batches(file, dialect, max_bytes, wanted):
            yield batch
            done += len(batch)
        return
    yield from islice(csv_rows(file, dialect, max_bytes), done, None)


def _arrow_batches(file: SourceFile, dialect: TableDialect, max_bytes: int, wanted: list[str]) -> Iterator[RowBatch]:
    """The columns that are wanted, some rows at a time."""
    head = head_of(file)
    first = next(csv_rows(file, dialect, max_bytes), None)
    encoding = _encoding_of(head, dialect)
    if first is None or not set(wanted) <= first.values.keys():
        raise DoubtError
    separator = separator_of(head.decode(encoding, "replace"), dialect)
    if not may_read(dialect, encoding, separator):
        raise DoubtError
    names, is_header, done = list(first.values), dialect.header, 0
    with file.open() as raw:
        for columns in csv_batches(raw, dialect, CsvColumns(separator, names, wanted), max_bytes):
            values = [column.slice(int(is_header)) for column in columns]
            is_header = False
            batch = RowBatch(
                dict(zip(wanted, values, strict=True)),
                names,
                partial(_place_of_row, file, dialect, max_bytes, done),
            )
            if len(batch):
                yield batch
            done += len(batch)


def _place_of_row(file: SourceFile, dialect: TableDialect, max_bytes: int, first: int, number: int) -> str:
    return next(islice(csv_rows(file, dialect, max_bytes), first + number, None)).place


def _encoding_of(head: bytes, dialect: TableDialect) -> str:
    plain = "utf-8-sig" if dialect.encoding.lower() in ("utf-8", "utf8") else dialect.encoding
    return MARKS.get(head[:2], plain)


def csv_rows(file: SourceFile, dialect: TableDialect, max_bytes: int) -> Iterator[TableRow]:
    """All rows by csv.

    Raises:
        CorpusError: see `read_rows`.
    """
    head = head_of(file)
    encoding = _encoding_of(head, dialect)
    before = csv.field_size_limit(min(max_bytes, 2**31 - 1))
    with file.open() as raw:
        try:
            stream = io.TextIOWrapper(raw, encoding, errors="strict", newline="")
            reader = csv_reader(stream, separator_of(head.decode(encoding, "replace"), dialect), dialect, strict=True)
            names: list[str] | None = None
            for cells in reader:
                place = f"{file.place} line {reader.line_num}"
                if not cells:
                    continue
                if names is None:
                    names = _names(cells, dialect, place)
                    if dialect.header:
                        continue
                if len(cells) != len(names):
                    raise CorpusError(
                        f"{place}: has {len(cells)} columns; expected {len(names)}; quote the value, or set "
                        "ingest.table.separator or ingest.table.quote"
                    )
                yield TableRow(place, dict(zip(names, cells, strict=True)))
        except csv.Error as error:
            raise CorpusError(
                f"{file.place} line {reader.line_num}: is no CSV ({error}); set ingest.table.quote to null where "
                "quotes are not closed, or ingest.table.escape"
            ) from None
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{file.place}: byte {error.start} of a block is not {encoding}; set ingest.table.encoding"
            ) from None
        except LookupError:
            raise CorpusError(
                f"ingest.table.encoding: got {dialect.encoding!r}; expected a name that Python knows, such as utf-8"
            ) from None
        finally:
            csv.field_size_limit(before)


def _names(cells: list[str], dialect: TableDialect, place: str) -> list[str]:
    if not dialect.header:
        return [str(number) for number in range(1, len(cells) + 1)]
    # A column without a name goes by its number.
    names = [cell.strip() or str(number) for number, cell in enumerate(cells, 1)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CorpusError(f"{place}: has the column {twice[0]!r} twice; expected each name once; rename one")
    return names
