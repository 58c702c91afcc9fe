"""Columns by their names, of Arrow tables, data frames, Parquet files and Hugging Face datasets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
        try:
            with pq.ParquetFile(path) as file:
                if missing := [name for name in wanted if name not in file.schema_arrow.names]:
                    raise FormatError(f"{path}: has no column {missing[0]!r}; expected it as in the others")
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
        except (OSError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())
            raise FormatError(f"{path}: cannot be read ({reason}); expected a Parquet file") from error
    if kept:
        yield pa.Table.from_batches(kept)


def _of_files(paths: Paths, wanted: list[str]) -> Columns:
    """Columns of Parquet files, one file after another."""
    tables = []
    for given in [paths] if isinstance(paths, str | Path) else paths:
        for name in parquet_files(given):
            try:
                with pq.ParquetFile(name) as file:
                    _expect_columns(str(name), file.schema_arrow.names, wanted)
                    tables.append(file.read(list(dict.fromkeys(wanted))))
            except (OSError, pa.ArrowException) as error:
                reason = " ".join(str(error).split())
                raise FormatError(f"{name}: cannot be read ({reason}); expected a Parquet file") from error
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
