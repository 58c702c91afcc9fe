"""A map over slices in own worker processes, with the same results for any number of them."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from lengthwise.progress import Progress

Result = TypeVar("Result")


class Workers:
    """Runs functions over items: in this process if there is one worker, else in that many processes.

    Workers are spawned, not forked: a fork of a process with threads (Arrow's, TensorFlow's) may hang.

    Args:
        count: how many.
        start: called once in each worker before its first item, with `arguments`.
    """

    def __init__(self, count: int, start: Callable[..., None], *arguments: object) -> None:
        self.count = count
        self._start, self._arguments = start, arguments
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        if self.count == 1:
            self._start(*self._arguments)
        else:
            self._pool = ProcessPoolExecutor(
                self.count, multiprocessing.get_context("spawn"), self._start, self._arguments
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Any], Result], items: Iterable[object]) -> Iterator[Result]:
        """The results in the items' order."""
        return map(function, items) if self._pool is None else self._pool.map(function, items)


def tracked(name: str, unit: str, total: int, results: Iterable[Result]) -> list[Result]:
    """Collect results as they come, with progress."""
    collected = []
    with Progress(name, total, unit) as progress:
        for result in results:
            collected.append(result)
            progress.update(1)
    return collected
