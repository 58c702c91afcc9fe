"""Files that tell when a byte of them has changed.

A seal is the SHA-256 of a file, taken with zeros in its own place. It stands where the file's format allows a text: a
value of JSON, metadata of Parquet and of safetensors, the last line of a table. So every changed or missing byte, of
headers and footers too, is known before a parser sees it, and other programs read the file as ever.

Seals tell damage. They do not tell who wrote a file.
"""

import hashlib
import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lengthwise.errors import FormatError
from lengthwise.system.files import replacing_file, write_json
from lengthwise.system.records import read_record

Content = TypeVar("Content")

MARK = b"lengthwise-sha256:"
HOLE = b"0" * 2 * hashlib.sha256().digest_size
# What a format's writer puts in the place of the seal, and the name that this has where the format names it.
UNSEALED = (MARK + HOLE).decode()
SEAL_KEY = "seal"
CHUNK_BYTES = 1 << 20


def rerun(stage: str) -> str:
    """What to do about an output that is damaged; without -f, DVC may think that it is up to date."""
    return f"run the stage {stage} again (dvc repro -f {stage})"


@contextmanager
def sealed_file(path: Path) -> Iterator[Path]:
    """As `replacing_file`, for a file that is written with `UNSEALED` in it and sealed in the end."""
    with replacing_file(path) as beside:
        yield beside
        seal(beside)


def seal(path: Path) -> None:
    """Seal a file that holds `UNSEALED`, or an older seal."""
    place, digest = _seal_of(path)
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(digest)


def check_seal(path: Path, stage: str) -> None:
    """Refuse a file that is not as it was sealed.

    Args:
        path: the file.
        stage: who writes it, to say what to run again.

    Raises:
        FormatError: it is absent, has no seal, or a byte of it has changed.
    """
    try:
        place, digest = _seal_of(path)
        with path.open("rb") as stream:
            stream.seek(place)
            found = stream.read(len(digest))
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {rerun(stage)}") from error
    if found != digest:
        raise FormatError(f"{path}: is damaged (seal {found!r:.20}, expected {digest!r:.20}); {rerun(stage)}")


def write_sealed_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON as `write_json` does, with a seal as one more of its keys."""
    with sealed_file(path) as beside:
        write_json(beside, {**content, SEAL_KEY: UNSEALED})


def read_sealed_json(path: Path, model: type[Content], stage: str) -> Content:
    """Read sealed JSON back.

    Args:
        path: the file.
        model: what it has to hold: a dataclass, see `read_record`; the seal is none of its fields.
        stage: who writes it, to say what to run again.

    Raises:
        FormatError: see `check_seal`; or the content is not what the dataclass says: the message names the place.
    """
    check_seal(path, stage)
    try:
        return read_record(path.read_bytes(), model, [SEAL_KEY])
    except ValueError as error:
        raise FormatError(f"{path}: {error}; {rerun(stage)}") from None


def _seal_of(path: Path) -> tuple[int, bytes]:
    """Where a file's seal stands, and what it has to be.

    Raises:
        ValueError: there is no place for one. The last mark is the seal: what a corpus says of marks comes before.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        mark = content.rfind(MARK)
        place, end = mark + len(MARK), mark + len(MARK) + len(HOLE)
        if mark < 0 or end > len(content):
            raise ValueError("it has no seal")
        # Read and not mapped: mapped pages would count as memory of the process.
        digest, left = hashlib.sha256(), place
        while left and (chunk := stream.read(min(left, CHUNK_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
        digest.update(HOLE)
        stream.seek(end)
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return place, digest.hexdigest().encode()
