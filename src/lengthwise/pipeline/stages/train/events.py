"""Curves for TensorBoard: one folder a run, with one event file.

TensorBoard reads `ROOT/<task>/<name>-<digest>/events.out.tfevents.<number>.lengthwise`. A run that goes on puts a new
file, with all of its points, in the place of the old one. The file's first record tells an open TensorBoard to forget
what it has read of the run.

An event file is no output: it has times in it, and a run without one is worth as much. So where it cannot be written
the run says so once and goes on.
"""

import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import tensorflow as tf

from lengthwise.training.watch import WALL_TIME

VARIABLE = "LENGTHWISE_TENSORBOARD"
DEFAULT_FOLDER = Path(".lengthwise") / "tensorboard"
# Of each task; the oldest go when another begins.
KEPT_RUNS = 50
DIGEST_CHARACTERS = 8
NAME_CHARACTERS = 60
FILE_NAME = "events.out.tfevents.{:010d}.lengthwise"
# Where DVC copies the repository to for `dvc exp run --temp` and for its queue.
TEMPORARY = (".dvc", "tmp", "exps")
# A disk that is full for all ends the run meanwhile, when it saves its state, by one line; this one would be a second.
SILENT_SECONDS = 30.0
_IS_RUN = re.compile(rf".*-[0-9a-f]{{{DIGEST_CHARACTERS}}}")


def tensorboard_folder(environment: Mapping[str, str]) -> Path | None:
    """The folder that `tensorboard --logdir` takes: LENGTHWISE_TENSORBOARD, or `.lengthwise/tensorboard`.

    An experiment in a temporary copy of the repository, which goes with it, writes to the repository's own folder.

    Args:
        environment: `os.environ`.

    Returns:
        The folder; None where the variable is empty or 0.
    """
    if VARIABLE in environment:
        return None if environment[VARIABLE] in ("", "0") else Path(environment[VARIABLE])
    # DVC names the repository that an experiment is of, not the copy that it runs in.
    root = Path(environment.get("DVC_ROOT", "."))
    inside = Path.cwd().is_relative_to(root.joinpath(*TEMPORARY).absolute())
    return (root if inside else Path()) / DEFAULT_FOLDER


class EventFolder:
    """A run's folder and the event file in it.

    Args:
        root: the folder of all runs, `tensorboard_folder`.
        task: a name in `TASKS`.
        digest: of the run; a run that goes on finds its folder by it.
        resumed: whether the run goes on; one that does not clears away the folder of an earlier run of this digest.
    """

    def __init__(self, root: Path, task: str, digest: str, resumed: bool) -> None:
        self._runs, self._digest, self._resumed = root / task, digest[:DIGEST_CHARACTERS], resumed
        self._writer: Any = None
        self._trouble, self._since = "", 0.0

    def begin(self, epochs: Sequence[Mapping[str, float]], steps: Sequence[Mapping[str, float]]) -> None:
        """Write an event file with these points in the place of the one that may be there."""
        try:
            folder = self._folder()
            before = sorted(folder.glob(FILE_NAME.format(0).replace("0" * 10, "*")))
            number = int(before[-1].name.split(".")[-2]) + 1 if before else 0
            beside = folder / ".beside.partial"
            self._writer = tf.io.TFRecordWriter(str(beside))
            now = time.time()
            self._write(tf.compat.v1.Event(wall_time=now, file_version="brain.Event:2"))
            start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
            self._write(tf.compat.v1.Event(wall_time=now, step=0, session_log=start))
            for row in sorted([*epochs, *steps], key=lambda row: row[WALL_TIME]):
                self._write(_event("step" if "step" in row else "epoch", row))
            self._writer.flush()
            beside.rename(folder / FILE_NAME.format(number))
            for path in before:
                path.unlink()
        except (OSError, tf.errors.OpError) as error:
            self._give_up(error)

    def add(self, kind: str, rows: Sequence[Mapping[str, float]]) -> None:
        """Add the points of rows.

        Args:
            kind: `step` or `epoch`, the key that a row's number has.
            rows: the number, `wall_time` in seconds, and figures, each of which is a point of a curve.
        """
        if time.monotonic() - self._since >= SILENT_SECONDS:
            self._say_trouble()
        if self._writer is None:
            return
        try:
            for row in rows:
                self._write(_event(kind, row))
            self._writer.flush()
        except (OSError, tf.errors.OpError) as error:
            self._give_up(error)

    def close(self, complete: bool) -> None:
        """Close the event file of a run, which may be complete or have failed."""
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.close()
        except (OSError, tf.errors.OpError) as error:
            self._give_up(error)
        if complete:
            self._say_trouble()

    def _write(self, event: tf.compat.v1.Event) -> None:
        self._writer.write(event.SerializeToString())

    def _folder(self) -> Path:
        """The folder of this run, which exists; too old ones of others go."""
        self._runs.mkdir(parents=True, exist_ok=True)
        runs = [path for path in self._runs.iterdir() if _IS_RUN.fullmatch(path.name) and path.is_dir()]
        own = [path for path in runs if path.name.endswith(f"-{self._digest}")]
        if own and self._resumed:
            return own[0]
        runs = sorted((path for path in runs if path not in own), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in [*own, *runs[KEPT_RUNS - 1 :]]:
            shutil.rmtree(path, ignore_errors=True)
        # An experiment has a name; else the time is one.
        name = re.sub(r"[^\w.=,+-]+", "_", os.environ.get("DVC_EXP_NAME", ""), flags=re.ASCII)[:NAME_CHARACTERS]
        folder = self._runs / f"{name or time.strftime('%m%d-%H%M%S')}-{self._digest}"
        folder.mkdir(exist_ok=True)
        return folder

    def _give_up(self, error: Exception) -> None:
        writer, self._writer = self._writer, None
        with suppress(OSError, tf.errors.OpError):
            if writer is not None:
                writer.close()
        reason = error.strerror if isinstance(error, OSError) else getattr(error, "message", None)
        said = " ".join(str(reason or error).split())
        self._trouble = f"train: {self._runs}: no event file for TensorBoard ({said}); goes on without it"
        self._since = time.monotonic()

    def _say_trouble(self) -> None:
        if self._trouble:
            print(self._trouble, file=sys.stderr)
        self._trouble = ""


def _event(kind: str, row: Mapping[str, float]) -> tf.compat.v1.Event:
    """One record for all figures of a row, each under `<kind>s/<figure>`."""
    values = [
        tf.compat.v1.Summary.Value(tag=f"{kind}s/{name}", simple_value=value)
        for name, value in row.items()
        if name not in (kind, WALL_TIME)
    ]
    return tf.compat.v1.Event(wall_time=row[WALL_TIME], step=int(row[kind]), summary=tf.compat.v1.Summary(value=values))
