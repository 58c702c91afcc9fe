"""The standard streams of a command: UTF-8 out whatever the locale, one line where nothing more can be written."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from lengthwise.errors import OutputError

STANDARD_OUTPUT = "standard output"
INTERRUPTED = 130


@contextmanager
def standard_streams() -> Iterator[None]:
    """Run a command in here; its output goes through `write`.

    A reader that has enough, as `head` has, ends the command without a word, and so does Ctrl-C.

    Raises:
        OutputError: the output cannot be written.
    """
    if sys.stderr is None:
        # Closed by the caller; Python would print to standard output in its place.
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        raise OutputError(f"{STANDARD_OUTPUT}: is closed; expected somewhere to write to; give it one")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        yield
        flush()
    except BrokenPipeError:
        _abandon()
    except KeyboardInterrupt:
        with suppress(OSError):
            flush()
        sys.exit(INTERRUPTED)
    except BaseException as error:
        # What was written before is worth having; where it cannot be had, an error says more than this does.
        with suppress(OSError) if _failed(error) else nullcontext():
            flush()
        raise


def write(text: str) -> None:
    """Write to standard output.

    Raises:
        OutputError: there is no room.
        BrokenPipeError: nobody reads on.
    """
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _cannot_write(error) from error


def flush() -> None:
    """Write all that waits; raises as `write` does."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon()
        raise
    except OSError as error:
        raise _cannot_write(error) from error


def _failed(error: BaseException) -> bool:
    return not isinstance(error, SystemExit) or bool(error.code)


def _cannot_write(error: OSError) -> OutputError:
    _abandon()
    return OutputError(f"{STANDARD_OUTPUT}: cannot be written ({error.strerror}); expected room for it; make some")


def _abandon() -> None:
    """Let what still waits go nowhere: closing it, Python would complain again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
