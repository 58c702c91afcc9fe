import numpy as np
import pandas as pd
import pytest
from closeness import EXACT, assert_close

from lengthwise.evaluation.paired import paired_means
from lengthwise.evaluation.ratios import POWER_OF_TWO, REST, ROOT, SAME, Ratio, interval_table, sums_by
from lengthwise.evaluation.resampling import Bootstrap

LINKS = {"same": SAME, "root": ROOT, "power_of_two": POWER_OF_TWO, "rest": REST}


def make_ratio(rng, items, link=SAME):
    width = int(rng.integers(1, 4))
    below = rng.integers(0, 4, (items, width)).astype(float)
    below[0] = 1
    above = below * rng.random((items, width))
    return Ratio(above[:, 0], below[:, 0], link) if width == 1 else Ratio(above, below, link)


def by_hand(ratio, weights):
    above, below = (np.asarray(of, float).reshape(len(of), -1) for of in (ratio.numerator, ratio.denominator))
    found = [
        (weights * one).sum() / (weights * other).sum()
        for one, other in zip(above.T, below.T, strict=True)
        if (weights * other).sum() > 0
    ]
    return ratio.link.of(np.array(sum(found) / len(found))) if found else np.nan


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("seed", range(10))
def test_ratio_is_what_a_loop_over_its_parts_says_and_item_scores_have_it_as_their_mean(seed, link):
    rng = np.random.default_rng(seed)
    ratio = make_ratio(rng, int(rng.integers(1, 50)), LINKS[link])
    items = len(ratio.numerator)
    assert ratio.value == pytest.approx(by_hand(ratio, np.ones(items)), rel=1e-12)
    assert ratio.item_scores().mean() == pytest.approx(ratio.value, rel=1e-12)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("seed", range(10))
def test_item_scores_say_how_the_figure_moves_with_an_items_weight(seed, link):
    rng = np.random.default_rng(100 + seed)
    items = int(rng.integers(3, 20))
    ratio = make_ratio(rng, items, LINKS[link])
    step = 1e-6
    moves = []
    for item in range(items):
        more, less = np.ones(items), np.ones(items)
        more[item] += step
        less[item] -= step
        moves.append((by_hand(ratio, more) - by_hand(ratio, less)) / (2 * step))
    assert_close((ratio.item_scores() - ratio.value) / items, np.array(moves), 1e-6, terms=abs(ratio.value) / items)


def test_item_scores_of_a_mean_are_the_items_themselves():
    right = np.array([1.0, 0, 1, 1])
    assert_close(Ratio(right, np.ones(4)).item_scores(), right, EXACT)


def test_item_scores_of_a_root_of_nothing_are_nothing():
    assert Ratio(np.zeros(3), np.ones(3), ROOT).item_scores().tolist() == [0, 0, 0]


def test_ratio_leaves_out_what_has_nothing_to_divide_by():
    ratio = Ratio(np.array([[1.0, 0], [1, 0]]), np.array([[2.0, 0], [2, 0]]))
    assert ratio.value == 0.5
    assert np.isnan(Ratio(np.zeros(2), np.zeros(2)).value)


@pytest.mark.parametrize("seed", range(10))
def test_intervals_are_those_of_a_loop_over_resamples_of_groups(seed):
    rng = np.random.default_rng(seed)
    items = int(rng.integers(2, 60))
    group = rng.integers(0, 1 + items // 3, items) * 7 - 3
    ratios = {name: make_ratio(rng, items, link) for name, link in LINKS.items()}
    bootstrap = Bootstrap(40, 0.9, seed)
    table = interval_table(ratios, group, bootstrap).set_index("metric")
    _, codes = np.unique(group, return_inverse=True)
    for name, ratio in ratios.items():
        found = [by_hand(ratio, weights[codes]) for weights in bootstrap.weights(codes.max() + 1)]
        low, high = np.nanquantile(found, [0.05, 0.95])
        assert_close(table.loc[name, ["low", "high"]].to_numpy(float), np.array([low, high]), EXACT)
        assert table.loc[name, "value"] == pytest.approx(ratio.value, rel=1e-12)


def test_interval_table_leaves_out_what_is_unknown():
    ratios = {"known": Ratio(np.ones(2), np.ones(2)), "unknown": Ratio(np.zeros(2), np.zeros(2))}
    assert interval_table(ratios, np.arange(2), Bootstrap(10, 0.9, 1))["metric"].tolist() == ["known"]
    assert interval_table({}, np.arange(2), Bootstrap(10, 0.9, 1)).equals(
        pd.DataFrame({"metric": [], "value": [], "low": [], "high": []})
    )


@pytest.mark.parametrize("seed", range(5))
def test_paired_means_of_item_scores_are_as_wide_as_resampling_both_models_alike(seed):
    # A difference of two F1 of the same items: the delta method beside the bootstrap.
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 250, 2000)
    there, right = rng.integers(1, 5, 2000), rng.random((2, 2000)) < np.array([[0.6], [0.7]])
    said = rng.integers(1, 5, (2, 2000))
    old, new = (Ratio(2.0 * of * np.minimum(there, one), there + one) for of, one in zip(right, said, strict=True))
    found = paired_means(old.item_scores(), new.item_scores(), group, 0.95)
    assert found.new - found.old == pytest.approx(new.value - old.value, rel=1e-9)
    bootstrap = Bootstrap(2000, 0.95, seed)
    resampled = [bootstrap.resampled(sums_by(group, of.columns)) for of in (old, new)]
    low, high = bootstrap.ends(new.of_sums(resampled[1]) - old.of_sums(resampled[0]))
    assert_close(np.array([found.interval.low, found.interval.high]), np.array([low, high]), 0.1)


def test_sums_by_adds_up_each_column():
    assert sums_by(np.array([1, 0, 1]), np.array([[1.0, 2], [3, 4], [5, 6]])).tolist() == [[3, 4], [6, 8]]
