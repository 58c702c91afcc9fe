import numpy as np
import pytest

from lengthwise.core.names import SPLITS
from lengthwise.errors import CorpusError
from lengthwise.prepare.shards import placing
from lengthwise.prepare.shards.placing import _steps_of_shards, by_length, place

COUNT = len(SPLITS)


def slices_of(seed, sequences, longest=9):
    rng = np.random.default_rng(seed)
    lengths, splits = rng.integers(1, longest, sequences), rng.integers(0, rng.integers(1, COUNT + 1), sequences)
    cuts = np.sort(rng.integers(0, sequences + 1, 4))
    return [*zip(np.split(lengths, cuts), np.split(splits.astype(np.int8), cuts), strict=True)]


@pytest.mark.parametrize("chunk", [3, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_places_are_those_of_one_sort_by_length(monkeypatch, tmp_path, seed, chunk):
    monkeypatch.setattr(placing, "CHUNK", chunk)
    slices, rows = slices_of(seed, [0, 1, 40, 200, 333][seed], [9, 2, 3, 9, 500][seed]), 7
    length, split = (np.concatenate(parts) for parts in zip(*slices, strict=True))
    shard, sequence = np.empty((2, len(length)), int)
    first = 0
    for number in range(COUNT):
        members = np.flatnonzero(split == number)
        sequence[members] = np.arange(len(members))
        shard[members[by_length(length[members], number)]] = first + np.arange(len(members)) // rows
        first += -(-len(members) // rows)
    placed = place(iter(slices), rows, tmp_path)
    with placed.in_order() as places:
        found = [places.take(splits) for _, splits in slices]
    np.testing.assert_array_equal(np.concatenate([shards for shards, _ in found]), shard)
    np.testing.assert_array_equal(np.concatenate([numbers for _, numbers in found]), sequence)
    assert [number for shards in placed.shards for number in shards] == sorted({*shard.tolist()})
    steps = np.concatenate([_steps_of_shards(counts, rows) for counts in placed.lengths])
    np.testing.assert_array_equal(steps, np.bincount(shard, length, minlength=first))
    for number, counts in enumerate(placed.lengths):
        kinds, times = np.unique(length[split == number], return_counts=True)
        assert list(counts.items()) == [*zip(kinds.tolist(), times.tolist(), strict=True)]


def test_more_sequences_than_numbers_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(placing, "MOST_SEQUENCES", 10)
    with pytest.raises(CorpusError, match="shards: the split train has 11 sequences; expected at most 10; take longer"):
        place(iter([(np.ones(11, int), np.zeros(11, np.int8))]), 5, tmp_path)
