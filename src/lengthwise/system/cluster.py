"""Tasks on a Dask cluster in place of own worker processes: the same interface, and the same results.

`LENGTHWISE_SCHEDULER` names the scheduler: its address, such as `tcp://10.0.0.1:8786`, or the file that
`dask scheduler --scheduler-file` writes. docs/scale.md starts a cluster.
"""

import logging
import os
import platform
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pyarrow as pa

import lengthwise
from lengthwise.errors import LengthwiseError, WorkerError

VARIABLE = "LENGTHWISE_SCHEDULER"
# Seconds until a scheduler has to answer, and a worker to be there or to come back.
ANSWER_SECONDS = 20
WORKER_SECONDS = 60
POLL_SECONDS = 2


def scheduler() -> str | None:
    """The cluster's scheduler, as the environment names it; None for own processes."""
    return os.environ.get(VARIABLE) or None


@dataclass(frozen=True)
class Start:
    """What a worker does before its first task of a map, once.

    Attributes:
        token: of the map's `Workers`; a worker that has another's state starts anew.
        folder: the working directory, to which paths are relative.
        versions: of what writes bytes.
        function: called with the arguments.
        arguments: its arguments.
    """

    token: str
    folder: str
    versions: tuple[str, ...]
    function: Callable[..., None]
    arguments: tuple[object, ...]


class ClusterPool:
    """Runs tasks on a cluster that is there already; see `Workers`.

    A worker that dies costs nothing but its tasks, which run again elsewhere.

    Args:
        address: of the scheduler, or its file.
        start: called once in each worker before its first task.
        arguments: of `start`.

    Raises:
        LengthwiseError: the extra `cluster` is not installed, there is no scheduler, or it has no worker.
    """

    def __init__(self, address: str, start: Callable[..., None], arguments: tuple[object, ...]) -> None:
        self._address = address
        self._client: Any = connect(address)
        self._start = Start(uuid4().hex, os.getcwd(), versions(), start, arguments)  # noqa: PTH109 - sent as text.
        self._futures: list[Any] = []

    def map(self, function: Callable[[Any], Any], items: Iterable[object]) -> Iterator[Any]:
        """The results in the items' order; all tasks begin at once."""
        call = partial(_run, self._start, function)
        # Not pure: of two runs with equal tasks each has its own files to write.
        self._futures = self._client.map(call, list(items), pure=False)
        return map(self._result, self._futures)

    @property
    def threads(self) -> int:
        """How many tasks it runs at a time."""
        return sum(self._client.nthreads().values())

    def begin(self, function: Callable[[Any], Any], item: object) -> Callable[[], Any]:
        """Begin one task; what is returned waits for its result."""
        future = self._client.submit(_run, self._start, function, item, pure=False)
        self._futures = [one for one in self._futures if not one.done()] + [future]
        return partial(self._result, future)

    def shutdown(self) -> None:
        """Take back what has not been done, and leave the cluster as it was."""
        with suppress(Exception):
            self._client.cancel(self._futures)
        with suppress(Exception):
            self._client.close(timeout=ANSWER_SECONDS)

    def _result(self, future: Any) -> Any:  # noqa: ANN401 - Dask has no types; whatever the task returns.
        from distributed import KilledWorker

        try:
            self._wait(future)
            return future.result()
        except KilledWorker:
            raise WorkerError(
                f"{VARIABLE}: workers of {self._address} were killed again and again by one task; expected memory "
                "for it; give each worker more"
            ) from None
        except CancelledError as error:
            raise self._lost() from error
        except ModuleNotFoundError as error:
            raise LengthwiseError(
                f"{VARIABLE}: workers of {self._address} lack {error.name}; expected what is installed here; "
                "install the same lock there"
            ) from None

    def _wait(self, future: Any) -> None:  # noqa: ANN401
        """Wait until a task is done, however it ended.

        Raises:
            WorkerError: there is no worker, or no scheduler, that could do it.
        """
        alone = 0.0
        while not future.done():
            try:
                future.exception(timeout=POLL_SECONDS)
            except TimeoutError:
                try:
                    alone = 0.0 if self._client.nthreads() else alone + POLL_SECONDS
                except OSError as error:
                    raise self._lost() from error
            if alone >= WORKER_SECONDS:
                raise WorkerError(
                    f"{VARIABLE}: {self._address} has no worker any more; expected one within {WORKER_SECONDS} "
                    "seconds; start workers, and the stage again"
                )

    def _lost(self) -> WorkerError:
        return WorkerError(
            f"{VARIABLE}: {self._address} does not answer any more; expected it until the stage ends; start it again, "
            "and the stage"
        )


def connect(address: str) -> Any:  # noqa: ANN401 - Dask has no types.
    """A `distributed.Client` of a cluster that has a worker.

    Raises:
        LengthwiseError: the extra `cluster` is not installed, there is no scheduler, or it has no worker.
    """
    try:
        from distributed import Client as _Client
    except ImportError:
        raise LengthwiseError(
            f"{VARIABLE}: needs the extra cluster; expected distributed; pip install 'lengthwise[cluster]', or unset it"
        ) from None
    # It would report each lost connection, which is said in one line of our own.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    where = {"address": address} if "://" in address else {"scheduler_file": address}
    if "scheduler_file" in where and not os.path.isfile(address):  # noqa: PTH113 - as the user wrote it.
        raise LengthwiseError(
            f"{VARIABLE}: got {address!r:.100}; expected an address, such as tcp://10.0.0.1:8786, or the scheduler's "
            "file; change or unset it"
        )
    try:
        client: Any = cast(Any, _Client)(**where, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise LengthwiseError(
            f"{VARIABLE}: got {address!r:.100}; expected a scheduler that answers ({reason:.120}); start it, or change "
            "the variable"
        ) from None
    try:
        client.wait_for_workers(1, timeout=ANSWER_SECONDS)
    except TimeoutError:
        client.close()
        raise LengthwiseError(f"{VARIABLE}: {address} has no worker; expected one at least; start some") from None
    return client


def versions() -> tuple[str, ...]:
    """The versions of all that writes bytes: the workers' have to be the same."""
    parts = {"lengthwise": lengthwise.__version__, "numpy": np.__version__, "pyarrow": pa.__version__}
    return (f"Python {platform.python_version()}", *(f"{name} {version}" for name, version in parts.items()))


# The state of a worker process: which map's start it has, under a lock that lets one task run at a time.
_lock = threading.Lock()
_started: str | None = None


def _run(start: Start, function: Callable[[Any], Any], item: object) -> Any:  # noqa: ANN401 - whatever it returns.
    """A task, in a worker of the cluster."""
    global _started
    with _lock:
        if _started != start.token:
            _started = None
            _prepare(start)
            _started = start.token
        return function(item)


def _prepare(start: Start) -> None:
    if (own := versions()) != start.versions:
        differ = [f"{mine} for {theirs}" for mine, theirs in zip(own, start.versions, strict=True) if mine != theirs]
        raise LengthwiseError(
            f"{VARIABLE}: worker on {platform.node()} has {', '.join(differ)}; expected the same; install the same lock"
        )
    try:
        os.chdir(start.folder)
    except OSError as error:
        raise LengthwiseError(
            f"{VARIABLE}: worker on {platform.node()} has no folder {start.folder} ({error.strerror}); expected the "
            "project's under the same path on all machines; mount it there"
        ) from None
    start.function(*start.arguments)
