import inspect
import json
import re

import numpy as np

from lengthwise.batching.bucketed import Bucketed
from lengthwise.batching.padded import Padded
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.stats import plan_stats


def batches_of(plan):
    return [frozenset(plan.sequence[plan.batch == number].tolist()) for number in range(len(plan))]


def test_bucketed_has_the_buckets_that_its_docstring_names():
    named = re.search(r"buckets are (\[[\d, ]+\]) and (\[[\d, ]+\])", inspect.getdoc(Bucketed))
    buckets = [set(json.loads(group)) for group in named.groups()]
    assert set.union(*buckets) == {0, 1, 2, 3, 4}
    for seed in range(100):
        plan = Bucketed(batch_size=2, buckets=2).plan(np.array([3, 1, 2, 3, 1]), epoch_rng(seed, 0))
        assert all(any(members <= bucket for bucket in buckets) for members in batches_of(plan))


def test_bucketed_has_the_batch_of_the_docstring_in_some_epoch():
    wanted = {frozenset({0, 3}), frozenset({1, 4}), frozenset({2})}
    plans = [Bucketed(2, 2).plan(np.array([3, 1, 2, 3, 1]), epoch_rng(seed, 0)) for seed in range(100)]
    assert any(set(batches_of(plan)) == wanted for plan in plans)


def test_bucketed_takes_a_batch_from_one_bucket_of_neighbouring_lengths():
    rng = np.random.default_rng(2)
    lengths = rng.permutation(np.arange(1, 101))  # All distinct: a length says its bucket.
    for seed in range(50):
        plan = Bucketed(batch_size=6, buckets=4).plan(lengths, epoch_rng(seed, 0))
        for members in batches_of(plan):
            assert len({(int(lengths[member]) - 1) // 25 for member in members}) == 1
        # Each bucket of 25 is 4 full batches and one of 1.
        assert sorted(plan.rows.tolist()) == [1] * 4 + [6] * 16


def test_bucketed_has_buckets_whose_counts_differ_by_one_at_most():
    for count in range(1, 40):
        for buckets in range(1, 12):
            plan = Bucketed(batch_size=count, buckets=buckets).plan(np.arange(1, count + 1), epoch_rng(0, 0))
            sizes = sorted(plan.rows.tolist())
            assert len(sizes) == min(buckets, count)
            assert sizes[-1] - sizes[0] <= 1


def test_bucketed_deals_sequences_of_a_border_length_to_both_sides():
    lengths = np.array([1] + [5] * 4 + [9])
    with_shortest, with_longest = set(), set()
    for seed in range(100):
        for members in batches_of(Bucketed(batch_size=3, buckets=2).plan(lengths, epoch_rng(seed, 0))):
            if 0 in members:
                with_shortest |= members
            if 5 in members:
                with_longest |= members
    assert with_shortest == {0, 1, 2, 3, 4}
    assert with_longest == {1, 2, 3, 4, 5}


def test_bucketed_mixes_the_lengths_within_a_bucket():
    # In a bucket that is not shuffled, neighbours in length would always stand together.
    lengths = np.arange(1, 41)
    together = 0
    for seed in range(100):
        together += sum({0, 1} <= members for members in batches_of(Bucketed(4, 2).plan(lengths, epoch_rng(seed, 0))))
    assert 3 <= together <= 40  # 3 of 19 in expectation


def test_bucketed_spreads_the_smaller_batches_over_the_epoch():
    places = [
        int(np.flatnonzero(plan.rows < 5)[0])
        for plan in (Bucketed(5, 1).plan(np.full(26, 3), epoch_rng(seed, 0)) for seed in range(100))
    ]
    assert set(places) == {0, 1, 2, 3, 4, 5}


def test_bucketed_pads_less_than_padded():
    lengths = np.random.default_rng(3).integers(5, 31, 5000)
    bucketed = plan_stats(Bucketed(64, 5).plan(lengths, epoch_rng(1, 0)))
    padded = plan_stats(Padded(64).plan(lengths, epoch_rng(1, 0)))
    assert bucketed.padding_share < padded.padding_share / 3
