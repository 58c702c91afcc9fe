from itertools import islice

import pytest

from lengthwise.batching.bursts import BURST, in_bursts


@pytest.mark.parametrize("count", [0, 1, BURST - 1, BURST, BURST + 1, 5 * BURST, 5 * BURST + 3])
def test_in_bursts_gives_all_in_the_order_of_the_numbers(count):
    assert list(in_bursts(lambda number: number**2, range(count))) == [number**2 for number in range(count)]


def test_in_bursts_makes_each_once_and_no_more_than_a_burst_before_it_is_asked_for():
    made = []
    for number, result in enumerate(in_bursts(lambda number: made.append(number) or number, range(3 * BURST + 2))):
        assert result == number
        assert len(made) == min(3 * BURST + 2, (number // BURST + 1) * BURST)
    assert made == list(range(3 * BURST + 2))


def test_in_bursts_makes_nothing_before_the_first_is_asked_for():
    made = []
    results = in_bursts(made.append, range(3))
    assert made == []
    next(results)
    assert made == [0, 1, 2]


def test_in_bursts_gives_results_that_are_false_and_takes_numbers_as_they_come():
    assert list(in_bursts(lambda number: 0, iter([5, 6, 7]))) == [0, 0, 0]


def test_in_bursts_raises_what_is_raised():
    def make(number):
        if number == BURST + 1:
            raise KeyError(number)
        return number

    results = in_bursts(make, range(3 * BURST))
    assert list(islice(results, BURST)) == list(range(BURST))
    with pytest.raises(KeyError):
        next(results)
