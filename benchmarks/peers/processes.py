"""A process for each contestant, which works when it is its turn and is blocked on a pipe when not."""

import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from peers.data import Data

# Before the first turn: everything is traced, widths have been seen, and what shuffles has filled its buffer.
WARM_UP_SECONDS = 1.5
WARM_UP_BATCHES = 10


class Unavailable(Exception):  # noqa: N818
    """A contestant cannot take part here, and that is no fault: its library is not installed."""


@dataclass(frozen=True)
class Contestant:
    """One row of a table.

    Attributes:
        name: as in the table.
        module: in this package; its `run` does the work.
        options: of `run`.
    """

    name: str
    module: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """What a contestant did in a round, in whole batches.

    Attributes:
        batches: how many.
        sentences: in them.
        tokens: in them.
        seconds: that it took.
        others: cores that other processes kept busy meanwhile; None where the system does not say.
    """

    batches: int
    sentences: int
    tokens: float
    seconds: float
    others: float | None


class Stopwatch:
    """Counts a contestant's batches when it is its turn, and holds it when it is another's.

    Args:
        pipe: from it come the seconds of each turn, into it go `Turn`s.

    Attributes:
        padding_share: of the batches' steps, those without a token; the contestant sets it before the first tick.
    """

    def __init__(self, pipe: Connection) -> None:
        self.padding_share: float | None = None
        self._pipe = pipe
        self._warm = False
        self._begin(WARM_UP_SECONDS)

    def tick(self, sentences: int, tokens: float, batches: int = 1) -> None:
        """Count what has been done since the last tick; at a turn's end say so, and wait for the next one."""
        self._batches += batches
        self._sentences += sentences
        self._tokens += tokens
        elapsed = time.perf_counter() - self._started
        if elapsed < self._seconds or (not self._warm and self._batches < WARM_UP_BATCHES):
            return
        others = None if self._busy is None else (_busy_elsewhere() - self._busy) / elapsed
        turn = Turn(self._batches, self._sentences, self._tokens, elapsed, others)
        self._pipe.send(turn if self._warm else self.padding_share)
        self._warm = True
        self._begin(self._pipe.recv())

    def _begin(self, seconds: float) -> None:
        self._batches = self._sentences = 0
        self._tokens = 0.0
        self._seconds = seconds
        self._busy = _busy_elsewhere()
        self._started = time.perf_counter()


def _busy_elsewhere() -> float | None:
    """Seconds that all cores have worked for other processes since the machine's start."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, *interrupts = (int(count) for count in line.split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK") - time.process_time()


class Worker:
    """A contestant's process, seen from outside.

    Attributes:
        contestant: what it runs.
        padding_share: known once it is warm.
    """

    def __init__(self, contestant: Contestant, data: Data) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(contestant, data, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.contestant = contestant
        self.padding_share: float | None = None

    def wait(self) -> str | None:
        """Wait until it is warm; returns the reason if it cannot take part."""
        said = self._receive()
        if isinstance(said, Unavailable):
            self.stop()
            return str(said)
        self.padding_share = said
        return None

    def turn(self, seconds: float) -> Turn:
        """Let it work this long, and to the end of its batch."""
        self._pipe.send(seconds)
        return self._receive()

    def stop(self) -> None:
        """End it, whatever it does: nothing of it is needed any more."""
        self._process.kill()
        self._process.join()

    def _receive(self) -> Turn | Unavailable | float | None:
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            status = self._process.exitcode
            raise RuntimeError(f"{self.contestant.name}: its process died with status {status}") from None


def _work(contestant: Contestant, data: Data, pipe: Connection) -> None:
    """What the process does: it never ends by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    # What TensorFlow's libraries log at their start is in the way; what Python says is not.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        importlib.import_module(f"peers.{contestant.module}").run(data, Stopwatch(pipe), **contestant.options)
    except Unavailable as reason:
        pipe.send(reason)
