"""DVC in a process group of its own: started on some of the processors, asked whether it has ended, and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# What a training needs to save its state is seconds; a run that does not end is killed.
STOP_SECONDS = 60.0
TICK_SECONDS = 0.1
END_OF_LOG = 10


class DvcProcess:
    """`dvc` with some arguments, its output in a file.

    A process group of its own: Ctrl-C reaches it through `stop`, once, and not from the terminal as well. If this
    process is killed, `lengthwise.pipeline.sweeps.attended` stops the group.

    Args:
        arguments: of `dvc`.
        folder: where it runs.
        log: file for all that DVC and the stages print.
        processors: that it and all below it may use; all, if empty.
        held: descriptors of locks that are held until it has ended, even if this process is killed before.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        log: Path,
        processors: Collection[int] = (),
        held: Sequence[int] = (),
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        ours, self._pipe = os.pipe()
        given = (ours, *held)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        try:
            with log.open("w", encoding="utf-8") as output, _interruptible_children():
                self._child = subprocess.Popen(  # noqa: S603
                    [
                        sys.executable,
                        "-m",
                        "lengthwise.pipeline.sweeps.attended",
                        ",".join(map(str, given)),
                        *arguments,
                    ],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=given,
                    env={**os.environ, "PATH": path},
                )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(ours)
        if processors and hasattr(os, "sched_setaffinity"):
            # It has one thread yet; all that it starts inherits them.
            os.sched_setaffinity(self._child.pid, processors)

    def status(self) -> int | None:
        """The exit status, negative after a signal; None while it runs."""
        if self._child.returncode is None and _has_ended(self._child.pid):
            # DVC may have been killed alone, and what it started goes on. DVC has not been waited for yet, so no other
            # process can have its number.
            self._send(signal.SIGKILL)
            self._child.wait()
            os.close(self._pipe)
        return self._child.returncode

    def interrupt(self) -> None:
        """Do as Ctrl-C does: a training saves its state."""
        if self.status() is None:
            self._send(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, and wait."""
        while self.status() is None:
            self._send(signal.SIGKILL)
            time.sleep(TICK_SECONDS / 10)

    def _send(self, number: int) -> None:
        os.killpg(self._child.pid, number)


def stop(processes: Iterable[DvcProcess]) -> None:
    """Interrupt processes and wait for their ends; after a minute, or a second Ctrl-C, kill those that are left."""
    waiting = list(processes)
    try:
        for process in waiting:
            process.interrupt()
        end = time.monotonic() + STOP_SECONDS
        while time.monotonic() < end and any(process.status() is None for process in waiting):
            time.sleep(TICK_SECONDS)
    finally:
        for process in waiting:
            process.kill()


def reason_of(status: int, log: Path) -> str:
    """Why a process ended with a status: the line of its log that says so first, and then the log's end."""
    lines = [line.rstrip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    # Ours, DVC's, or whatever came last.
    found = (
        next((line for line in reversed(lines) if line.startswith(word)), "") for word in ("error: ", "ERROR: ", "")
    )
    first = next(filter(None, found), f"error: it ended with status {status} and said nothing")
    if status < 0:
        first = f"error: it was killed by {signal.Signals(-status).name}"
    return "\n".join([first, *(line for line in lines[-END_OF_LOG:] if line != first)])


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


@contextmanager
def _interruptible_children() -> Iterator[None]:
    """Have what is started take interrupts: a script that starts this in the background has them ignored, by all below.

    DVC and its stage could then be stopped by nothing that lets them clean up.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        # A handler does not outlive the start of another program: there it is the default again.
        signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
