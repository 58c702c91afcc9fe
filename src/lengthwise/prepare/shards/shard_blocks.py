"""The sequences of a split, read block by block: a window of blocks is in memory, and not the split."""

from pathlib import Path

import numpy as np

from lengthwise.core.names import Split
from lengthwise.core.ragged import offsets_of, ranges
from lengthwise.core.sequences import Sequences
from lengthwise.errors import FormatError
from lengthwise.prepare.shards.reader import REMEDY, checked_shard, sequences_of
from lengthwise.prepare.shards.schema import ShardIndex
from lengthwise.tables import RowGroups


class ShardBlocks:
    """The blocks of a split's shards, in their order: by rising length.

    How long their sequences are the index says, so that plans need no block.

    Args:
        folder: of the shards.
        index: of the folder.
        split: which sequences.

    Raises:
        FormatError: a file is absent, damaged, or not the one that the index was written for.
    """

    def __init__(self, folder: Path, index: ShardIndex, split: Split) -> None:
        entry = index.splits[split]
        paths = [checked_shard(folder, shard) for shard in entry.shards]
        self._index, self._folder = index, folder
        try:
            self._groups = RowGroups(paths, index.schema.names)
        except FormatError as error:
            raise FormatError(f"{error}; {REMEDY}") from error
        self._begins = offsets_of(self._groups.rows)
        self.length_counts = np.array(entry.lengths, np.int64).reshape(-1, 2)
        self._ends = np.cumsum(self.length_counts[:, 1])

    def __len__(self) -> int:
        return len(self._groups)

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        """Steps of the sequences of some blocks, whose numbers rise: int64 (S,), as `read` has them."""
        rows = ranges(self._begins[numbers], self._groups.rows[numbers])
        # Sequences lie by rising length.
        return self.length_counts[np.searchsorted(self._ends, rows, side="right"), 0]

    def read(self, numbers: np.ndarray) -> Sequences:
        """The sequences of some blocks, whose numbers rise, as `read_split` gives them of all.

        Raises:
            FormatError: a file has been changed or removed since the blocks were counted.
        """
        try:
            sequences = sequences_of(self._groups.read(numbers), self._index)
        except FormatError as error:
            raise FormatError(f"{error}; {REMEDY}") from error
        if not np.array_equal(sequences.lengths, self.lengths(numbers)):
            raise FormatError(f"{self._folder}: has other sequences than its index; {REMEDY}")
        return sequences
