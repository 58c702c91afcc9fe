"""Reads shards back, and refuses what is not what was written."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import FormatError
from lengthwise.names import Split
from lengthwise.prepare.shards.schema import INDEX_NAME, SHARD_SCHEMA, ShardIndex
from lengthwise.ragged import offsets_of
from lengthwise.sequences import LABEL, TOKENS, Sequences
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
        Sequences with these columns per sequence beside their tokens: `label` int16, the joint class; `sequence` int32,
        its rank in the corpus's order; `document` int32, the row of its (first) document; `author` int32, the rank of
        its author.

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
            table = pq.read_table(path, schema=SHARD_SCHEMA)
        except (OSError, pa.ArrowException) as error:
            raise FormatError(f"{path}: cannot be read ({error}); {REMEDY}") from error
        tables.append(table)
    content = pa.concat_tables([SHARD_SCHEMA.empty_table(), *tables]).combine_chunks()
    lists = content["tokens"].combine_chunks()
    columns = {name: content[name].to_numpy() for name in (LABEL, "sequence", "document", "author")}
    offsets = offsets_of(lists.value_lengths().to_numpy())
    return Sequences(offsets, {TOKENS: lists.flatten().to_numpy()}, columns)
