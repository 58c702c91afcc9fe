"""Reads shards back, and refuses what is not what was written."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.core.names import Split
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.errors import FormatError
from lengthwise.prepare.shards.schema import INDEX_NAME, ShardIndex
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
    """Read a whole split, its digests checked, by rising length.

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
        path = folder / entry.file
        try:
            digest = file_digest(path)
            if digest != entry.digest:
                raise FormatError(f"{path}: has digest {digest:.12}; expected {entry.digest:.12}; {REMEDY}")
            table = pq.read_table(path, schema=index.schema)
        except (OSError, pa.ArrowException) as error:
            raise FormatError(f"{path}: cannot be read ({error}); {REMEDY}") from error
        tables.append(table)
    content = pa.concat_tables([index.schema.empty_table(), *tables])
    columns = {name: content[name].combine_chunks() for name in index.schema.names}
    per_step = {name: column for name, column in columns.items() if pa.types.is_list(column.type)}
    per_sequence = {name: _values(column) for name, column in columns.items() if name not in per_step}
    offsets = offsets_of(next(iter(per_step.values())).value_lengths().to_numpy())
    classes = {column.name: column.classes for column in index.form.steps if column.kind == "tags"}
    steps = {name: _values(column.flatten()) for name, column in per_step.items()}
    return Sequences(offsets, steps, per_sequence, classes)


def _values(column: pa.Array) -> np.ndarray:
    """A column of numbers (N,), or of as many in each entry (N, D)."""
    if pa.types.is_fixed_size_list(column.type):
        return column.flatten().to_numpy().reshape(-1, column.type.list_size)
    return column.to_numpy()
