"""Runs, one or several at once: what is said of them, what of them failed, and the exit status."""

import fcntl
import hashlib
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lengthwise.core.names import TASKS
from lengthwise.errors import SweepError, exit_on_user_error
from lengthwise.pipeline.sweeps.experiment import figures_of, find_or_name, reference_of, take_over
from lengthwise.pipeline.sweeps.grid_file import SweepRun
from lengthwise.pipeline.sweeps.overview import ExperimentRow, flat, table_text, terminal_width
from lengthwise.pipeline.sweeps.process import STOP_SECONDS, TICK_SECONDS, DvcProcess, reason_of, stop
from lengthwise.pipeline.sweeps.run_source import RunSource
from lengthwise.pipeline.sweeps.screen import Tally, say, say_live
from lengthwise.pipeline.sweeps.workspace import WORKSPACES, Snapshot, remove, take_snapshot, workspace
from lengthwise.system.progress import clock

RUN_FAILED = 1
INTERRUPTED = 128 + signal.SIGINT
LOGS = Path(".lengthwise") / "sweeps"
# A sweep that was killed takes a while to end its runs.
LOCK_SECONDS = 30.0
LOCK_TICK_SECONDS = 0.2


@dataclass
class _Active:
    """A run in its workspace."""

    number: int
    run: SweepRun
    log: Path
    project: Path
    process: DvcProcess
    cleanup: ExitStack
    started: float
    hopeless: str = ""
    interrupted: float = 0.0


class Sweep:
    """Runs of one pipeline, several at once if asked to; each has its share of the processors.

    Args:
        runs: what to run, or where the runs come from.
        logs: folder for a log a run, and for what interrupted trainings go on from.
        jobs: how many run at once.
        keep: called with each run that is there, and the Git reference of its experiment.

    Attributes:
        failures: runs that failed or were refused: their names, and why, in lines.
    """

    def __init__(
        self,
        runs: Sequence[SweepRun] | RunSource,
        logs: Path,
        jobs: int = 1,
        keep: Callable[[SweepRun, str], None] = lambda run, reference: None,
    ) -> None:
        self._source = runs if isinstance(runs, RunSource) else RunSource(runs)
        self._logs, self._keep = logs, keep
        self._jobs = min(jobs, self._source.total)
        self._held: list[int] = []
        self._active: dict[int, _Active] = {}
        self._rows: dict[int, ExperimentRow] = {}
        self._tally = Tally(self._source.total)
        self.failures: list[tuple[str, str]] = []

    def kept(self) -> str:
        """How many runs are there, and how to see them."""
        stopped = f", {self._tally.stopped} were stopped" if self._tally.stopped else ""
        return (
            f"{self._tally.done} of {self._source.total} runs are kept as experiments (`make exps` shows them){stopped}"
        )

    def table(self) -> str:
        """The runs with their headline figures, best first; empty if there is none."""
        rows = [row for _, row in sorted(self._rows.items())]
        text = table_text(rows, terminal_width(), order=self._source.ordered) if rows else ""
        return "\n\n".join(filter(None, (text, self._source.remarks())))

    def run(self) -> None:
        """Run what is not there yet, after a word on what is refused.

        Raises:
            SweepError: there is no commit that experiments could be derived from, or another sweep runs here.
            KeyboardInterrupt: once the runs that it met have ended.
        """
        with _only_sweep() as lock:
            self._held = [lock]
            snapshot = take_snapshot()
            self._source.begin(snapshot)
            try:
                self._run_all(snapshot)
            finally:
                # Whatever ends the sweep, nothing of it goes on.
                self._stop()

    def _run_all(self, snapshot: Snapshot) -> None:
        while True:
            while len(self._active) < self._jobs and (taken := self._source.take()) is not None:
                self._begin(*taken, snapshot)
            if not self._active:
                return
            time.sleep(TICK_SECONDS)
            for slot, active in list(self._active.items()):
                if (status := active.process.status()) is not None:
                    self._end(active, status, snapshot)
                    del self._active[slot]
                elif active.hopeless:
                    if time.monotonic() > active.interrupted + STOP_SECONDS:
                        active.process.kill()
                elif reason := self._source.why_hopeless(active.number, active.project):
                    active.hopeless, active.interrupted = reason, time.monotonic()
                    active.process.interrupt()
            say_live(self._progress())

    def _begin(self, number: int, run: SweepRun, snapshot: Snapshot) -> None:
        """Start a run, unless it is refused, was stopped before, or is there already."""
        if run.params is None:
            self._fail(number, run, run.name, run.refusal)
            say(f"{self._place(number)}: {run.name}: refused: {run.refusal}")
        elif self._source.state(number):
            self._note_stopped(number, run)
            say(f"{self._place(number)}: {run.name}: was stopped before")
        else:
            name, is_there = find_or_name(run, snapshot)
            if not is_there:
                self._start(number, run, snapshot)
            elif reason := self._finish(number, run, name, snapshot):
                self._fail(number, run, name, reason)
                say(f"{self._place(number)}: {name}: is there, and cannot be used: {reason}")
            else:
                say(f"{self._place(number)}: {name}: is there already")

    def _start(self, number: int, run: SweepRun, snapshot: Snapshot) -> None:
        slot = next(slot for slot in range(self._jobs) if slot not in self._active)
        log = self._logs / f"{number}.log"
        with ExitStack() as cleanup:
            states = self._states_of(run)
            project = cleanup.enter_context(workspace(WORKSPACES / str(slot + 1), snapshot, states))
            arguments = ["exp", "run", "--name", run.name]
            arguments += [word for override in run.overrides for word in ("-S", override)] + [*run.targets]
            process = DvcProcess(arguments, project, log, processors(slot, self._jobs), self._held)
            self._active[slot] = _Active(number, run, log, project, process, cleanup.pop_all(), time.monotonic())
        say(f"{self._place(number)}: {run.name}: runs; its log is {log}")

    def _end(self, active: _Active, status: int, snapshot: Snapshot) -> None:
        took, number, run = clock(time.monotonic() - active.started), active.number, active.run
        with active.cleanup:
            name, reason = run.name, reason_of(status, active.log)
            if status == 0:
                try:
                    name = take_over(run, snapshot, active.project)
                    reason = self._finish(number, run, name, snapshot)
                except SweepError as error:
                    reason = f"error: {error}"
        said = f"done after {took}"
        if status and active.hopeless:
            self._source.stopped(number)
            self._note_stopped(number, run)
            said = f"stopped after {took}: {active.hopeless}"
        elif reason:
            self._fail(number, run, f"{name}, whose log {active.log} ends with", reason)
            said = f"failed after {took}: {reason.splitlines()[0]}"
        if not reason or active.hopeless:
            remove(self._states_of(run))
        say(f"{self._place(number)}: {name}: {said}")

    def _finish(self, number: int, run: SweepRun, name: str, snapshot: Snapshot) -> str:
        """Take note of an experiment; returns why it is of no use, if it is not."""
        reference = reference_of(name, snapshot.commit)
        try:
            self._source.finished(number, reference)
        except SweepError as error:
            return f"error: {error}"
        self._keep(run, reference)
        tasks = run.params.tasks if run.params else TASKS
        figures = {**self._source.figures(number), **figures_of(reference, tasks)}
        self._rows[number] = ExperimentRow(name, "", self._source.state(number), flat(run.values), figures)
        self._tally.done += 1
        return ""

    def _note_stopped(self, number: int, run: SweepRun) -> None:
        state, figures = self._source.state(number), self._source.figures(number)
        self._rows[number] = ExperimentRow(run.name, "", state, flat(run.values), figures)
        self._tally.stopped += 1

    def _fail(self, number: int, run: SweepRun, what: str, reason: str) -> None:
        self.failures.append((what, reason))
        self._source.failed(number)
        state = "refused" if run.params is None else "failed"
        self._rows[number] = ExperimentRow(run.name, state=state, params=flat(run.values))
        self._tally.failed += 1

    def _stop(self) -> None:
        if self._active:
            names = ", ".join(active.run.name for active in self._active.values())
            say(f"stopping {names}; Ctrl-C again kills what is still running")
        try:
            stop(active.process for active in self._active.values())
        finally:
            for active in self._active.values():
                active.cleanup.close()
            self._active.clear()

    def _states_of(self, run: SweepRun) -> Path:
        # Of this run alone: two that train the same network at once must not share a state.
        content = "" if run.params is None else run.params.model_dump_json()
        return self._logs / "states" / hashlib.sha256(content.encode()).hexdigest()[:16]

    def _progress(self) -> str:
        now = time.monotonic()
        return self._tally.line({active.run.name: now - active.started for active in self._active.values()})

    def _place(self, number: int) -> str:
        return f"run {number} of {self._source.total}"


