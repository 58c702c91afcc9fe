import numpy as np
import pytest
from closeness import EXACT, assert_close

from lengthwise.evaluation import resampling
from lengthwise.evaluation.resampling import Bootstrap


def by_loop(one, other, author, bootstrap):
    """The same, author by author and resample by resample."""
    names = sorted(set(author.tolist()))
    rng = np.random.default_rng(bootstrap.seed)
    counts = rng.multinomial(len(names), [1 / len(names)] * len(names), bootstrap.samples)
    found = []
    for drawn in counts.tolist():
        gains, items = 0.0, 0
        for name, times in zip(names, drawn, strict=True):
            gains += times * float((one - other)[author == name].sum())
            items += times * int((author == name).sum())
        found.append(gains / items)
    tail = (1 - bootstrap.confidence) / 2
    return np.quantile(found, [tail, 1 - tail])


@pytest.mark.parametrize("seed", range(20))
def test_weights_and_ends_are_those_of_a_loop_over_authors(seed):
    rng = np.random.default_rng(seed)
    items = int(rng.integers(1, 60))
    author = rng.integers(0, 1 + items // 3, items) * 7 - 3
    one, other = rng.normal(size=(2, items))
    bootstrap = Bootstrap(50, float(rng.choice([0.5, 0.9, 0.95])), seed)
    _, codes = np.unique(author, return_inverse=True)
    weights = bootstrap.weights(codes.max() + 1)
    ends = bootstrap.ends(weights @ np.bincount(codes, one - other) / (weights @ np.bincount(codes)))
    assert_close(np.array(ends), by_loop(one, other, author, bootstrap), EXACT)


def test_ends_leave_out_resamples_without_a_figure():
    resampled = np.array([[1.0, np.nan], [2.0, 5.0], [3.0, 5.0]])
    low, high = Bootstrap(10, 0.5, 0).ends(resampled)
    assert low.tolist() == [1.5, 5.0]
    assert high.tolist() == [2.5, 5.0]


@pytest.mark.parametrize("seed", range(5))
def test_resampled_sums_do_not_depend_on_how_many_weights_are_held(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    sums, bootstrap = rng.integers(0, 9, (int(rng.integers(1, 30)), 3)).astype(float), Bootstrap(37, 0.9, seed)
    whole = bootstrap.weights(len(sums)) @ sums
    for most in (1, 50, 200):
        monkeypatch.setattr(resampling, "MOST_WEIGHTS", most)
        assert np.array_equal(bootstrap.resampled(sums), whole)
