"""Reads shards back, and refuses what is not what was written."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.core.names import Split
from lengthwise.core.ragged import offsets_of, ranges
from lengthwise.core.sequences import Sequences
from lengthwise.errors import FormatError
from lengthwise.prepare.shards.schema import INDEX_NAME, ShardEntry, ShardIndex
from lengthwise.system.files import file_digest
from lengthwise.system.seals import read_sealed_json, rerun

REMEDY = rerun("shards")


def read_index(folder: Path) -> ShardIndex:
    """Read the index of a folder of shards.

    Raises:
        FormatError: it is absent or damaged, or not as `ShardIndex` says.
    """
    return read_sealed_json(folder / INDEX_NAME, ShardIndex, "shards")


def read_split(folder: Path, index: ShardIndex, split: Split) -> Sequences:
    """Read a whole split, its digests checked, by rising length, ties in the corpus's order.

    Returns:
        Sequences with these columns per sequence: `label` int32, the joint class; `sequence` int32, its rank in the
        corpus's order; `document` int32, the row of its (first) document; `group` int32, the rank of its group; where
        the index says so, `numbers` float64 (S, K) and `labels` int32 (S, F). Per step: `tokens` int32 (N,), `affixes`
        int32 (N, 4), tags and features, as the index says.

    Raises:
        FormatError: a file is absent, damaged, or not the one that the index was written for.
    """
    tables = []
    for entry in index.splits[split].shards:
        path = checked_shard(folder, entry)
        try:
            tables.append(pq.read_table(path, schema=index.schema))
        except (OSError, pa.ArrowException) as error:
            raise FormatError(f"{path}: cannot be read ({error}); {REMEDY}") from error
    return sequences_of(tables, index)


def checked_shard(folder: Path, entry: ShardEntry) -> Path:
    """The path of a shard that is the one that the index was written for.

    Raises:
        FormatError: it is absent, damaged or another one.
    """
    path = folder / entry.file
    try:
        digest = file_digest(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error}); {REMEDY}") from error
    if digest != entry.digest:
        raise FormatError(f"{path}: has digest {digest:.12}; expected {entry.digest:.12}; {REMEDY}")
    return path


def sequences_of(tables: list[pa.Table], index: ShardIndex) -> Sequences:
    """Rows of shards as sequences, by rising length, ties in the corpus's order, which they do not have on disk.

    Args:
        tables: they are taken out of the list, so that each column goes once its values are joined.
        index: of the shards.
    """
    schema = index.schema
    steps = [field.name for field in schema if pa.types.is_list(field.type)]
    parts = [schema.empty_table(), *tables]
    tables.clear()
    lengths = np.concatenate([_column(part, steps[0]).value_lengths().to_numpy() for part in parts])
    # Both have 32 bits: as one number they are sorted in a third of the time.
    rank = np.concatenate([part["sequence"].to_numpy() for part in parts])
    order = np.argsort(lengths.astype(np.int64) << 32 | rank)
    offsets = offsets_of(lengths[order])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    del order, rank
    begins = offsets_of(np.array([len(part) for part in parts])).tolist()
    rows = [slice(begin, end) for begin, end in pairwise(begins)]

    def joined(name: str) -> np.ndarray:
        first = _values(_column(parts[0], name), flat=name in steps)
        made = np.empty((int(offsets[-1]) if name in steps else len(place), *first.shape[1:]), first.dtype)
        for number, here in enumerate(rows):
            at = ranges(offsets[place[here]], lengths[here]) if name in steps else place[here]
            made[at] = _values(_column(parts[number], name), flat=name in steps)
            parts[number] = parts[number].drop_columns([name])
        return made

    classes = {column.name: column.classes for column in index.form.steps if column.kind == "tags"}
    per_step = {name: joined(name) for name in steps}
    per_sequence = {name: joined(name) for name in schema.names if name not in steps}
    return Sequences(offsets, per_step, per_sequence, classes)


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table[name].combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _values(column: pa.Array, *, flat: bool) -> np.ndarray:
    """A column of numbers (N,), or of as many in each entry (N, D); of lists that of their entries."""
    if flat:
        column = column.flatten()
    if pa.types.is_fixed_size_list(column.type):
        return column.flatten().to_numpy().reshape(-1, column.type.list_size)
    return column.to_numpy()
