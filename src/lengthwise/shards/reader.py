"""Reads shards back, and refuses what is not what was written."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import FormatError
from lengthwise.files import file_digest
from lengthwise.ragged import offsets_of
from lengthwise.seals import read_sealed_json, rerun
from lengthwise.shards.schema import INDEX_NAME, SHARD_SCHEMA, ShardIndex, SplitName

REMEDY = rerun("shards")


@dataclass(frozen=True)
class Sequences:
    """Sequences of tokens with what is known of each, in memory.

    Attributes:
        tokens: int32 (N,), one sequence after another.
        offsets: int64 (S + 1,), where each begins.
        label: int16 (S,), the joint class.
        sequence: int32 (S,), its rank in the corpus's order.
        document: int32 (S,), the row of its (first) document.
        author: int32 (S,), the rank of its author.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    label: np.ndarray
    sequence: np.ndarray
    document: np.ndarray
    author: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens in each sequence: int64 (S,)."""
        return np.diff(self.offsets)


def read_index(folder: Path) -> ShardIndex:
    """Read the index of a folder of shards.

    Raises:
        FormatError: it is absent or damaged, or not as `ShardIndex` says.
    """
    return read_sealed_json(folder / INDEX_NAME, ShardIndex, "shards")


def read_split(folder: Path, index: ShardIndex, split: SplitName) -> Sequences:
    """Read a whole split, its digests checked, by rising length.

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
    columns = {name: content[name].to_numpy() for name in ("label", "sequence", "document", "author")}
    return Sequences(tokens=lists.flatten().to_numpy(), offsets=offsets_of(lists.value_lengths().to_numpy()), **columns)
