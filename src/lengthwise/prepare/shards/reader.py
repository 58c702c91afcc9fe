"""Reads shards back, and refuses what is not what was written."""

from collections.abc import Sequence
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


def sequences_of(tables: Sequence[pa.Table], index: ShardIndex) -> Sequences:
    """Rows of shards as sequences, by rising length, ties in the corpus's order, which they do not have on disk."""
    schema = index.schema
    steps = [field.name for field in schema if pa.types.is_list(field.type)]
    parts = [schema.empty_table(), *tables]
    lengths = np.concatenate([_column(part, steps[0]).value_lengths().to_numpy() for part in parts]).astype(np.int64)
    rank = np.concatenate([part["sequence"].to_numpy() for part in parts])
    order = np.lexsort((rank, lengths))
    offsets = offsets_of(lengths[order])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    begins = offsets_of(np.array([len(part) for part in parts])).tolist()
    rows = [slice(begin, end) for begin, end in pairwise(begins)]

    def joined(name: str) -> np.ndarray:
        # Part by part into the one array that is returned: nothing else is as long as that.
        first = _values(_column(parts[0], name), flat=name in steps)
        made = np.empty((int(offsets[-1]) if name in steps else len(order), *first.shape[1:]), first.dtype)
        for part, here in zip(parts, rows, strict=True):
            at = ranges(offsets[place[here]], lengths[here]) if name in steps else place[here]
            made[at] = _values(_column(part, name), flat=name in steps)
        return made

    classes = {column.name: column.classes for column in index.form.steps if column.kind == "tags"}
    per_sequence = {name: joined(name) for name in schema.names if name not in steps}
    return Sequences(offsets, {name: joined(name) for name in steps}, per_sequence, classes)


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
