# Blocks of shards: what they have in all is the split, and a damaged or changed file is refused.
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from lengthwise.errors import FormatError
from lengthwise.prepare.shards import writer
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.shard_blocks import ShardBlocks
from lengthwise.prepare.shards.writer import blocks_of


@pytest.fixture(scope="module")
def cut(write_corpus, invent_posts, make_shards, tmp_path_factory):
    # Many small blocks in several files.
    folder = tmp_path_factory.mktemp("blocks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "BLOCK_STEPS", 40)
        return make_shards(write_corpus(folder, invent_posts(4, 60)), rows_per_shard=90)


def assert_same(found, expected):
    assert np.array_equal(found.offsets, expected.offsets)
    assert found.names == expected.names
    for name in found.names:
        assert found[name].dtype == expected[name].dtype
        assert np.array_equal(found[name], expected[name])
    assert found.classes == expected.classes


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_all_blocks_are_the_split(cut, split):
    index = read_index(cut.shards)
    blocks, whole = ShardBlocks(cut.shards, index, split), read_split(cut.shards, index, split)
    assert len(blocks) > 8
    assert len(index.splits["train"].shards) > 1
    assert_same(blocks.read(np.arange(len(blocks))), whole)
    counted = np.stack(np.unique(whole.lengths, return_counts=True), axis=1)
    assert blocks.length_counts.tolist() == counted.tolist()


def test_some_blocks_have_the_lengths_that_the_index_says_in_the_order_of_the_split(cut):
    index = read_index(cut.shards)
    blocks, whole = ShardBlocks(cut.shards, index, "train"), read_split(cut.shards, index, "train")
    place = {number: place for place, number in enumerate(whole["sequence"].tolist())}
    seen = []
    for number in range(len(blocks)):
        seen += blocks.read(np.array([number]))["sequence"].tolist()
    assert sorted(seen) == sorted(place)
    rng = np.random.default_rng(0)
    for _ in range(20):
        numbers = np.flatnonzero(rng.random(len(blocks)) < 0.3)
        part = blocks.read(numbers)
        assert part.lengths.tolist() == blocks.lengths(numbers).tolist()
        rows = [place[number] for number in part["sequence"].tolist()]
        assert rows == sorted(rows)
        assert_same(part, whole.take(rows))


def test_a_block_has_so_many_steps_and_the_rest_of_its_last_sequence():
    rng = np.random.default_rng(1)
    for lengths in ([5], [100_000], [1] * 70_000, rng.integers(1, 500, 900), [3, 100_000, 3]):
        lengths = np.sort(lengths)
        blocks = blocks_of(lengths)
        assert [row for block in blocks for row in range(*block.indices(len(lengths)))] == list(range(len(lengths)))
        for block in blocks:
            assert lengths[block][:-1].sum() < writer.BLOCK_STEPS
            assert len(lengths[block])


def test_sequences_of_one_length_lie_in_no_order_of_the_corpus(write_corpus, invent_posts, make_shards, tmp_path):
    made = make_shards(write_corpus(tmp_path, invent_posts(6, 250)), rows_per_shard=10_000)
    table = pq.read_table(made.shards / "train/00000.parquet")
    lengths, rank = table["tokens"].combine_chunks().value_lengths().to_numpy(), table["sequence"].to_numpy()
    assert np.all(np.diff(lengths) >= 0)
    of_each = [rank[lengths == length] for length in range(1, 13)]
    assert min(map(len, of_each)) > 20
    correlations = [np.corrcoef(np.arange(len(same)), same)[0, 1] for same in of_each]
    assert max(np.abs(correlations)) < 0.6
    assert abs(np.mean(correlations)) < 0.2


@pytest.fixture
def copied(cut, tmp_path):
    return shutil.copytree(cut.shards, tmp_path / "shards")


@pytest.mark.parametrize("place", [0, 200, -1])
def test_blocks_of_a_damaged_file_are_refused_before_any_is_read(copied, place):
    path = copied / "train/00001.parquet"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"00001\.parquet: has digest .*; expected .*; run the stage shards again"):
        ShardBlocks(copied, read_index(copied), "train")


def test_blocks_of_a_file_that_changes_or_goes_meanwhile_are_refused_in_one_line(copied):
    blocks = ShardBlocks(copied, read_index(copied), "train")
    path = copied / "train/00001.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(np.zeros(len(table), int)), path, row_group_size=1)
    with pytest.raises(FormatError, match=r"has other sequences than its index; run the stage shards again") as changed:
        blocks.read(np.arange(len(blocks)))
    path.unlink()
    with pytest.raises(FormatError, match=r"00001\.parquet: cannot be read .*; run the stage shards again") as gone:
        blocks.read(np.arange(len(blocks)))
    for refusal in (changed, gone):
        assert "\n" not in str(refusal.value)
