import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.batching.dealt import deal
from lengthwise.batching.plan import epoch_rng, plan_of_batches
from lengthwise.batching.registry import STRATEGIES, make_strategy

SETTINGS = {"batch_size": 5, "buckets": 3, "tokens": 64, "window": 4}


def rows_of(plan):
    """Every row as the tuple of its spans with their columns, by batch."""
    batches = []
    for number in range(len(plan)):
        spans = slice(plan.offsets[number], plan.offsets[number + 1])
        columns = [getattr(plan, name)[spans].tolist() for name in ("row", "sequence", "start", "stop", "column")]
        rows = {}
        for row, *span in zip(*columns, strict=True):
            rows.setdefault(row, []).append(tuple(span))
        assert list(rows) == list(range(len(rows)))
        batches.append([tuple(spans) for spans in rows.values()])
    return batches


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=40), shards=st.integers(1, 9), epoch=st.integers(0, 99)
)
def test_deal_gives_every_row_to_one_shard_and_a_lane_to_the_same_one(strategy, lengths, shards, epoch):
    plan = make_strategy(strategy, SETTINGS).plan(lengths, epoch_rng(0, epoch))
    dealt = deal(plan, shards)
    assert len(dealt) == len(plan) * shards
    parts = rows_of(dealt)
    assert [dealt.holds(number) for number in range(len(dealt))] == [bool(rows) for rows in parts]
    for number, rows in enumerate(rows_of(plan)):
        of_batch = parts[number * shards : (number + 1) * shards]
        assert sorted(row for part in of_batch for row in part) == sorted(rows)
        # All have as many rows, or one more.
        counts = [len(part) for part in of_batch]
        assert max(counts) - min(counts) <= 1
        if plan.start.any():
            assert of_batch == [rows[shard::shards] for shard in range(shards)]


def test_deal_gives_the_longest_rows_to_the_first_shards():
    plan = plan_of_batches(np.zeros(4, int), np.arange(4), np.array([9, 2, 5, 4]))
    parts = [[row[0][0] for row in part] for part in rows_of(deal(plan, 2))]
    assert parts == [[0, 3], [1, 2]]
    assert rows_of(deal(plan, 8))[4:] == [[]] * 4


@given(lengths=st.lists(st.integers(1, 30), min_size=8, max_size=60), shards=st.sampled_from([2, 4, 8]))
def test_shards_have_nearly_as_many_steps(lengths, shards):
    dealt = deal(plan_of_batches(np.zeros(len(lengths), int), np.arange(len(lengths)), np.array(lengths)), shards)
    steps = dealt.steps
    # What is dealt in turn, the longest first, differs by no more than the longest row.
    assert steps.max() - steps.min() <= max(lengths)


def test_deal_of_nothing_has_no_parts():
    nothing = np.zeros(0, np.int64)
    assert len(deal(plan_of_batches(nothing, nothing, nothing), 4)) == 0
