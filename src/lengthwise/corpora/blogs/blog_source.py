"""What lies at a corpus's place: files of authors, or one CSV, compressed, in an archive, or as it is."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from lengthwise.corpora.blogs.author_files import (
    BROKEN,
    AuthorFile,
    FilesSource,
    FolderSource,
    ZipSource,
    readable,
)
from lengthwise.errors import CorpusError

CSV_SUFFIXES = (".csv", ".tsv")
ZIP_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
# What an xz file may want for its dictionary.
XZ_MEMORY = 256 << 20
# What cannot be a table of text, by its first bytes; of a tar they stand further on.
OTHER_FORMS = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"{": "JSON", b"[": "JSON", b"SQLite format": "SQLite"}
OTHER_FORMS |= {b"%PDF": "PDF", b"7z\xbc\xaf": "7-Zip", b"Rar!": "RAR", b"\x89HDF": "HDF5", b"<": "XML or HTML"}
TAR, TAR_PLACE = b"ustar", 257
# What unpacking raises for bytes that are damaged or cut.
ABSENT = (FileNotFoundError, PermissionError)
UNPACKING = (*BROKEN, lzma.LZMAError, pa.ArrowException)


@dataclass(frozen=True)
class CsvFile:
    """One CSV.

    Attributes:
        place: for messages.
        size: in bytes, as far as `position` goes.
        opened: opens it: bytes as they are read, unpacked, and how far `size` is read.
        passed_over: files beside it in the same folder or archive.
    """

    place: str
    size: int
    opened: Callable[[ExitStack], tuple[Any, Callable[[], int]]]
    passed_over: int = 0

    @contextmanager
    def open(self) -> Iterator[tuple[Any, Callable[[], int]]]:
        """The bytes of the CSV, unpacked as they are read, and a function for how many of `size` that were.

        Raises:
            CorpusError: it cannot be read or unpacked, or is nothing of the kind.
        """
        with ExitStack() as stack:
            try:
                stream, position = self.opened(stack)
                buffered = stack.enter_context(io.BufferedReader(stream))
                self._refuse_other_forms(buffered.peek(TAR_PLACE + len(TAR)))
                yield buffered, position
            except UNPACKING as error:
                reason = getattr(error, "strerror", None) or " ".join(str(error).split())
                remedy = "put it back or allow it" if isinstance(error, ABSENT) else "get the file again"
                raise CorpusError(f"{self.place}: cannot be read ({reason}); {remedy}") from error

    def _refuse_other_forms(self, beginning: bytes) -> None:
        form = next((form for mark, form in OTHER_FORMS.items() if beginning.startswith(mark)), None)
        if beginning[TAR_PLACE : TAR_PLACE + len(TAR)] == TAR:
            form = "a tar archive"
        if form:
            raise CorpusError(
                f"{self.place}: looks like {form}; expected a zip or a folder of ID.GENDER.AGE.INDUSTRY.SIGN.xml, or a "
                "CSV; unpack or convert it, or set ingest.corpus to a form that reads it"
            )


def open_blogs(path: Path) -> FilesSource | CsvFile:
    """A folder or a zip as a source of files, anything else, and a CSV alone in one of them, as a CSV.

    Raises:
        CorpusError: there is nothing at the path, no file in it, or see `ZipSource`.
    """
    with readable(path):
        there = path.exists()
    if not there:
        raise CorpusError(f"ingest.source: {path} does not exist; put the corpus there or name its place")
    if not path.is_dir():
        with readable(path), path.open("rb") as stream:
            beginning = stream.read(4)
        if path.suffix.lower() != ".zip" and beginning not in ZIP_BEGINNINGS:
            return _csv_alone(path)
    source = FolderSource(path) if path.is_dir() else ZipSource(path)
    if not source.members:
        passed = f" but for {source.passed_over} files that are no blogs" if source.passed_over else ""
        raise CorpusError(f"ingest.source: {path} is empty{passed}; expected files ID.GENDER.AGE.INDUSTRY.SIGN.xml")
    only = source.members[0]
    if len(source.members) == 1 and Path(only.name).suffix.lower() in CSV_SUFFIXES:
        found = _csv_alone(Path(only.place)) if isinstance(source, FolderSource) else _csv_member(source, only)
        return replace(found, passed_over=source.passed_over)
    return source


def _csv_member(source: ZipSource, member: AuthorFile) -> CsvFile:
    def opened(stack: ExitStack) -> tuple[Any, Callable[[], int]]:
        stream = stack.enter_context(source.stream(member))
        return stream, stream.tell

    return CsvFile(member.place, member.size, opened)


def _csv_alone(path: Path) -> CsvFile:
    def opened(stack: ExitStack) -> tuple[Any, Callable[[], int]]:
        file = stack.enter_context(path.open("rb"))
        beginning = file.peek(6)[:6]
        return _unpacked(file, beginning, stack), file.tell

    with readable(path):
        return CsvFile(str(path), path.stat().st_size, opened)


def _unpacked(file: io.BufferedReader, beginning: bytes, stack: ExitStack) -> Any:  # noqa: ANN401
    if beginning.startswith(b"\x1f\x8b"):
        return stack.enter_context(gzip.GzipFile(fileobj=file))
    if beginning.startswith(b"BZh"):
        return stack.enter_context(bz2.BZ2File(file))
    if beginning.startswith(b"\xfd7zXZ\x00"):
        return _XzReader(file)
    if beginning.startswith(b"\x28\xb5\x2f\xfd"):
        return stack.enter_context(pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"))
    return file


class _XzReader(io.RawIOBase):
    """An xz file, which `lzma.open` would give all the memory that it asks for."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            packed = self._file.read(io.DEFAULT_BUFFER_SIZE) if self._unpacker.needs_input else b""
            if self._unpacker.eof:
                packed = self._unpacker.unused_data or self._file.read(io.DEFAULT_BUFFER_SIZE)
                # Zeros may stand between streams and at the end.
                packed = packed.lstrip(b"\0")
                if not packed:
                    return 0
                self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
            elif self._unpacker.needs_input and not packed:
                raise EOFError("it ends before its end")
            data = self._unpacker.decompress(packed, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
