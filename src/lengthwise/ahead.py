"""Prepares what a loop is going to need while it is busy with what it has."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

DEPTH = 2

Number = TypeVar("Number")
Made = TypeVar("Made")


def ahead(make: Callable[[Number], Made], numbers: Iterable[Number]) -> Iterator[Made]:
    """What `make` returns for each number, in their order, made by another thread before it is asked for.

    Args:
        make: a pure function; what it raises is raised where its result would have come.
        numbers: what to make; at most `DEPTH` results wait.
    """
    with ThreadPoolExecutor(1) as worker:
        waiting: deque[Future[Made]] = deque()
        for number in numbers:
            waiting.append(worker.submit(make, number))
            if len(waiting) > DEPTH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
