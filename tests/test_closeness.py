# The tolerance of all tests that compare floats: it lets roundings pass at any scale, and no mistake.
import numpy as np
import pytest
from closeness import CLOSE, EXACT, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

SCALES = st.floats(-12, 12).map(lambda power: 10.0**power)
MISTAKES = ("one", "sign", "step", "neighbour", "term", "nothing", "weight")


def draw(seed, *shape, scale=1.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def is_close(*arguments, **options):
    try:
        assert_close(*arguments, **options)
    except AssertionError:
        return False
    return True


@settings(deadline=None)
@given(SCALES, st.integers(0, 2**16))
def test_assert_close_takes_another_order_of_adding_for_the_same_at_every_scale(scale, seed):
    left, right = draw(seed, 30, 40, scale=scale), draw(seed + 1, 40, 7)
    there = left @ right
    back = np.zeros_like(there)
    for k in reversed(range(40)):
        back = back + left[:, k : k + 1] * right[k]
    assert_close(there, back)
    assert_close(there, left.astype(np.float64) @ right.astype(np.float64))


@settings(deadline=None)
@given(SCALES, st.integers(0, 2**16), st.sampled_from(MISTAKES))
def test_assert_close_refuses_a_mistake_at_every_scale(scale, seed, mistake):
    inputs, weights = draw(seed, 12, 8, scale=scale), draw(seed + 1, 8, 5)
    expected = inputs @ weights
    found = expected.copy()
    if mistake == "one":
        found[3, 2] += 1e-4 * np.abs(expected).max()
    elif mistake == "sign":
        found[np.unravel_index(np.abs(found).argmax(), found.shape)] *= -1
    elif mistake == "step":
        found = np.roll(found, 1, axis=0)
    elif mistake == "neighbour":
        found[[4, 5]] = found[[5, 4]]
    elif mistake == "term":
        found = inputs[:, :-1] @ weights[:-1]
    elif mistake == "nothing":
        found[:] = 0
    else:
        weights[1, 1] += 0.01
        found = inputs @ weights
    assert not is_close(found, expected)


def test_assert_close_is_not_stopped_by_units_in_the_last_place_of_large_values():
    # What failed on another processor, 1e-5 apart: the logits of a network of rectified units.
    expected = np.array([77.0, -3.0, 0.25], np.float32)
    found = expected + np.spacing(expected[0]) * np.array([2, -2, 1], np.float32)
    assert np.abs(found - expected).max() > 1e-5
    assert_close(found, expected)
    assert not is_close(found + np.float32(0.001), expected)


def test_assert_close_sees_a_mistake_in_small_values_that_an_absolute_tolerance_does_not():
    expected = draw(0, 5, scale=1e-6)
    assert np.allclose(expected * 2, expected, rtol=0, atol=1e-5)
    assert not is_close(expected * 2, expected)
    assert not is_close(expected * np.float32(1.001), expected)


def test_assert_close_of_terms_that_cancel_is_relative_to_the_terms():
    noise = draw(1, 4, scale=1e-7)
    assert not is_close(noise, np.zeros(4))
    assert_close(noise, np.zeros(4), terms=1.0)
    assert not is_close(noise + 1e-4, np.zeros(4), terms=1.0)
    # Terms make a tolerance no smaller.
    assert_close(draw(2, 4, scale=1e3) * (1 + 1e-6), draw(2, 4, scale=1e3), terms=1.0)


def test_assert_close_takes_each_array_of_a_list_or_a_mapping_by_its_own_scale():
    large, small = draw(0, 3, scale=1e6), draw(1, 3)
    assert_close([large, {"small": small}], (large, {"small": small}))
    for found in ([large, small + 1e-3], [large], [large, small, small], [large, small[:2]], [large, small[:, None]]):
        assert not is_close(found, [large, small])
        assert is_close(found[0], large)
    for found in ({"a": large}, {"a": large, "c": small}, {"a": large, "b": small + 1e-3}):
        assert not is_close(found, {"a": large, "b": small})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_assert_close_refuses_what_is_no_number_on_either_side(value):
    whole, broken = np.ones(3), np.array([1, value, 1])
    assert not is_close(broken, whole)
    assert not is_close(whole, broken)
    assert not is_close(broken, broken)


def test_assert_close_to_no_tolerance_is_equality():
    expected = draw(0, 9)
    assert_close(expected.copy(), expected, 0)
    assert not is_close(np.nextafter(expected, np.float32(9)), expected, 0)
    assert_close(np.zeros((0, 3)), np.ones((0, 3)), 0)
    assert not is_close(np.zeros((0, 3)), np.ones((3, 0)), 0)
    assert_close(np.full((2, 3), 0.5), 0.5, 0)
    assert not is_close(np.full(3, 0.5), np.full((2, 3), 0.5), 0)


def test_assert_close_says_where_how_far_and_in_which_units():
    with pytest.raises(AssertionError) as caught:
        assert_close([draw(0, 2, 2) * 0 + 2], [np.array([[64.0, 2.0], [2.0, 2.25]])], name="logits")
    assert str(caught.value).splitlines()[0] == (
        "logits [0]: at (0, 0) got 2.0; expected 64.0 to 1e-05 of 64; it is 62 off, "
        "8.13e+06 units in the last place of 64"
    )


def test_tolerances_are_the_units_in_the_last_place_that_they_are_said_to_be():
    assert round(CLOSE / np.finfo(np.float32).eps) == 84
    assert round(EXACT / np.finfo(np.float64).eps, -2) == 4500
