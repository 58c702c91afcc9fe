"""Outputs that are complete or absent: written beside their place, then renamed into it."""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from lengthwise.errors import FormatError, OutputError

DIGEST_CHUNK_BYTES = 1 << 20
PART = ".part"


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it takes `path`'s place, on failure it goes.

    Raises:
        OutputError: there is no room, or no permission; an `OSError` within the block is taken for that.
    """
    beside = _beside(path, "partial")
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            beside.replace(path)
        finally:
            _clear(beside)


@contextmanager
def part_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` that nobody else writes to; on success it takes `path`'s place.

    For the parts of a folder that workers write: a task that runs twice, on a cluster perhaps at the same time, writes
    two files, and both put the same bytes in the same place. `clear_parts` removes what killed ones left.
    """
    beside = path.with_name(f".{path.name}.{uuid4().hex}{PART}")
    try:
        yield beside
        beside.replace(path)
    finally:
        _clear(beside)


def clear_parts(folder: Path) -> None:
    """Remove the parts in a folder that were never complete."""
    for path in folder.glob(f".*{PART}"):
        path.unlink(missing_ok=True)


def append_text(path: Path, text: str) -> None:
    """Add text to the end of a file, all of it or, where there is no room, nothing. A kill may leave a part.

    Raises:
        OutputError: see `replacing_file`.
    """
    rest = text.encode()
    with _naming(path), path.open("ab", buffering=0) as stream:
        before = stream.tell()
        try:
            while rest:
                rest = rest[stream.write(rest) :]
        except OSError:
            with suppress(OSError):
                stream.truncate(before)
            raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: what was in `path` before goes only once the new content is complete.

    A folder cannot take the place of another in one step. So the old one is moved away, as a whole, before the new one
    comes, and a process that is killed in between leaves none.

    Raises:
        OutputError: see `replacing_file`.
    """
    replaced = _beside(path, "replaced")
    with _naming(path), _empty_folder(_beside(path, "partial")) as beside, _absent(replaced):
        yield beside
        if path.exists():
            path.rename(replaced)
        try:
            beside.rename(path)
        except OSError:
            if replaced.exists():
                replaced.rename(path)
            raise


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` for what is needed only until `path` is complete.

    It has one name in every run, so that the next one clears what a killed one left.

    Raises:
        OutputError: see `replacing_file`.
    """
    with _naming(path), _empty_folder(_beside(path, "scratch")) as scratch:
        yield scratch


def _beside(path: Path, role: str) -> Path:
    return path.with_name(f".{path.name}.{role}")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which output could not be written, whoever of Python, NumPy and Arrow has failed."""
    try:
        yield
    except OSError as error:
        # Of a file within a folder, the folder is what the user knows.
        cause = error.__cause__ if isinstance(error, OutputError) else error
        number = getattr(cause, "errno", None)
        reason = os.strerror(number) if number else " ".join(str(cause).split()) or type(cause).__name__
        raise OutputError(
            f"{path}: cannot be written ({reason}); expected room and permission for it; see to both and run it again"
        ) from cause


@contextmanager
def _empty_folder(path: Path) -> Iterator[Path]:
    with _absent(path):
        path.mkdir(parents=True)
        yield path


@contextmanager
def _absent(path: Path) -> Iterator[None]:
    """Nothing is at a path before the block and after it."""
    _remove(path)
    try:
        yield
    finally:
        _clear(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Remove what is left over; where that fails, the output counts, or the error that was there before."""
    with suppress(OSError):
        _remove(path)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write sorted, indented, newline-terminated JSON, so that a pull request shows clean differences.

    Raises:
        ValueError: a number is not finite. JSON has no word for it, and no metric of ours may be one.
    """
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    with replacing_file(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def write_metrics(path: Path, metrics: Mapping[str, float | int | str]) -> None:
    """Write a flat metrics file: `dvc metrics` drops lists and nulls without a word, so none gets in.

    Raises:
        ValueError: a value is not a finite number or a string; the message names the metric.
    """
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"metric {name}: got {value!r}; expected a number or a string")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"metric {name}: got {value!r}; expected a finite number")
    write_json(path, metrics)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(DIGEST_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def read_text(path: Path) -> str:
    """A text of the working tree, in UTF-8.

    Raises:
        FormatError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise FormatError(f"{path}: cannot be read ({reason}); expected a text; check it out again") from error
