# Numbers of one scale: mean and spread of all, whatever parts they come in.
import numpy as np
import pytest
from closeness import assert_close

from lengthwise.models.step_features import NumberScale


def adapted(parts):
    scale = NumberScale(3, "scale")
    scale.adapt(parts)
    return scale.mean.numpy(), scale.spread.numpy()


@pytest.mark.parametrize("seed", range(10))
def test_number_scale_is_the_same_of_numbers_in_parts_as_of_all(seed):
    rng = np.random.default_rng(seed)
    # Far from 0, and the parts apart from each other: sums of squares would not do.
    values = rng.normal([1e4, 0, -3], [1, 1e-3, 50], (200, 3)) + np.arange(200)[:, np.newaxis] // 50
    cuts = np.sort(rng.integers(0, 201, 5))
    mean, spread = adapted(np.split(values, cuts))
    assert_close(mean, values.mean(axis=0).astype(np.float32))
    assert_close(spread, values.std(axis=0).astype(np.float32))


def test_number_scale_of_one_part_has_the_very_bits_of_numpy():
    values = np.random.default_rng(1).normal(5, 3, (99, 3)).astype(np.float32)
    mean, spread = adapted([values])
    assert np.array_equal(mean, values.mean(axis=0, dtype=np.float64).astype(np.float32))
    assert np.array_equal(spread, values.std(axis=0, dtype=np.float64).astype(np.float32))


def test_number_scale_leaves_numbers_without_spread_alone_and_is_none_of_no_numbers():
    mean, spread = adapted([np.full((4, 3), 2.0), np.full((1, 3), 2.0)])
    assert (mean.tolist(), spread.tolist()) == ([2, 2, 2], [1, 1, 1])
    mean, spread = adapted([])
    assert (mean.tolist(), spread.tolist()) == ([0, 0, 0], [1, 1, 1])
