# Windows of blocks: every block once an epoch, a fair sample each, and no more read ahead than one.
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.batching.block_windows import part_rng, read_ahead, windows_of
from lengthwise.batching.plan import epoch_rng

COUNTS = st.integers(0, 200), st.integers(1, 60), st.integers(0, 2**31 - 1), st.integers(0, 99)


@given(*COUNTS)
def test_windows_have_every_block_once_in_rising_order_and_sizes_that_differ_by_one(blocks, most, seed, epoch):
    windows = windows_of(blocks, most, seed, epoch)
    assert len(windows) == -(-blocks // most)
    assert sorted(number for window in windows for number in window.tolist()) == list(range(blocks))
    assert all(np.all(np.diff(window) > 0) for window in windows)
    sizes = [len(window) for window in windows]
    assert max(sizes, default=0) <= most
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


@given(*COUNTS)
def test_windows_take_one_of_as_many_neighbours_as_there_are_windows(blocks, most, seed, epoch):
    windows = windows_of(blocks, most, seed, epoch)
    for window in windows:
        assert len(set((window // len(windows)).tolist())) == len(window)


def test_windows_are_the_same_for_the_same_seed_and_epoch_and_others_for_other_ones():
    def order(seed, epoch):
        return [window.tolist() for window in windows_of(90, 9, seed, epoch)]

    orders = {(seed, epoch): order(seed, epoch) for seed in range(12) for epoch in range(12)}
    assert all(order(*made) == found for made, found in orders.items())
    assert len({str(found) for found in orders.values()}) == len(orders)


def test_windows_give_each_block_every_part_of_an_epoch_and_every_mate_that_is_no_neighbour():
    blocks, most, seeds = 24, 4, 800
    place, together = np.zeros((6, blocks)), np.zeros((blocks, blocks))
    for seed in range(seeds):
        for number, window in enumerate(windows_of(blocks, most, seed, 0)):
            place[number, window] += 1
            together[np.ix_(window, window)] += 1
    assert np.all(np.abs(place / seeds - 1 / 6) < 0.07)
    others = np.arange(blocks)[:, np.newaxis] // 6 != np.arange(blocks) // 6
    assert np.all(np.abs(together[others] / seeds - 1 / 6) < 0.07)


def test_one_window_of_all_blocks_has_the_generator_of_an_epoch_in_memory_and_no_two_parts_share_one():
    drawn = {part_rng(seed, epoch, part).random() for seed in range(5) for epoch in range(5) for part in range(5)}
    assert len(drawn) == 125
    assert part_rng(3, 4, 0).random() == epoch_rng(3, 4).random()


class Made:
    """What can be waited for to go."""


def test_read_ahead_gives_all_in_order_and_holds_one_more_than_its_reader():
    alive = weakref.WeakSet()
    most = []

    def read(number):
        made = Made()
        made.number = number
        alive.add(made)
        most.append(len(alive))
        return made

    found = []
    for made in read_ahead(read, range(20)):
        found.append(made.number)
        del made
    assert found == list(range(20))
    assert max(most) <= 2
    assert not alive


def test_read_ahead_raises_in_turn_what_reading_raises_and_leaves_no_thread():
    def read(number):
        if number == 2:
            raise OSError("gone")
        return number

    before = threading.active_count()
    found = []
    with pytest.raises(OSError, match="gone"):
        found.extend(read_ahead(read, range(9)))
    assert threading.active_count() == before
    given_up = read_ahead(read, range(2))
    assert next(given_up) == 0
    given_up.close()
    assert threading.active_count() == before
    assert list(read_ahead(read, [])) == []
