"""Lengths from where people have them: a number a line, a column of a table, the lists of a dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from lengthwise.errors import FormatError
from lengthwise.tables import parquet_files

TEXT, CSV, PARQUET = (".txt", ""), (".csv", ".tsv"), (".parquet",)
# Bytes that are read of a text: some hundred million lengths.
LARGEST_TEXT = 1 << 30
MOST_DIGITS = 18


def read_lengths(path: Path, column: str | None = None) -> np.ndarray:
    """The lengths in a file: int64 (S,).

    Args:
        path: a text with a whole number a line (`.txt`, or no suffix); a table `.csv` or `.tsv` with a header, a column
            of numbers; a table `.parquet`, or a folder of them, a column of numbers or of lists, whose lengths count.
        column: of the table; None: the only one that has numbers or lists.

    Raises:
        FormatError: it cannot be read, is of another type, has no such column, or what is in it is no whole number.
    """
    suffix = path.suffix.lower()
    if path.is_dir() or suffix in PARQUET:
        return _of_parquet(path, column)
    if suffix in CSV:
        return _of_csv(path, column)
    if suffix not in TEXT:
        known = ", ".join(suffix for suffix in (*TEXT, *CSV, *PARQUET) if suffix)
        raise FormatError(f"{path}: has the suffix {suffix}; expected one of {known}, or a folder of Parquet files")
    if column is not None:
        raise FormatError(f"{path}: is a text, which has no column {column!r}; expected a table; leave the column out")
    try:
        with path.open("rb") as stream:
            return text_lengths(stream, str(path))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); expected a file of lengths") from error


def text_lengths(stream: BinaryIO, name: str) -> np.ndarray:
    """The lengths of a text, a whole number a line; lines without anything are skipped: int64 (S,).

    Args:
        stream: read to its end.
        name: for messages.

    Raises:
        FormatError: a line is something else, or the text is too large.
    """
    content = stream.read(LARGEST_TEXT + 1)
    if len(content) > LARGEST_TEXT:
        raise FormatError(f"{name}: has more than {LARGEST_TEXT} bytes; expected fewer; give it as Parquet")
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    stripped = [line.strip() for line in lines]
    kept = [line for line in stripped if line]
    # `isdigit` of bytes knows ASCII only; a number of 18 digits fits 64 bits.
    if not all(line.isdigit() and len(line) <= MOST_DIGITS for line in kept):
        wrong = next(n for n, line in enumerate(stripped) if line and not _whole(line))
        got = stripped[wrong].decode("utf-8", "backslashreplace")
        raise FormatError(f"{name}: line {wrong + 1} is {got!r:.80}; expected a whole number from 1; correct it")
    return np.array(kept, dtype=f"S{MOST_DIGITS}").astype(np.int64) if kept else np.zeros(0, np.int64)


def _whole(line: bytes) -> bool:
    return line.isdigit() and len(line) <= MOST_DIGITS


def _of_csv(path: Path, column: str | None) -> np.ndarray:
    options = pcsv.ParseOptions(delimiter="\t" if path.suffix.lower() == ".tsv" else ",", newlines_in_values=True)
    try:
        table = pcsv.read_csv(path, parse_options=options)
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"{path}: cannot be read ({_said(error)}); expected a table with a header") from error
    return _column(path, table, column)


def _of_parquet(path: Path, column: str | None) -> np.ndarray:
    found: list[np.ndarray] = []
    for file in parquet_files(path):
        try:
            with pq.ParquetFile(file) as opened:
                name = _name(file, opened.schema_arrow, column)
                # A row group at a time: lists may be larger than the memory.
                found += [
                    _values(file, name, opened.read_row_group(number, columns=[name])[name])
                    for number in range(opened.num_row_groups)
                ]
        except (OSError, pa.ArrowException) as error:
            raise FormatError(f"{file}: cannot be read ({_said(error)}); expected a Parquet file") from error
    return np.concatenate([np.zeros(0, np.int64), *found])


def _column(path: Path, table: pa.Table, column: str | None) -> np.ndarray:
    name = _name(path, table.schema, column)
    return _values(path, name, table[name])


def _name(path: Path, schema: pa.Schema, column: str | None) -> str:
    """The column that is meant.

    Raises:
        FormatError: there is none, or several could be.
    """
    names: Sequence[str] = schema.names
    if column is not None:
        if column not in names:
            raise FormatError(f"{path}: has no column {column!r}; expected one of its columns, {', '.join(names)}")
        return column
    lists = [field.name for field in schema if _is_list(field.type)]
    numbers = [field.name for field in schema if pa.types.is_integer(field.type)]
    candidates = lists or numbers or list(names)
    if len(candidates) != 1:
        raise FormatError(
            f"{path}: has the columns {', '.join(names) or '(none)'}; expected one to be named; give --column"
        )
    return candidates[0]


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _values(path: Path, name: str, column: Any) -> np.ndarray:  # noqa: ANN401 - a chunked array.
    """Numbers as they are, and of lists their lengths."""
    values = pc.list_value_length(column) if _is_list(column.type) else column
    if not len(values):
        return np.zeros(0, np.int64)
    if values.null_count:
        row = int(np.flatnonzero(pc.is_null(values).to_numpy(zero_copy_only=False))[0])
        raise FormatError(f"{path}: column {name!r} is empty in row {row}; expected a whole number from 1; correct it")
    if not pa.types.is_integer(values.type):
        raise FormatError(
            f"{path}: column {name!r} is of type {values.type}; expected whole numbers, or lists that have lengths"
        )
    if pa.types.is_uint64(values.type) and pc.max(values).as_py() > np.iinfo(np.int64).max:
        raise FormatError(f"{path}: column {name!r} has {pc.max(values).as_py()}; expected lengths below 2**31")
    return np.asarray(values.to_numpy(), np.int64)


def _said(error: Exception) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error)).split())
