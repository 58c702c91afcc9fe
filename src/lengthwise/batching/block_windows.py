"""Sequences on disk that are planned through a window of blocks: which blocks come together, and what is read ahead.

A *block* is what is read in one go, such as a row group of Parquet. An epoch has every block once, in *windows* of so
many: memory holds one, and the next, which a thread reads meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from lengthwise.batching.bursts import Made, Number

# The generator of the order of blocks, beside those of plans: see `part_rng`.
ORDER = 1


def part_rng(seed: int, epoch: int, place: int) -> np.random.Generator:
    """The generator of a part of an epoch, such as a buffer or a window; the first has that of an epoch in memory.

    >>> from lengthwise.batching.block_windows import part_rng
    >>> from lengthwise.batching.plan import epoch_rng
    >>> part_rng(3, 1, 0).random() == epoch_rng(3, 1).random()
    True
    """
    return np.random.default_rng([seed, epoch, place])


def windows_of(blocks: int, most: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The windows of an epoch: the numbers of their blocks, int64, which rise; each block is in one.

    With K windows, the first of K blocks one after another go to a window each, at random, then the next K, and so on:
    a stratified sample. So a window has of everything by which blocks are sorted, such as the length of sequences,
    nearly what all of them have, and any two windows have the same number of blocks, or one more.

    >>> from lengthwise.batching.block_windows import windows_of
    >>> [window.tolist() for window in windows_of(7, 3, seed=1, epoch=0)]
    [[1, 5], [0, 3], [2, 4, 6]]

    Args:
        blocks: how many there are, in the order in which they lie.
        most: blocks of a window; there are as few windows as this allows.
        seed: of the order.
        epoch: the order is a pure function of it and the seed.
    """
    count = -(-blocks // most)
    rng = np.random.default_rng([seed, epoch, 0, ORDER])
    window = np.concatenate([np.zeros(0, np.int64), *(rng.permutation(count) for _ in range(0, blocks, max(1, count)))])
    by_window = np.argsort(window[:blocks], kind="stable")
    return np.split(by_window, np.searchsorted(window[by_window], np.arange(1, count))) if count else []


def read_ahead(read: Callable[[Number], Made], numbers: Iterable[Number]) -> Iterator[Made]:
    """What `read` gives of each number, in their order; a thread reads one ahead.

    Args:
        read: what it raises is raised when its turn comes.
        numbers: what to read.
    """
    remaining = iter(numbers)
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        waiting = [thread.submit(read, number) for number in islice(remaining, 1)]
        while waiting:
            made = waiting.pop().result()
            waiting += [thread.submit(read, number) for number in islice(remaining, 1)]
            yield made
            # What was read before goes before more is read.
            del made
