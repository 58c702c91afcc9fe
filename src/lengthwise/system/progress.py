"""Progress of long work: one live line on a terminal, elsewhere a line at most every ten seconds."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

LIVE_SECONDS = 0.2
QUIET_SECONDS = 10.0


def short_count(number: float) -> str:
    """A count in at most four characters and a suffix: `950`, `41.2k`, `412k`, `1.5M`."""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * limit:
            return f"{number / limit:.{1 if number < 99.95 * limit else 0}f}{suffix}"
    return f"{number:.0f}"


def clock(seconds: float) -> str:
    """`mm:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


class Progress:
    """Reports `done` of `total` units with rate and time left, to standard error.

    Args:
        name: what is going on, first on the line.
        total: units in all; the estimate of what is left needs it.
        unit: what is counted, for the rate (`41.2k tokens/s`).
        done: units that were done before (a resumed run); they do not count for the rate.
        summary: whether the last line stays; not for a part of work that reports itself.
        stream: where to write; a terminal gets a live line.
    """

    def __init__(
        self,
        name: str,
        total: int,
        unit: str,
        done: int = 0,
        summary: bool = True,
        stream: TextIO | None = None,
    ) -> None:
        self.name, self.total, self.unit, self.summary = name, total, unit, summary
        self.done = self.already = done
        self.note = ""
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self.started = self.written = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.summary and (self.live or kind is None):
            self._write(end="\n")
        elif self.live:
            self.stream.write("\r\033[K")

    def update(self, units: int, note: str = "") -> None:
        """Count `units` more as done; `note` (loss, padding share) ends the line."""
        self.done += units
        self.note = note
        if time.monotonic() - self.written >= (LIVE_SECONDS if self.live else QUIET_SECONDS):
            self._write(end="" if self.live else "\n")

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Write the line again and again during work that counts nothing before its end."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(LIVE_SECONDS):
                self.update(0, self.note)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def line(self, elapsed: float) -> str:
        """The line as it stands `elapsed` seconds after the start."""
        fresh = self.done - self.already
        rate = fresh / elapsed if elapsed > 0 else 0.0
        share = 100 * self.done / self.total if self.total else 100.0
        parts = [
            f"{self.name}  {share:3.0f} %",
            f"{short_count(self.done)}/{short_count(self.total)} {self.unit}",
            f"{short_count(rate)} {self.unit}/s",
        ]
        if self.done >= self.total:
            parts.append(f"took {clock(elapsed)}")
        elif rate:
            parts.append(f"left {clock((self.total - self.done) / rate)}")
        return "  ".join([*parts, self.note] if self.note else parts)

    def _write(self, end: str) -> None:
        self.written = time.monotonic()
        line = self.line(self.written - self.started)
        # \033[K clears what a longer line left behind.
        self.stream.write(f"\r{line}\033[K{end}" if self.live else line + end)
        self.stream.flush()
