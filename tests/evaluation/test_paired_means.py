import numpy as np
import pytest
from scipy import stats

from lengthwise.evaluation.paired import (
    Interval,
    detectable,
    fewest_groups,
    independent_difference,
    paired_means,
    paired_shares,
    share_interval,
    widened,
)

CONFIDENCE = 0.975
ITEMS, PAIRS = 5000, 200


def right(rng, accuracy, correlation, pairs=PAIRS, items=ITEMS):
    # Whether each of two models is right on each item, bool (2, pairs, items). How hard an item is for a model is
    # normal, and correlated with how hard it is for the other; a model masters what is below a limit.
    shared = rng.standard_normal((1, pairs, items), np.float32)
    own = rng.standard_normal((2, pairs, items), np.float32)
    hardness = np.sqrt(correlation, dtype=np.float32) * shared + np.sqrt(1 - correlation, dtype=np.float32) * own
    return hardness < stats.norm.ppf(np.asarray(accuracy)).astype(np.float32).reshape(2, -1, 1)


def alarms(old, new, noise=0.0):
    # The pairs in which something is better or worse, bool (pairs,).
    gained, lost = (new & ~old).sum(axis=1), (old & ~new).sum(axis=1)
    low, high = paired_shares(gained, lost, old.shape[1], CONFIDENCE)
    if noise:
        differences = (gained - lost) / old.shape[1]
        wide = [
            widened(Interval(*ends), difference, noise, CONFIDENCE)
            for *ends, difference in zip(low, high, differences, strict=True)
        ]
        low, high = np.array([one.low for one in wide]), np.array([one.high for one in wide])
    return (low > 0) | (high < 0)


@pytest.mark.parametrize("accuracy", [0.55, 0.9, 0.97])
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_at_most_one_of_twenty_pairs_of_equal_runs_is_taken_for_different(accuracy, correlation):
    # Each training draws the errors of its own; with correlation 0 they are independent.
    old, new = right(np.random.default_rng(7), [accuracy, accuracy], correlation)
    assert alarms(old, new).mean() <= 0.05


def test_a_noise_of_training_that_moves_all_items_is_no_difference_once_it_is_named():
    # Each training has a quality of its own as well: 0.9 give or take 0.003.
    rng = np.random.default_rng(3)
    accuracy = rng.normal(0.9, 0.003, (2, PAIRS))
    old, new = right(rng, accuracy, 0.9)
    assert alarms(old, new, noise=0.003).mean() <= 0.05
    assert alarms(old, new).mean() > 0.1


@pytest.mark.parametrize(("accuracy", "correlation"), [(0.9, 0.94), (0.8, 0.98), (0.97, 0.5)])
def test_a_point_of_five_thousand_items_is_found_four_times_in_five(accuracy, correlation):
    # What they take: that the two runs are right on different items for at most 5 of 100.
    old, new = right(np.random.default_rng(5), [accuracy, accuracy + 0.01], correlation, pairs=400)
    assert (old != new).mean() <= 0.052
    assert alarms(old, new).mean() >= 0.8


@pytest.mark.sampled(1)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.975])
def test_equal_runs_have_zero_in_the_interval_as_often_as_the_exact_sign_test_has_it(confidence):
    for differing in (*range(30), 41, 100, 301):
        gained = np.arange(differing + 1)
        low, high = paired_shares(gained, differing - gained, ITEMS, confidence)
        alarm = (low > 0) | (high < 0)
        assert stats.binom.pmf(gained, differing, 0.5)[alarm].sum() <= 1 - confidence
        exact = [
            stats.binomtest(int(one), differing).pvalue <= 1 - confidence if differing else False for one in gained
        ]
        # An interval may be the more careful one, in the last item.
        assert not (alarm & ~np.array(exact)).any()
        assert (np.array(exact) & ~alarm).sum() <= 2


@pytest.mark.parametrize(("chances"), [(0.03, 0.03), (0.06, 0.01), (0.01, 0.0), (0.4, 0.3), (0.001, 0.0005)])
def test_the_interval_of_two_shares_has_the_true_difference_as_often_as_it_says(chances):
    drawn = np.random.default_rng(1).multinomial(ITEMS, [*chances, 1 - sum(chances)], 4000)
    low, high = paired_shares(drawn[:, 0], drawn[:, 1], ITEMS, CONFIDENCE)
    truth = chances[0] - chances[1]
    assert ((low <= truth) & (truth <= high)).mean() >= CONFIDENCE - 0.005
    # And is not so wide that it would say nothing.
    spread = np.sqrt((sum(chances) - truth**2) / ITEMS)
    assert np.median(high - low) <= 1.35 * 2 * stats.norm.ppf((1 + CONFIDENCE) / 2) * spread


def test_intervals_of_two_shares_are_mirror_images_and_within_bounds():
    gained, lost = np.random.default_rng(2).integers(0, 50, (2, 500))
    low, high = paired_shares(gained, lost, 100, CONFIDENCE)
    other_low, other_high = paired_shares(lost, gained, 100, CONFIDENCE)
    assert np.array_equal(low, -other_high)
    assert np.array_equal(high, -other_low)
    assert (low >= -1).all()
    assert (high <= 1).all()
    assert (low <= (gained - lost) / 100).all()
    assert (high >= (gained - lost) / 100).all()


