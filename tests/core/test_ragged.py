import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.ragged import offsets_of, ranges, take_ranges, take_rows

ROWS = st.lists(st.lists(st.integers(-9, 9), max_size=5), max_size=8)


def ragged(rows, kind=np.int32):
    values = np.array([value for row in rows for value in row], kind)
    return values, offsets_of(np.array([len(row) for row in rows], np.int64))


@settings(max_examples=up_to(100), deadline=None)
@given(st.lists(st.integers(0, 9), max_size=10))
def test_offsets_of_are_the_running_sums(lengths):
    offsets = offsets_of(np.array(lengths, np.int64))
    assert offsets.tolist() == [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    assert offsets.dtype == np.int64


def test_offsets_of_do_not_overflow_the_lengths_own_type():
    for kind in (np.uint8, np.int16, np.int32):
        largest = int(np.iinfo(kind).max)
        assert offsets_of(np.array([largest, largest], kind)).tolist() == [0, largest, 2 * largest]


@settings(max_examples=up_to(100), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 6)), max_size=8))
def test_ranges_are_the_ranges_one_after_another(pairs):
    found = ranges(np.array([start for start, _ in pairs], np.int64), np.array([size for _, size in pairs], np.int64))
    assert found.tolist() == [value for start, size in pairs for value in range(start, start + size)]
    assert found.dtype == np.int64


@settings(max_examples=up_to(200), deadline=None)
@given(ROWS, st.data())
def test_take_rows_takes_what_lists_take(rows, data):
    numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10) if rows else st.just([]))
    values, offsets = ragged(rows)
    taken, lengths = take_rows(values, offsets, np.array(numbers, np.int64))
    assert taken.tolist() == [value for number in numbers for value in rows[number]]
    assert lengths.tolist() == [len(rows[number]) for number in numbers]
    assert taken.dtype == values.dtype


@pytest.mark.parametrize("kind", [np.int32, np.uint16, np.int64])
def test_take_rows_takes_numbers_of_any_integer_type(kind):
    values, offsets = ragged([[1, 2], [], [3]])
    taken, lengths = take_rows(values, offsets, np.array([2, 1, 0, 2], kind))
    assert (taken.tolist(), lengths.tolist()) == ([3, 1, 2, 3], [1, 0, 2, 1])


def test_take_rows_takes_offsets_that_do_not_begin_at_zero():
    taken, lengths = take_rows(np.arange(10), np.array([4, 6, 9]), np.array([1, 0]))
    assert (taken.tolist(), lengths.tolist()) == ([6, 7, 8, 4, 5], [3, 2])


@pytest.mark.parametrize("long", [1, 1 << 12])
def test_take_ranges_takes_the_same_whether_ranges_are_long_or_not(monkeypatch, long):
    monkeypatch.setattr("lengthwise.core.ragged.LONG_RANGE", long)
    values, starts, lengths = np.arange(90).reshape(30, 3), np.array([4, 0, 9, 2]), np.array([3, 20, 0, 5])
    expected = [value for start, size in zip(starts, lengths, strict=True) for value in values[start : start + size]]
    np.testing.assert_array_equal(take_ranges(values, starts, lengths), expected)
    assert take_ranges(values, starts[:0], lengths[:0]).shape == (0, 3)
