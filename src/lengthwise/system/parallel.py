"""A map over slices in own worker processes or on a cluster, with the same results for any number of them."""

import atexit
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from lengthwise.errors import WorkerError
from lengthwise.system.cluster import ClusterPool, scheduler
from lengthwise.system.progress import Progress

Result = TypeVar("Result")
# Results of `in_turn` that may wait, for each worker.
AHEAD = 3


class Workers:
    """Runs functions over items: in this process if there is one worker, else in that many processes.

    Where `LENGTHWISE_SCHEDULER` names a Dask scheduler, its workers run them, as many as it has (docs/scale.md).
    Own workers are spawned, not forked: a fork of a process with threads (Arrow's, TensorFlow's) may hang.

    Args:
        count: how many.
        start: called once in each worker before its first item, with `arguments`. What it raises, `__enter__` raises
            if there is one worker; if there are more, the results of `map` do.

    Raises:
        WorkerError: a process was killed, as the system does where memory ends; raised as the `with` block is left. A
            cluster: it does not answer any more, has no workers any more, or lost several by one task.
        LengthwiseError: there is no such cluster; raised as the `with` block is entered.
    """

    def __init__(self, count: int, start: Callable[..., None], *arguments: object) -> None:
        self.count = count
        self._start, self._arguments = start, arguments
        self._pool: ProcessPoolExecutor | None = None
        self._cluster: ClusterPool | None = None

    def __enter__(self) -> "Workers":
        if address := scheduler():
            self._cluster = ClusterPool(address, self._start, self._arguments)
        elif self.count == 1:
            self._start(*self._arguments)
        else:
            self._pool = ProcessPoolExecutor(
                self.count, multiprocessing.get_context("spawn"), _start_process, (self._start, self._arguments)
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._cluster is not None:
            self._cluster.shutdown()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise WorkerError(
                f"worker processes: one of {self.count} was killed; expected memory for all of them; "
                "set LENGTHWISE_WORKERS to a smaller number"
            ) from error

    def map(self, function: Callable[[Any], Result], items: Iterable[object]) -> Iterator[Result]:
        """The results in the items' order."""
        if self._cluster is not None:
            return self._cluster.map(function, items)
        if self._pool is None:
            return map(function, items)
        return self._pool.map(partial(_call, function), items)

    def in_turn(self, function: Callable[[Any], Result], items: Iterable[object]) -> Iterator[Result]:
        """As `map`, for results that are large: few of them wait, however slowly they are taken."""
        if self._cluster is None and self._pool is None:
            yield from map(function, items)
            return
        ahead = AHEAD * (self.count if self._cluster is None else self._cluster.threads)
        begun: deque[Callable[[], Result]] = deque()
        for item in items:
            begun.append(self._begin(function, item))
            if len(begun) > ahead:
                yield begun.popleft()()
        while begun:
            yield begun.popleft()()

    def _begin(self, function: Callable[[Any], Result], item: object) -> Callable[[], Result]:
        """Begin a task; what is returned waits for its result."""
        if self._cluster is not None:
            return self._cluster.begin(function, item)
        assert self._pool is not None
        return self._pool.submit(_call, function, item).result


# What this process could not start for. An error that leaves an initializer would break the pool and tell nobody why.
_start_error: Exception | None = None


def _start_process(start: Callable[..., None], arguments: tuple[object, ...]) -> None:
    global _start_error
    # All a worker has to hand over has been handed over when it ends; its memory is the system's to free, which takes
    # a moment, where taking a large vocabulary apart takes half a second.
    atexit.register(os._exit, 0)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        start(*arguments)
    except Exception as error:
        _start_error = error


def _end_with_parent() -> None:
    # A parent that is killed tells nobody, and its workers would wait for items for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(function: Callable[[Any], Result], item: object) -> Result:
    if _start_error is not None:
        raise _start_error
    return function(item)


def tracked(name: str, unit: str, total: int, results: Iterable[Result], note: str = "") -> list[Result]:
    """Collect results as they come, with progress; `note` ends its line."""
    collected = []
    with Progress(name, total, unit) as progress:
        for result in results:
            collected.append(result)
            progress.update(1, note)
    return collected
