from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.batching.packed import Packed, fill_rows
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.stats import plan_stats

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=80)


def best_fit_decreasing(lengths, window):
    # Sequence by sequence, as the textbook has it.
    spaces = []
    for length in sorted(lengths, reverse=True):
        fitting = [space for space in spaces if space >= length]
        if fitting:
            spaces[spaces.index(min(fitting))] -= length
        else:
            spaces.append(max(window, length) - length)
    return sorted(spaces)


def rows_of(plan):
    rows = {}
    for number in range(len(plan.sequence)):
        rows.setdefault((int(plan.batch[number]), int(plan.row[number])), []).append(number)
    return rows


@settings(max_examples=up_to(300))
@given(LENGTHS, st.integers(1, 45))
def test_fill_rows_is_best_fit_decreasing(lengths, window):
    counts = Counter(lengths)
    rows = fill_rows(sorted(counts), [counts[length] for length in sorted(counts)], window)
    found = Counter()
    spaces = []
    for kind in rows:
        width = sum(length * number for length, number in kind.content)
        assert width <= window or kind.content == ((width, 1),)
        spaces += [max(window, width) - width] * kind.count
        for length, number in kind.content:
            found[length] += kind.count * number
    assert found == counts
    assert sorted(spaces) == best_fit_decreasing(lengths, window)


@settings(max_examples=up_to(200), deadline=None)
@given(LENGTHS, st.integers(1, 45), st.integers(1, 9), st.integers(0, 1000))
def test_packed_rows_are_whole_sequences_without_gaps_up_to_the_window(lengths, window, batch_size, seed):
    lengths = np.array(lengths)
    plan = Packed(batch_size, window).plan(lengths, epoch_rng(seed, 0))
    assert not plan.start.any()
    assert np.array_equal(plan.stop, lengths[plan.sequence])
    for spans in rows_of(plan).values():
        assert [int(plan.column[span]) for span in spans] == [0, *np.cumsum(plan.stop[spans])[:-1].tolist()]
        assert int(plan.stop[spans].sum()) <= window or len(spans) == 1


def test_packed_fills_rows_of_real_lengths_to_a_thousandth():
    lengths = np.random.default_rng(3).integers(5, 31, 50_000)
    stats = plan_stats(Packed(batch_size=64, window=128).plan(lengths, epoch_rng(1, 0)))
    assert stats.padding_share < 0.001


def test_packed_batches_long_sequences_with_their_like():
    lengths = np.concatenate([np.full(400, 5), np.full(40, 1000), np.full(40, 2000)])
    plan = Packed(batch_size=8, window=20).plan(lengths, epoch_rng(1, 0))
    assert set(plan.widths.tolist()) <= {20, 1000, 2000}
    assert plan_stats(plan).padding_share < 0.3


@pytest.mark.parametrize("window", [1, 2])
def test_packed_gives_each_sequence_a_row_where_no_two_fit(window):
    lengths = np.array([2, 2, 3, 2])
    plan = Packed(batch_size=3, window=window).plan(lengths, epoch_rng(0, 0))
    assert not plan.column.any()


def test_packed_puts_different_sequences_of_a_length_together():
    lengths = np.array([3] * 6 + [1] * 6)
    partners = Counter()
    for seed in range(300):
        plan = Packed(batch_size=2, window=4).plan(lengths, epoch_rng(seed, 0))
        for left, right in pairwise(range(len(plan.sequence))):
            if plan.column[right]:
                partners[int(plan.sequence[left]), int(plan.sequence[right])] += 1
    assert len(partners) == 36
    assert min(partners.values()) > 20  # 50 expected.
