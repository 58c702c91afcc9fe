# Against other ways to compute the same: SciPy's rank correlation, sums of squares batch by batch.
import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from lengthwise.advice.spread import MOST_SPANS, epochs_to_measure, length_order
from lengthwise.batching.exact import Exact
from lengthwise.batching.packed import Packed
from lengthwise.batching.padded import Padded
from lengthwise.batching.plan import batches_in_order


def by_hand(plan, lengths):
    batches = [lengths[plan.sequence[plan.batch == number]].astype(float) for number in range(len(plan))]
    means = [batch.mean() for batch in batches]
    neighbours = 0.0
    if len(means) > 3 and len(set(means[1:])) > 1 and len(set(means[:-1])) > 1:
        neighbours = spearmanr(means[:-1], means[1:]).statistic
    everything = np.concatenate(batches)
    total = ((everything - everything.mean()) ** 2).sum()
    free = len(everything) - len(batches)
    if not free or not total:
        return neighbours, 0.0
    within = sum(((batch - batch.mean()) ** 2).sum() for batch in batches)
    return neighbours, max(0.0, 1 - (within / free) / (total / (len(everything) - 1)))


@settings(max_examples=up_to(150), deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=80), st.integers(1, 9), st.booleans())
def test_length_order_equals_what_is_computed_batch_by_batch(lengths, batch_size, packs):
    strategy = Packed(batch_size, 20) if packs else Padded(batch_size)
    plan = strategy.plan(lengths)
    found = length_order([plan], np.array(lengths))
    assert (found.neighbours, found.alike) == pytest.approx(by_hand(plan, np.array(lengths)), abs=1e-7)


def test_rising_batches_correlate_and_have_lengths_of_their_own():
    lengths = np.arange(1, 101)
    found = length_order([batches_in_order(lengths, np.arange(100), 5)], lengths)
    assert found.neighbours == pytest.approx(1)
    assert found.alike > 0.99


def test_alternating_batches_correlate_the_other_way_round():
    lengths = np.tile([1, 1, 9, 9], 20)
    assert length_order([batches_in_order(lengths, np.arange(80), 2)], lengths).neighbours == pytest.approx(-1)


@pytest.mark.parametrize("lengths", [[7] * 40, [2**31 - 1] * 9, [5]])
def test_equal_lengths_say_nothing(lengths):
    found = length_order([Exact(4).plan(lengths)], np.array(lengths))
    assert (found.neighbours, found.alike) == (0, 0)


def test_epochs_to_measure_are_few_for_long_epochs_and_never_none():
    assert epochs_to_measure(10, 100) == 20
    assert epochs_to_measure(100, 1000) == 10
    assert epochs_to_measure(10, MOST_SPANS // 3) == 3
    assert epochs_to_measure(10**6, 10**8) == 1
