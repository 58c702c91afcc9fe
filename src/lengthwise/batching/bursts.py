"""Prepares what a loop is going to need, several at a time."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

# A batch that is made after every step finds the caches full of other things and takes three times as long; another
# thread would take a processor from the kernel, which has all of them.
BURST = 16

Number = TypeVar("Number")
Made = TypeVar("Made")


def in_bursts(make: Callable[[Number], Made], numbers: Iterable[Number]) -> Iterator[Made]:
    """What `make` returns for each number, in their order, `BURST` of them made in one go.

    Args:
        make: what it raises is raised when the burst is made.
        numbers: what to make.
    """
    remaining = iter(numbers)
    while burst := [make(number) for number in islice(remaining, BURST)]:
        yield from burst
