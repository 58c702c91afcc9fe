"""What every script in `stages/` does around its one library call."""

import argparse
import atexit
import gc
import inspect
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from lengthwise.errors import exit_on_user_error
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.translation import errors_under_keys
from lengthwise.system.files import write_metrics
from lengthwise.system.variables import number_in, processors

PARAMS_FILE = Path("params.yaml")
# In the place of a section's name: all of them.
WHOLE = "params"
FIGURE_FILES = {
    "metrics": "JSON file for the stage's metrics",
    "timing": "JSON file for times, rates and memory",
}
MEBIBYTE = 1 << 20
STATUS_FILE = Path("/proc/self/status")
KERAS_WRAPS = "sklearn"
# New objects, and rounds, from one search for cycles among them to the next. TensorFlow makes a million that stay, as
# it is imported and as it traces: a search every 700 objects takes a tenth of the time.
SELDOM = (100_000, 50, 100)


@dataclass(frozen=True)
class Figures:
    """What a stage has to report.

    Attributes:
        metrics: reproducible to the bit, into the stage's metrics file.
        timing: rates of this run on this machine, into its timing file.
    """

    metrics: dict[str, float | int | str]
    timing: dict[str, float | int | str] = field(default_factory=dict)


def worker_count() -> int:
    """Processes that a parallel stage uses: LENGTHWISE_WORKERS, or the processors this process may use.

    It is no key of `params.yaml`, since no output depends on it.

    Raises:
        LengthwiseError: the variable is not a positive integer.
    """
    return number_in("LENGTHWISE_WORKERS", processors())


def run_stage(main: Callable[..., Figures], *sections: str, files: Sequence[str] = tuple(FIGURE_FILES)) -> None:
    """Run a stage script: parse its paths, check all params, call `main`, write metrics and timing.

    The stage `check` refuses wrong params before the outputs of any other stage are cleared. They are checked here once
    more, before anything heavy is imported or any data is read: a `main` that needs TensorFlow imports it inside.

    Args:
        main: takes one params section per name in `sections`, then keyword arguments, each a positional
            argument of the command line: a `Path`, one or more of them, or a `str`, as its annotation says. `files`
            follow on the command line.
        sections: sections of `params.yaml`, the stage's own first; `WHOLE` is all of it.
        files: the names in `FIGURE_FILES` that are written; a `main` that writes its metrics itself leaves them out.
    """
    with _process_of(main), exit_on_user_error(), errors_under_keys():
        arguments = _parse_arguments(main, sections, {name: FIGURE_FILES[name] for name in files})
        paths = {name: arguments.pop(name) for name in files}
        started = time.monotonic()
        figures = main(*_read(sections), **arguments)
        seconds = time.monotonic() - started
        frame = {"seconds": round(seconds, 2), "peak_memory_mib": peak_memory_mib()}
        contents = {"metrics": figures.metrics, "timing": {**frame, **figures.timing}}
        for name, path in paths.items():
            write_metrics(path, contents[name])


def run_without_figures(main: Callable[..., None], *sections: str) -> None:
    """Run a stage script, as `run_stage`, that has nothing to report."""
    with _process_of(main), exit_on_user_error(), errors_under_keys():
        arguments = _parse_arguments(main, sections, {})
        main(*_read(sections), **arguments)


@contextmanager
def _process_of(main: Callable[..., object]) -> Iterator[None]:
    """Where `main` is that of the script which this process runs: end it at once, all its files being written.

    Taking TensorFlow's objects apart takes a second and a half, which the system does in a moment. Whatever else is to
    happen at the end happens before. An error ends the process as usual.
    """
    done = False

    def leave() -> None:
        if done:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    if main.__module__ == "__main__":
        gc.set_threshold(*SELDOM)
        atexit.register(leave)
    yield
    done = True


def _read(sections: Sequence[str]) -> list[Any]:
    if not sections:
        return []
    params = load_params(PARAMS_FILE)
    return [params if section == WHOLE else getattr(params, section) for section in sections]


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Import TensorFlow in here: its libraries report to standard error, past Python, that there is no GPU.

    Nor is scikit-learn imported, which Keras does wherever it is installed, for wrappers that no stage has: a third of
    the time. Whatever is imported in here and needs it says so.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    here = modules.setdefault(KERAS_WRAPS, None)
    try:
        yield
    finally:
        if here is None:
            del modules[KERAS_WRAPS]
        os.dup2(kept, 2)
        os.close(kept)


def _parse_arguments(main: Callable[..., object], sections: Sequence[str], more: Mapping[str, str]) -> dict[str, Any]:
    signature = list(inspect.signature(main).parameters.values())
    parser = argparse.ArgumentParser(
        description=inspect.getdoc(inspect.getmodule(main)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for parameter in signature[len(sections) :]:
        one_or_more = parameter.annotation == list[Path]
        parser.add_argument(
            parameter.name,
            type=Path if one_or_more else parameter.annotation,
            nargs="+" if one_or_more else None,
            metavar=parameter.name.upper(),
        )
    for name, text in more.items():
        parser.add_argument(name, type=Path, metavar=name.upper(), help=text)
    return vars(parser.parse_args())


def peak_memory_mib() -> int:
    """Peak resident memory in MiB of the largest among this process and the children that it waited for.

    Linux hands `ru_maxrss` on over fork and exec: it may be the peak of whoever started the process. So a process's own
    is taken from elsewhere, and what a child has from here is never more than that.
    """
    own = _peak_of_this_program()
    own = _max_rss(resource.RUSAGE_SELF) if own is None else own
    return round(max(own, _max_rss(resource.RUSAGE_CHILDREN)) / MEBIBYTE)


def _peak_of_this_program() -> int | None:
    """`VmHWM`, which begins anew with a program, in bytes; None where the system does not tell."""
    try:
        status = STATUS_FILE.read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _max_rss(of: int) -> int:
    """The system's `ru_maxrss` in bytes, which macOS counts in bytes and Linux in KiB."""
    return resource.getrusage(of).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
