"""What a sweep says while it runs, to standard error: a line an event, and on a terminal a live line below them."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from lengthwise.system.progress import clock


@dataclass
class Tally:
    """How far a sweep is.

    Attributes:
        total: runs in all.
        done: runs that are there as experiments.
        failed: runs that failed or were refused.
        stopped: runs that were stopped because they were hopeless.
    """

    total: int
    done: int = 0
    failed: int = 0
    stopped: int = 0

    def line(self, running: Mapping[str, float]) -> str:
        """`5 of 12 done, 1 failed, 2 running, 4 to come`, and what runs for how many seconds."""
        parts = [f"{self.done} of {self.total} done"]
        to_come = self.total - self.done - self.failed - self.stopped - len(running)
        counts = {"failed": self.failed, "stopped": self.stopped, "running": len(running), "to come": to_come}
        parts += [f"{count} {what}" for what, count in counts.items() if count]
        times = ", ".join(f"{name} {clock(seconds)}" for name, seconds in running.items())
        return ", ".join(parts) + (f": {times}" if times else "")


def say(text: str) -> None:
    """Print a line; on a terminal it takes the place of the live line."""
    print(f"{_clear()}{text}", file=sys.stderr, flush=True)


def say_live(text: str) -> None:
    """Show a line until the next one, if this is a terminal."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        shown = text if len(text) <= width else f"{text[: max(0, width - 1)]}…"
        print(f"{_clear()}{shown}", end="", file=sys.stderr, flush=True)


def _clear() -> str:
    return "\r\033[K" if sys.stderr.isatty() else ""
