import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.native.convolution import convolution_steps, shared_products, sum_rows
from lengthwise.native.operations import load

pytestmark = pytest.mark.native


def active_of(lengths):
    return np.array([np.sum(lengths > time) for time in range(lengths.max(initial=0))], np.int32)


def flat_number(active, row, time):
    return int(active[:time].sum()) + row


def test_convolution_steps_of_the_documented_example():
    found = convolution_steps([2, 1, 1], [2, 1], kernel_size=3, stride=2, before=1)
    assert found.numpy().tolist() == [[-1, 0, 2], [-1, 1, -1], [2, 3, -1]]


@settings(deadline=None, max_examples=up_to(100))
@given(
    st.lists(st.integers(1, 12), max_size=6),
    *(st.integers(1, 6) for _ in range(2)),
    st.integers(0, 6),
    st.integers(0, 2**16),
)
def test_convolution_steps_are_those_under_the_kernel_of_the_same_row(lengths, kernel_size, stride, before, seed):
    lengths = np.sort(np.array(lengths, int))[::-1]
    # As many outputs as one likes: those that stand wholly beside a row read nothing.
    behind = np.sort(np.random.default_rng(seed).integers(1, 5, len(lengths)))[::-1]
    active, active_behind = active_of(lengths), active_of(behind)
    found = convolution_steps(active, active_behind, kernel_size=kernel_size, stride=stride, before=before).numpy()
    assert found.shape == (behind.sum(), kernel_size)
    for row, outputs in enumerate(behind):
        for output in range(outputs):
            times = output * stride - before + np.arange(kernel_size)
            expected = [flat_number(active, row, time) if 0 <= time < lengths[row] else -1 for time in times]
            assert found[flat_number(active_behind, row, output)].tolist() == expected


@settings(deadline=None, max_examples=up_to(100))
@given(*(st.integers(0, 8) for _ in range(3)), st.integers(1, 9), st.integers(0, 2**16))
def test_shared_products_have_each_item_of_a_tap_once_and_lead_back_to_it(outputs, taps, steps, items, seed):
    rng = np.random.default_rng(seed)
    under = rng.integers(-1, steps, (outputs, taps)).astype(np.int32)
    index = rng.integers(0, items, steps).astype(np.int32)
    read, place = (array.numpy() for array in shared_products(under, index, items))
    used = [read[tap][read[tap] >= 0].tolist() for tap in range(taps)]
    for tap in range(taps):
        assert len(set(used[tap])) == len(used[tap])
        assert set(used[tap]) == set(index[under[:, tap][under[:, tap] >= 0]].tolist())
    assert read.shape == (taps, max(map(len, used), default=0))
    np.testing.assert_array_equal(place < 0, under < 0)
    there = under >= 0
    np.testing.assert_array_equal(read.reshape(-1)[place[there]], index[under[there]])
    if there.any():
        np.testing.assert_array_equal(place[there] // read.shape[1], np.argwhere(there)[:, 1])


def plain_sum(rows, which):
    padded = np.concatenate([rows, np.zeros((1, rows.shape[1]))])
    return padded[np.where(which < 0, len(rows), which)].sum(axis=1)


# Columns: fewer and more than stay in registers at a time; sums: more than one thread takes.
@pytest.mark.parametrize(
    ("sums", "terms", "columns"), [(5, 3, 1), (7, 1, 32), (1100, 4, 33), (600, 2, 64), (0, 2, 3), (4, 0, 2)]
)
def test_sum_rows_and_its_gradients_are_those_of_a_product(sums, terms, columns):
    rng = np.random.default_rng(sums)
    rows, by = rng.normal(size=(40, columns)), rng.normal(size=(sums, columns))
    which = rng.integers(-1, 40, (sums, terms)).astype(np.int32)
    # How often a row is in a sum: the sums are a product with it.
    often = np.zeros((sums, 40))
    for number in range(40):
        often[:, number] = (which == number).sum(axis=1)
    source, factor = tf.constant(rows, tf.float32), tf.constant(by, tf.float32)
    with tf.GradientTape() as second:
        second.watch(factor)
        with tf.GradientTape() as first:
            first.watch(source)
            found = sum_rows(source, which)
        gradient = first.gradient(found, source, factor)
    assert_close(found, plain_sum(rows, which), terms=5.0)
    assert_close(gradient, often.T @ by, terms=5.0)
    upstream = rng.normal(size=rows.shape)
    assert_close(second.gradient(gradient, factor, tf.constant(upstream, tf.float32)), often @ upstream, terms=5.0)


def test_sum_rows_reads_no_row_that_no_sum_has():
    rows = np.array([[1.0, 2.0], [np.nan, np.inf], [3.0, 4.0]], np.float32)
    assert sum_rows(rows, np.array([[0, 2, -1], [-1, -1, -1], [2, 2, 0]])).numpy().tolist() == [[4, 6], [0, 0], [7, 10]]


def test_sum_rows_gives_the_same_bytes_each_time():
    rng = np.random.default_rng(0)
    rows, by = tf.constant(rng.normal(size=(50, 48)), tf.float32), tf.constant(rng.normal(size=(3000, 48)), tf.float32)
    which = tf.constant(rng.integers(-1, 50, (3000, 5)), tf.int32)
    # One row after the other, in single precision, as the threads must have added them.
    expected = np.zeros((50, 48), np.float32)
    for factor, places in zip(by.numpy(), which.numpy(), strict=True):
        for place in places[places >= 0]:
            expected[place] += factor
    for _ in range(5):
        np.testing.assert_array_equal(load().lengthwise_sum_rows_grad(by, which, 50), expected)
        np.testing.assert_array_equal(sum_rows(rows, which), sum_rows(rows, which))


@pytest.mark.parametrize(
    ("active", "behind", "message"),
    [
        ([2, 3], [1], "active: got 3 rows at step 1; expected 1 to 2"),
        ([2, 1], [2, 0], "active_behind: got 0 rows at step 1; expected 1 to 2"),
        ([-1], [1], "active: got -1 rows at step 0"),
        ([[1]], [1], "active: got rank 2; expected 1"),
        ([1], [2**31 - 1], "kernel_size: got 3 for 2147483647 of 1 steps; expected fewer than 2\\^31 products"),
    ],
)
def test_convolution_steps_refuses_what_is_no_layout(active, behind, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        convolution_steps(active, behind, kernel_size=3, stride=1, before=1)


@pytest.mark.parametrize(
    ("steps", "index", "items", "message"),
    [
        ([[0, 2]], [0, 1], 2, "steps: got 2; expected at most 1"),
        ([[0, 1]], [0, 2], 2, "index: got 2; expected 0 to 1"),
        ([[0, 1]], [0, -1], 2, "index: got -1; expected 0 to 1"),
        ([[0, 1]], [0, 1], -1, "items: got -1; expected at least 0"),
        ([0, 1], [0, 1], 2, "steps and index: got ranks 1 and 1"),
        ([[0]], [0], [1], "items: got shape"),
    ],
)
def test_shared_products_refuses_what_is_out_of_range(steps, index, items, message):
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=message):
        shared_products(steps, index, items)


def test_sum_rows_refuses_rows_that_there_are_not():
    with pytest.raises(tf.errors.InvalidArgumentError, match="which: got 3; expected at most 2"):
        sum_rows(np.ones((3, 2), np.float32), [[0, 3]])
    for by, which, count in (([[1.0]], [[2]], 2), ([[1.0]], [[0], [0]], 1), ([[1.0]], [[0]], -1)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"^\{\{.*(which|count)"):
            load().lengthwise_sum_rows_grad(by, which, count)
