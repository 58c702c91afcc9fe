"""Columns by their names, of Arrow tables, data frames, Parquet files and Hugging Face datasets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import FormatError

# Rows of a streamed dataset that are taken at a time.
STREAMED_ROWS = 1000

Columns = Mapping[str, Any]
Names = str | Sequence[str] | Mapping[str, str]
Paths = Path | str | Sequence[Path | str]


def renamed(names: Names) -> dict[str, str]:
    """Columns of a source by the names that they get."""
    if isinstance(names, str):
        return {names: names}
    return dict(names) if isinstance(names, Mapping) else {name: name for name in names}


def columns_of(source: Any, wanted: list[str]) -> tuple[Columns, Mapping[str, Sequence[str]]]:  # noqa: ANN401
    """The columns that are wanted, and the classes of those that say so themselves."""
    if is_hugging_face(source):
        return _of_hugging_face(source, wanted)
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, str | Path) or (
        isinstance(source, list | tuple) and source and all(isinstance(path, str | Path) for path in source)
    ):
        return _of_files(source, wanted), {}
    if isinstance(source, pa.Table):
        _expect_columns("table", source.column_names, wanted)
    elif isinstance(source, Mapping) or hasattr(source, "iloc"):
        # A dict of splits is a dict too, but its values are no columns.
        if splits := [name for name in source if is_hugging_face(source[name])]:
            raise TypeError(f"source: got {type(source).__name__}; expected one split of it, such as {splits[0]!r}")
        _expect_columns("table", list(source), wanted)
    else:
        raise TypeError(
            f"source: got {type(source).__name__}; expected a table, a data frame, a dict of columns, a dataset, or "
            "paths of Parquet files"
        )
    return {name: source[name] for name in wanted}, {}


def known_classes(source: object, wanted: Sequence[str]) -> dict[str, Sequence[str]]:
    """The classes that a dataset of Hugging Face says of its columns itself, of lists of labels too."""
    features = (getattr(source, "features", None) or {}) if is_hugging_face(source) else {}
    found = {}
    for name in wanted:
        feature: Any = features.get(name)
        while hasattr(feature, "feature"):
            feature = feature.feature
        if getattr(feature, "names", None):
            found[name] = feature.names
    return found


def is_hugging_face(source: object) -> bool:
    """Whether it is one split of a dataset, in memory, mapped or streamed."""
    return not isinstance(source, dict) and all(hasattr(source, name) for name in ("select_columns", "column_names"))


def _expect_columns(source: str, known: Iterable[str], wanted: list[str]) -> None:
    names = [str(name) for name in known]
    if missing := [name for name in wanted if name not in names]:
        raise FormatError(f"{source}: has no column {missing[0]!r}; expected one of its columns, {', '.join(names)}")


def parquet_files(given: Path | str) -> list[Path]:
    """A file, or those of a folder in the order of their names.

    Raises:
        FormatError: the folder has none.
    """
    path = Path(given)
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise FormatError(f"{path}: has no file *.parquet; expected a Parquet file, or a folder of them")
    return files


def parquet_parts(paths: Sequence[Path], wanted: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """So many rows at a time of Parquet files one after another, the last time perhaps fewer.

    Raises:
        FormatError: a file cannot be read, or lacks a column.
    """
    kept: list[pa.RecordBatch] = []
    count = 0
    for path in paths:
        with _parquet_file(path) as file:
            _expect_as_others(path, file, wanted)
            for batch in file.iter_batches(batch_size=rows, columns=list(dict.fromkeys(wanted))):
                rest = batch
                while count + len(rest) >= rows:
                    kept.append(rest.slice(0, rows - count))
                    rest = rest.slice(rows - count)
                    yield pa.Table.from_batches(kept)
                    kept, count = [], 0
                if len(rest):
                    kept.append(rest)
                    count += len(rest)
    if kept:
        yield pa.Table.from_batches(kept)


class RowGroups:
    """The row groups of Parquet files, numbered from 0 through all files: what can be read without the rest of a file.

    Args:
        paths: of the files, in order.
        wanted: names of the columns that are read; each file has them.

    Attributes:
        rows: int64 (B,), how many rows each row group has.

    Raises:
        FormatError: a file cannot be read, or lacks a column.
    """

    def __init__(self, paths: Sequence[Path], wanted: Sequence[str]) -> None:
        self._paths, self._wanted = list(paths), list(dict.fromkeys(wanted))
        rows: list[int] = []
        begins = []
        for path in self._paths:
            begins.append(len(rows))
            with _parquet_file(path) as file:
                _expect_as_others(path, file, wanted)
                rows += [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        self.rows = np.array(rows, np.int64)
        self._begins = np.array(begins, np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, numbers: np.ndarray) -> list[pa.Table]:
        """The row groups of these numbers, which rise: a table for each file that has some of them, in their order.

        Arrow reads in one thread: the others are at work on what was read before.

        Raises:
            FormatError: a file cannot be read.
        """
        of_file = np.searchsorted(self._begins, numbers, side="right") - 1
        tables = []
        for place in np.unique(of_file).tolist():
            groups = (numbers[of_file == place] - self._begins[place]).tolist()
            with _parquet_file(self._paths[place]) as file:
                tables.append(file.read_row_groups(groups, self._wanted, use_threads=False))
        return tables


def _expect_as_others(path: Path, file: pq.ParquetFile, wanted: Sequence[str]) -> None:
    if missing := [name for name in wanted if name not in file.schema_arrow.names]:
        raise FormatError(f"{path}: has no column {missing[0]!r}; expected it as in the others")


@contextmanager
def _parquet_file(path: Path) -> Iterator[pq.ParquetFile]:
    """A file, whose damage is said in one line."""
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: cannot be read ({reason}); expected a Parquet file") from error


def _of_files(paths: Paths, wanted: list[str]) -> Columns:
    """Columns of Parquet files, one file after another."""
    tables = []
    for given in [paths] if isinstance(paths, str | Path) else paths:
        for name in parquet_files(given):
            with _parquet_file(name) as file:
                _expect_columns(str(name), file.schema_arrow.names, wanted)
                tables.append(file.read(list(dict.fromkeys(wanted))))
            if not tables[-1].schema.equals(tables[0].schema):
                raise FormatError(f"{name}: has columns of other types than the file before; expected the same")
    return pa.concat_tables(tables)


def _of_hugging_face(dataset: Any, wanted: list[str]) -> tuple[Columns, Mapping[str, Sequence[str]]]:  # noqa: ANN401
    """Columns of one split; a stream has no length and may not know its columns."""
    if dataset.column_names is not None:
        _expect_columns("dataset", dataset.column_names, wanted)
    classes = known_classes(dataset, wanted)
    if hasattr(dataset, "__len__"):
        return dataset.select_columns(wanted).with_format("arrow")[:], classes
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    for batch in dataset.iter(batch_size=STREAMED_ROWS):
        _expect_columns("dataset", list(batch), wanted)
        for name in wanted:
            columns[name] += list(batch[name])
    return columns, classes
