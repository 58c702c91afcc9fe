"""The record of a run, `results/NAME.json`, as the folder that it was made of."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lengthwise.system.bundles import read_bundle, write_bundle


def pack(folder: Path, record: Path) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    write_bundle(record, {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files})


def unpack(record: Path, folder: Path) -> None:
    for name, text in read_bundle(record, "").items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@contextmanager
def record_as_folder(record: Path) -> Iterator[Path]:
    """What is changed in the folder is changed in the record."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if record.exists():
            unpack(record, folder)
        yield folder
        pack(folder, record)
