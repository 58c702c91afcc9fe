"""Runs one after the other: what is said of them, what of them failed, and the exit status."""

import signal
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from lengthwise.errors import exit_on_user_error
from lengthwise.progress import clock
from lengthwise.sweeps.experiment import baseline, find_or_name, reference_of, run_experiment
from lengthwise.sweeps.grid import Run

RUN_FAILED = 1
INTERRUPTED = 128 + signal.SIGINT
LOGS = Path(".lengthwise") / "sweeps"
END_OF_LOG = 10


class Sweep:
    """The runs of a grid, one after the other, since each uses all processors.

    Args:
        runs: what to run.
        logs: folder for a log a run.
        keep: called with each run that is there, and the Git reference of its experiment.

    Attributes:
        finished: runs that are there as experiments.
        failures: runs that failed or were refused: their names and the ends of their logs.
    """

    def __init__(
        self, runs: Sequence[Run], logs: Path, keep: Callable[[Run, str], None] = lambda run, reference: None
    ) -> None:
        self._runs, self._logs, self._keep = runs, logs, keep
        self.finished = 0
        self.failures: list[tuple[str, str]] = []

    def kept(self) -> str:
        """How many runs are there, and how to see them."""
        return f"{self.finished} of {len(self._runs)} runs are kept as experiments (`make exps` shows them)"

    def run(self) -> None:
        """Run what is not there yet, after a word on what is refused.

        Raises:
            SweepError: there is no commit that experiments could be derived from.
            KeyboardInterrupt: between two runs, or once the run that it met has ended.
        """
        for number, run in enumerate(self._runs, 1):
            if run.params is None:
                self.failures.append((run.name, run.refusal))
                _say(f"{self._place(number)}: {run.name}: refused: {run.refusal}")
        for number, run in enumerate(self._runs, 1):
            if run.params is not None:
                # Somebody may commit while a run takes its hour: each belongs to the commit at which it began.
                commit = baseline()
                name, is_there = find_or_name(run.name, run.params, commit, run.targets)
                if is_there:
                    _say(f"{self._place(number)}: {name}: is there already")
                if is_there or self._run_one(number, name, run):
                    self._keep(run, reference_of(name, commit))
                    self.finished += 1

    def _run_one(self, number: int, name: str, run: Run) -> bool:
        log = self._logs / f"{number}.log"
        line = f"{self._place(number)}: {name}"
        started = time.monotonic()

        def tick() -> None:
            if sys.stderr.isatty():
                _say(f"{line}: {clock(time.monotonic() - started)}", end="")

        _say(f"{line}: runs; its log is {log}")
        is_good = run_experiment(name, run.overrides, log, tick, run.targets)
        _say(f"{line}: {'done' if is_good else 'failed'} after {clock(time.monotonic() - started)}")
        if not is_good:
            self.failures.append((f"{name}, whose log {log} ends with", _end_of(log)))
        return is_good

    def _place(self, number: int) -> str:
        return f"run {number} of {len(self._runs)}"


def run_and_exit(sweep: Sweep) -> NoReturn:
    """Run a sweep, say what failed, and exit: with 0 if every run is there, 1 if some failed, 130 after Ctrl-C."""
    # Whoever stops it by a signal wants what Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with exit_on_user_error():
            sweep.run()
    except KeyboardInterrupt:
        _say(f"interrupted: {sweep.kept()}; the same command runs the rest")
        sys.exit(INTERRUPTED)
    for name, reason in sweep.failures:
        _say(f"\nfailed: {name}\n{textwrap.indent(reason, '    ')}")
    _say(f"\n{sweep.kept()}; {len(sweep.failures)} failed")
    sys.exit(RUN_FAILED if sweep.failures else 0)


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-END_OF_LOG:])


def _say(text: str, end: str = "\n") -> None:
    # On a terminal it takes the place of the live line.
    clear = "\r\033[K" if sys.stderr.isatty() else ""
    print(f"{clear}{text}", end=end, file=sys.stderr, flush=True)
