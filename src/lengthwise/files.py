"""Outputs that are complete or absent: written beside their place, then renamed into it."""

import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

DIGEST_CHUNK_BYTES = 1 << 20


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it takes `path`'s place, on failure it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: what was in `path` before goes only once the new content is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
        shutil.rmtree(path, ignore_errors=True)
        beside.replace(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


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
