"""Files as they are, whatever they are compressed by: known by their first bytes, not by their name, never unpacked.

A zip is read by its members. What is read is a stream of lines of bounded length, so that an archive that is made to
burst costs time, not memory.
"""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa

ZIP = b"PK\x03\x04"


class Compression(NamedTuple):
    """A way to compress one file.

    Attributes:
        mark: bytes that it begins with.
        read: what reads on from there.
    """

    mark: bytes
    read: Callable[[BinaryIO], BinaryIO]


# By the end of a name.
COMPRESSIONS = {
    ".gz": Compression(b"\x1f\x8b", lambda raw: cast(BinaryIO, gzip.GzipFile(fileobj=raw))),
    ".bz2": Compression(b"BZh", lambda raw: cast(BinaryIO, bz2.BZ2File(raw))),
    ".xz": Compression(b"\xfd7zXZ\x00", lambda raw: cast(BinaryIO, lzma.LZMAFile(raw))),  # noqa: SIM115
    ".zst": Compression(
        b"\x28\xb5\x2f\xfd",
        lambda raw: io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")),
    ),
}
# What they raise of a file that is cut off or damaged.
DAMAGE = (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, lzma.LZMAError, zlib.error)
MEGABYTE = 1 << 20


def members_of(path: Path) -> list[str]:
    """The names of a zip's files in the archive's order, hidden ones and those of macOS left out; of no zip, none.

    Raises:
        OSError: it cannot be read.
        zipfile.BadZipFile: it begins as a zip does and is none.
    """
    with path.open("rb") as raw:
        if raw.read(len(ZIP)) != ZIP:
            return []
        with zipfile.ZipFile(raw) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    parts = {name: name.replace("\\", "/").split("/") for name in names}
    return [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in parts[name])]


@contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a file to be read decompressed.

    Args:
        path: of the file.
        member: of a zip.

    Yields:
        What is read, and the compressed file, whose position says how far that is.
    """
    with path.open("rb") as raw:
        if member is not None:
            with zipfile.ZipFile(raw) as archive, archive.open(member) as stream:
                yield cast(BinaryIO, stream), raw
            return
        begin = raw.read(max(len(form.mark) for form in COMPRESSIONS.values()))
        raw.seek(0)
        form = next((form for form in COMPRESSIONS.values() if begin.startswith(form.mark)), None)
        stream = raw if form is None else form.read(raw)
        try:
            yield stream, raw
        finally:
            if stream is not raw:
                stream.close()


def lines_of(stream: BinaryIO, longest: int = MEGABYTE) -> Iterator[bytes]:
    """The lines of a file, each with its end.

    Raises:
        ValueError: a line has more than `longest` bytes.
    """
    while line := stream.readline(longest + 1):
        if len(line) > longest:
            raise ValueError(f"a line has more than {longest} bytes")
        yield line