def processors(slot: int, jobs: int) -> set[int]:
    """The processors of the run in a slot: equal shares, at least one each; none, which stands for all, for one run."""
    if jobs == 1 or not hasattr(os, "sched_getaffinity"):
        return set()
    ours = sorted(os.sched_getaffinity(0))
    begin, end = (len(ours) * edge // jobs for edge in (slot, slot + 1))
    return set(ours[begin:end] or [ours[slot % len(ours)]])


@contextmanager
def _only_sweep() -> Iterator[int]:
    """Hold this project's workspaces, and remove what a killed sweep has left in them.

    Yields:
        The descriptor of the lock.

    Raises:
        SweepError: another sweep holds them.
    """
    WORKSPACES.mkdir(parents=True, exist_ok=True)
    with (WORKSPACES / "lock").open("w", encoding="utf-8") as lock:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                # The system releases it, however this process and its runs end.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    expected = "no other sweep of this project; wait for it, or stop it with Ctrl-C"
                    raise SweepError(f"{Path.cwd()}: another sweep runs here; expected {expected}") from None
                time.sleep(LOCK_TICK_SECONDS)
            else:
                break
        for folder in filter(Path.is_dir, WORKSPACES.iterdir()):
            remove(folder)
        yield lock.fileno()


def run_and_exit(sweep: Sweep, conclude: Callable[[], str] | None = None) -> NoReturn:
    """Run a sweep, say what failed, and exit: with 0 if every run is there, 1 if some failed, 130 after Ctrl-C.

    Args:
        sweep: that is run.
        conclude: makes what is printed instead of the table of runs, if every run is there.
    """
    # Whoever stops it by a signal wants what Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with exit_on_user_error():
            sweep.run()
    except KeyboardInterrupt:
        say(f"interrupted: {sweep.kept()}; the same command runs the rest")
        sys.exit(INTERRUPTED)
    with exit_on_user_error():
        text = conclude() if conclude and not sweep.failures else sweep.table()
    if text:
        print(f"\n{text}", flush=True)
    for name, reason in sweep.failures:
        say(f"\nfailed: {name}\n{textwrap.indent(reason, '    ')}")
    say(f"\n{sweep.kept()}; {len(sweep.failures)} failed")
    sys.exit(RUN_FAILED if sweep.failures else 0)