def grouped(rng, groups, hard):
    # Losses of two equal models: an author is hard for both, and has a taste for one of the two.
    sizes = np.maximum(1, rng.lognormal(2, 1, groups).astype(int))
    group = np.repeat(np.arange(groups), sizes)
    shared = rng.normal(0, 1, groups)[group]
    losses = [shared + rng.normal(0, hard, groups)[group] + rng.normal(0, 1, len(group)) for _ in range(2)]
    return losses, group


def count_alarms(pairs):
    intervals = [paired_means(old, new, group, CONFIDENCE).interval for old, new, group in pairs]
    return sum(one.low > 0 or one.high < 0 for one in intervals)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("groups", [7, 40, 300])
def test_equal_runs_on_groups_that_err_together_are_within_noise(groups):
    rng = np.random.default_rng(4)
    assert count_alarms((*losses, group) for losses, group in (grouped(rng, groups, 0.5) for _ in range(PAIRS))) <= 10


def test_equal_runs_on_groups_whose_items_are_taken_one_by_one_are_not():
    rng = np.random.default_rng(4)
    assert count_alarms((*losses, None) for losses, _ in (grouped(rng, 300, 0.5) for _ in range(PAIRS))) > 30


def test_equal_runs_by_their_losses_are_within_noise():
    rng = np.random.default_rng(6)
    hard = rng.exponential(0.5, (PAIRS, 500))
    old, new = (hard * rng.lognormal(0, 0.5, hard.shape) for _ in range(2))
    assert count_alarms((*losses, None) for losses in zip(old, new, strict=True)) <= 10


def test_a_difference_of_losses_without_groups_is_that_of_a_paired_t_test():
    old, new = np.random.default_rng(0).exponential(1, (2, 300))
    found = paired_means(old, new, None, CONFIDENCE)
    expected = stats.ttest_rel(new, old).confidence_interval(CONFIDENCE)
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))
    assert (found.old, found.new) == (old.mean(), new.mean())


def test_groups_of_one_item_each_are_no_groups():
    old, new = np.random.default_rng(0).exponential(1, (2, 300))
    assert paired_means(old, new, np.arange(300), CONFIDENCE).interval.low == pytest.approx(
        paired_means(old, new, None, CONFIDENCE).interval.low
    )


def test_few_groups_or_items_say_nothing():
    values = np.random.default_rng(0).exponential(1, (2, 21))
    assert fewest_groups(0.95) == 6
    assert fewest_groups(0.5) == 2
    few = fewest_groups(CONFIDENCE) - 1
    assert paired_means(*values, np.arange(21) % few, CONFIDENCE) is None
    assert paired_means(*values[:, :few], None, CONFIDENCE) is None
    # As many as are needed are enough, if all say the same.
    found = paired_means(values[0], values[0] + 1 + values[1] / 100, np.arange(21) % (few + 1), CONFIDENCE)
    assert found.interval.low > 0


def test_the_same_run_is_no_difference():
    values = np.random.default_rng(0).exponential(1, 100)
    for one in (values, (values > 1).astype(float)):
        found = paired_means(one, one, None, CONFIDENCE)
        assert found.old == found.new
        assert found.interval.low <= 0 <= found.interval.high


def test_independent_shares_of_equal_runs_are_within_noise():
    rng = np.random.default_rng(8)
    counts = rng.binomial(ITEMS, 0.9, (PAIRS, 2))
    ends = {one: (one / ITEMS, share_interval(one / ITEMS, ITEMS, CONFIDENCE)) for one in {*counts.flat}}
    intervals = [independent_difference(*ends[old], *ends[new]) for old, new in counts]
    assert sum(one.low > 0 or one.high < 0 for one in intervals) <= 0.05 * PAIRS


@pytest.mark.parametrize("value", [0.0, 1.0, 0.12345])
def test_a_share_lies_within_its_interval(value):
    interval = share_interval(value, 77, CONFIDENCE)
    assert 0 <= interval.low <= value <= interval.high <= 1
    assert interval.low < interval.high


@pytest.mark.parametrize("differing", [100, 250])
def test_a_detectable_difference_is_found_four_times_in_five(differing):
    found = detectable(differing, ITEMS, CONFIDENCE)
    more = (differing + found * ITEMS) / 2
    gained = np.random.default_rng(9).binomial(differing, more / differing, 4000)
    low, _ = paired_shares(gained, differing - gained, ITEMS, CONFIDENCE)
    assert 0.7 <= (low > 0).mean() <= 0.9


@pytest.mark.sampled(1)
@pytest.mark.parametrize("groups", [12, 44])
def test_equal_models_on_authors_who_err_together_are_within_noise_and_a_better_one_is_found(groups):
    # Shares, as the verdict on a change has them: an author is hard for both models, and has a taste for one of them.
    rng, alarms, found = np.random.default_rng(11), 0, 0
    for _ in range(PAIRS):
        group = np.repeat(np.arange(groups), rng.integers(5, 60, groups))
        shared = rng.normal(0, 1, groups)[group] + rng.normal(0, 1, len(group))
        tastes = [rng.normal(0, 0.1, groups)[group] + rng.normal(0, 0.3, len(group)) for _ in range(2)]
        old, equal = (shared + taste < 0.5 for taste in tastes)
        better = shared + tastes[1] < 0.85
        one, other = (paired_means(old.astype(float), new.astype(float), group, 0.95) for new in (equal, better))
        alarms += (one.interval.low > 0 or one.interval.high < 0) and abs(one.new - one.old) >= 0.01
        found += other.interval.low > 0
    assert alarms <= 0.05 * PAIRS
    assert found >= 0.8 * PAIRS
