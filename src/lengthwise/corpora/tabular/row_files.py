"""Rows of a file, whatever its form: a map from column to value each, one in memory at a time.

csv       values between separators, a header or none (columns are then `1`, `2`, ...); tsv is csv with tabs
jsonl     a JSON object a line
json      an array of JSON objects
parquet   also Arrow files (feather)
fasttext  `__label__a __label__b text`: the columns labels (a list) and text
folder    a file a row: the column text is its content, `folder` the folder that it is in
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.corpora.opened import SourceFile, head_of, read_up_to
from lengthwise.corpora.tabular.csv_tables import csv_parts, csv_rows
from lengthwise.corpora.tabular.row_columns import RowBatch
from lengthwise.corpora.tabular.row_values import TableRow
from lengthwise.corpora.tabular.table_dialect import TableDialect
from lengthwise.errors import CorpusError

TableFormat = Literal["auto", "csv", "jsonl", "json", "parquet", "fasttext", "folder"]
# By the end of a file's name; others are told by what they hold.
ENDS: dict[str, TableFormat] = {
    **{".csv": "csv", ".tsv": "csv", ".tab": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json"},
    **{".parquet": "parquet", ".arrow": "parquet", ".feather": "parquet"},
}
ROWS_AT_ONCE = 1024
FASTTEXT = "__label__"


def format_of(file: SourceFile) -> TableFormat:
    """The form of a file, by the end of its name or by what it begins with.

    Raises:
        CorpusError: it cannot be read.
    """
    end = PurePosixPath(file.name).suffix.lower()
    if end in ENDS:
        return ENDS[end]
    head = head_of(file)
    if head.startswith(b"PAR1") or head.startswith(b"ARROW1"):
        return "parquet"
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if text.startswith(FASTTEXT):
        return "fasttext"
    if text.startswith("["):
        return "json"
    return "jsonl" if text.startswith("{") else "csv"


def read_rows(file: SourceFile, form: TableFormat, dialect: TableDialect, max_bytes: int) -> Iterator[TableRow]:
    """The rows of a file.

    Args:
        file: to read.
        form: of it.
        dialect: if it is text.
        max_bytes: what one value may hold.

    Raises:
        CorpusError: the file is not of the form; the message names the line or the row.
    """
    return READERS[form](file, dialect, max_bytes)


def read_parts(
    file: SourceFile, form: TableFormat, dialect: TableDialect, max_bytes: int, wanted: Collection[str]
) -> Iterator[RowBatch | TableRow]:
    """The same rows, many at a time where a form is read faster so: these have the columns `wanted` alone."""
    if form == "csv" and wanted:
        return csv_parts(file, dialect, max_bytes, list(dict.fromkeys(wanted)))
    return READERS[form](file, dialect, max_bytes)


def _json_lines(file: SourceFile, dialect: TableDialect, max_bytes: int) -> Iterator[TableRow]:
    with file.open() as raw:
        for number, line in enumerate(raw, 1):
            place = f"{file.place} line {number}"
            if len(line) > max_bytes:
                raise CorpusError(f"{place}: is longer than {max_bytes} bytes; raise ingest.max_member_mb")
            if line.strip():
                yield TableRow(place, _object(line, place))


def _object(text: bytes, place: str) -> Mapping[str, object]:
    try:
        value = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{place}: is no JSON ({' '.join(str(error).split()):.100}); mend the line") from None
    if not isinstance(value, dict):
        raise CorpusError(f"{place}: is {value!r:.60}; expected an object with a value for each column")
    return value


def _json_array(file: SourceFile, dialect: TableDialect, max_bytes: int) -> Iterator[TableRow]:
    with file.open() as raw:
        data = read_up_to(raw, max_bytes + 1)
    if len(data) > max_bytes:
        raise CorpusError(
            f"{file.place}: is a JSON array of more than {max_bytes} bytes; write a JSON object a line, or raise "
            "ingest.max_member_mb"
        )
    try:
        rows = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{file.place}: is no JSON ({' '.join(str(error).split()):.100}); get it again") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CorpusError(f"{file.place}: is no array of objects; expected one; set ingest.table.format")
    for number, row in enumerate(rows):
        yield TableRow(f"{file.place} row {number}", row)


def _parquet_rows(file: SourceFile, dialect: TableDialect, max_bytes: int) -> Iterator[TableRow]:
    with file.open() as raw:
        data = pa.py_buffer(read_up_to(raw, -1))
    try:
        if data.slice(0, 6).to_pybytes().startswith(b"ARROW1"):
            batches: Iterator[pa.RecordBatch] = iter(pa.ipc.open_file(pa.BufferReader(data)).read_all().to_batches())
        else:
            batches = pq.ParquetFile(pa.BufferReader(data)).iter_batches(ROWS_AT_ONCE)
        number = 0
        for batch in batches:
            for row in batch.to_pylist():
                yield TableRow(f"{file.place} row {number}", row)
                number += 1
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise CorpusError(f"{file.place}: is no Parquet or Arrow file ({reason:.160}); get it again") from None


def _fasttext_rows(file: SourceFile, dialect: TableDialect, max_bytes: int) -> Iterator[TableRow]:
    with file.open() as raw:
        for number, line in enumerate(raw, 1):
            words = line.decode("utf-8", "replace").split()
            labels = [word.removeprefix(FASTTEXT) for word in words if word.startswith(FASTTEXT)]
            text = " ".join(word for word in words if not word.startswith(FASTTEXT))
            if words:
                yield TableRow(f"{file.place} line {number}", {"labels": labels, "text": text})


def _folder_rows(file: SourceFile, dialect: TableDialect, max_bytes: int) -> Iterator[TableRow]:
    with file.open() as raw:
        data = read_up_to(raw, -1)
    try:
        text = data.decode(dialect.encoding)
    except UnicodeDecodeError:
        # As of the corpora of the nineties.
        text = data.decode("cp1252", "replace")
    path = PurePosixPath(file.name)
    yield TableRow(file.place, {"text": text.removeprefix("\ufeff"), "file": path.name, **_folders(path)})


def _folders(path: PurePosixPath) -> dict[str, str]:
    """The folders that a file is in: `folder`, and above it `folder2`, `folder3`."""
    names = list(reversed(path.parent.parts))
    return {"folder" if place == 0 else f"folder{place + 1}": name for place, name in enumerate(names)}


READERS: dict[str, Callable[[SourceFile, TableDialect, int], Iterator[TableRow]]] = {
    "csv": csv_rows,
    "jsonl": _json_lines,
    "json": _json_array,
    "parquet": _parquet_rows,
    "fasttext": _fasttext_rows,
    "folder": _folder_rows,
}
