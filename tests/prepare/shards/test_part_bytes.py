import numpy as np
import pytest

from lengthwise.core.ragged import take_ranges
from lengthwise.prepare.shards.part_bytes import take_parts


def parts_of(seed, shape=(), kind=np.int32):
    # Some parts are empty; before, between and behind them are values of none.
    rng = np.random.default_rng(seed)
    lengths, gaps = rng.integers(0, 5, (2, count := int(rng.integers(1, 30))))
    begins = np.cumsum(lengths + gaps) - lengths
    values = rng.integers(-99, 99, (int(begins[-1] + lengths[-1]) + 3, *shape)).astype(kind)
    return values, begins, lengths, rng.integers(0, count, int(rng.integers(0, 40)))


@pytest.mark.parametrize(("shape", "kind"), [((), np.int32), ((4,), np.int32), ((3,), np.float32), ((), np.int64)])
@pytest.mark.parametrize("seed", range(10))
def test_parts_are_taken_as_by_loops_and_as_ranges(seed, shape, kind):
    values, begins, lengths, order = parts_of(seed, shape, kind)
    taken = take_parts(values, begins, lengths, order)
    expected = [value for part in order for value in values[begins[part] : begins[part] + lengths[part]].tolist()]
    assert taken.tolist() == expected
    assert (taken.dtype, taken.shape[1:]) == (kind, shape)
    np.testing.assert_array_equal(taken, take_ranges(values, begins[order], lengths[order]))


def test_parts_of_an_array_that_is_not_contiguous_are_its_own():
    values = np.arange(40).reshape(10, 4)
    halves = [values[::2], values[:, 1:3], values[::-1]]
    for half in halves:
        taken = take_parts(half, np.array([0, 3]), np.array([2, 2]), np.array([1, 0]))
        np.testing.assert_array_equal(taken, half[[3, 4, 0, 1]])


@pytest.mark.parametrize("lengths", [[5000, 3], [3, 9000]])
def test_long_parts_are_taken_the_same(lengths):
    lengths = np.array(lengths)
    begins, values = np.array([1, lengths[0] + 2]), np.arange(lengths.sum() + 5)
    taken = take_parts(values, begins, lengths, np.array([1, 0, 1]))
    np.testing.assert_array_equal(taken, take_ranges(values, begins[[1, 0, 1]], lengths[[1, 0, 1]]))


def test_no_parts_are_an_empty_array():
    none = np.zeros(0, np.int64)
    assert take_parts(np.zeros((5, 2)), none, none, none).shape == (0, 2)
    assert take_parts(np.zeros((5, 2)), np.array([1]), np.array([3]), none).shape == (0, 2)
    assert take_parts(np.zeros((0, 2)), np.array([0]), np.array([0]), np.array([0])).shape == (0, 2)
