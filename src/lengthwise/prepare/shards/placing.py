"""Which shard each sequence goes to, and which number it has in its split, from lengths and splits alone.

What there is of every sequence lies in scratch files. In memory are nine bytes for each sequence of a split while its
shards are found, ten where there are 256 lengths or more, and what a slice has.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lengthwise.core.names import SPLITS
from lengthwise.core.ragged import offsets_of
from lengthwise.errors import CorpusError

# Sequences that are placed at once.
CHUNK = 1 << 18
# Of a split: their numbers have 32 bits.
MOST_SEQUENCES = np.iinfo(np.int32).max
# Of a shard: what lists of Arrow count their values with.
MOST_STEPS = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Placement:
    """Where the sequences of a corpus go.

    Attributes:
        lengths: by split, how many of its sequences have each length, by rising length.
        shards: by split, the numbers of its shards; over all splits they rise.
        folder: of the scratch files.
    """

    lengths: list[dict[int, int]]
    shards: list[range]
    folder: Path

    @contextmanager
    def in_order(self) -> Iterator["Places"]:
        """Read the places of all sequences in the corpus's order."""
        with ExitStack() as stack:
            yield Places([stack.enter_context(_file(self.folder, "shard", n).open("rb")) for n in range(len(SPLITS))])


class Places:
    """The places of sequences, some after others.

    Args:
        streams: by split, the shard of each of its sequences.
    """

    def __init__(self, streams: Sequence[BinaryIO]) -> None:
        self._streams = streams
        self._seen = [0] * len(streams)

    def take(self, split: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places of the next sequences.

        Args:
            split: int8 (P,), indices into `SPLITS`.

        Returns:
            The shard of each, and its number in its split: int32 (P,).
        """
        shard, sequence = np.empty((2, len(split)), np.int32)
        for number, stream in enumerate(self._streams):
            members = np.flatnonzero(split == number)
            shard[members] = np.fromfile(stream, np.int32, len(members))
            sequence[members] = np.arange(len(members)) + self._seen[number]
            self._seen[number] += len(members)
        return shard, sequence


def place(slices: Iterable[tuple[np.ndarray, np.ndarray]], rows_per_shard: int, folder: Path) -> Placement:
    """Give every sequence its shard: those of a split by rising length, so many in each, ties in random order.

    Args:
        slices: the length and the split of the sequences of each slice: int (P,), and indices into `SPLITS`.
        rows_per_shard: sequences of a shard; the last of a split has the rest.
        folder: for scratch files.

    Raises:
        CorpusError: a split has more sequences, or a shard more steps, than there are numbers of 32 bits.
    """
    counts: list[Counter[int]] = [Counter() for _ in SPLITS]
    with ExitStack() as stack:
        streams = [stack.enter_context(_file(folder, "length", number).open("wb")) for number in range(len(SPLITS))]
        for lengths, splits in slices:
            for number, stream in enumerate(streams):
                here = lengths[splits == number]
                here.astype(np.int32).tofile(stream)
                kinds, times = np.unique(here, return_counts=True)
                counts[number].update(dict(zip(kinds.tolist(), times.tolist(), strict=True)))
    shards: list[range] = []
    for number, of_split in enumerate(counts):
        if (count := of_split.total()) > MOST_SEQUENCES:
            raise CorpusError(
                f"shards: the split {SPLITS[number]} has {count} sequences; expected at most {MOST_SEQUENCES}; take "
                "longer units, such as shards.unit=document, or a part of the corpus by ingest.groups"
            )
        if (most := int(_steps_of_shards(of_split, rows_per_shard).max(initial=0))) > MOST_STEPS:
            raise CorpusError(
                f"shards: a file would have {most} steps; expected at most {MOST_STEPS}; lower shards.rows_per_shard, "
                "or set shards.max_length, and shards.too_long to split"
            )
        path = _file(folder, "length", number)
        first = shards[-1].stop if shards else 0
        shards.append(range(first, first - (-count // rows_per_shard)))
        shard = _rank_by_length(path, of_split, number)
        path.unlink()
        shard //= rows_per_shard
        shard += first
        shard.tofile(_file(folder, "shard", number))
    return Placement([dict(sorted(of_split.items())) for of_split in counts], shards, folder)


def by_length(length: np.ndarray, seed: int) -> np.ndarray:
    """The order by rising length, ties in random order: int64 (R,)."""
    shuffled = np.random.default_rng(seed).permutation(len(length))
    return shuffled[np.argsort(length[shuffled], kind="stable")]


def _steps_of_shards(counts: Mapping[int, int], rows_per_shard: int) -> np.ndarray:
    """The steps of all sequences of each shard of a split, from how many have each length: int64."""
    length, times = np.array(sorted(counts.items()), np.int64).reshape(-1, 2).T
    ends, steps = np.cumsum(times), np.cumsum(length * times)
    cuts = np.minimum(np.arange(0, times.sum() + rows_per_shard, rows_per_shard), times.sum())
    # Of so many of the shortest, those of the last length are not all there.
    last = np.searchsorted(ends, cuts)
    return np.diff(steps[last] - (ends[last] - cuts) * length[last]) if len(ends) else cuts[1:]


def _rank_by_length(path: Path, counts: Mapping[int, int], seed: int) -> np.ndarray:
    """Where each sequence is in the order of `by_length`, in less memory: int32 (R,).

    Args:
        path: a file of their lengths, int32 (R,).
        counts: how many sequences have each length.
        seed: of the order.
    """
    kinds, times = np.array(sorted(counts.items()), np.int32).reshape(-1, 2).T
    ahead = offsets_of(times)[:-1]
    # Numbers of 16 bits are sorted by their digits, in a tenth of the time.
    kind = np.empty(int(times.sum()), np.min_scalar_type(len(kinds)))
    with path.open("rb") as stream:
        for begin in range(0, len(kind), CHUNK):
            lengths = np.fromfile(stream, np.int32, CHUNK)
            kind[begin : begin + CHUNK] = np.searchsorted(kinds, lengths)
    rank = np.empty(len(kind), np.int32)
    # As `permutation` draws it, in half of its memory.
    shuffled = np.arange(len(kind), dtype=np.int32)
    np.random.default_rng(seed).shuffle(shuffled)
    for begin in range(0, len(kind), CHUNK):
        members = shuffled[begin : begin + CHUNK]
        of_members = kind[members]
        order = np.argsort(of_members, kind="stable")
        here = np.bincount(of_members, minlength=len(kinds))
        of_members = of_members[order]
        rank[members[order]] = ahead[of_members] + np.arange(len(members)) - offsets_of(here)[of_members]
        ahead += here
    return rank


def _file(folder: Path, kind: str, split: int) -> Path:
    return folder / f"{kind} of {SPLITS[split]}"
