"""Files of any corpus, opened: a file, a folder, the members of a zip, each compressed or not; nothing is unpacked.

What comes out of an archive or a compressed file is read through a limit, so that no small file can burst. Names within
archives are only compared and shown: none of them is a place to write to.
"""

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import pyarrow as pa

from lengthwise.errors import CorpusError
from lengthwise.system.decompressed import COMPRESSIONS, ZIP

MEBIBYTE = 1 << 20
BUFFER_BYTES = 1 << 16
# What readers raise for bytes that are not what a name says, or are damaged.
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, pa.ArrowException, EOFError, OSError, ValueError)
ENCRYPTED_FLAG = 0x1
# The others are unpacked as a whole, whatever the limit.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What stands before the bytes of a member: behind it its name, and more, whose lengths it ends with.
LOCAL, HEADER = ZIP, struct.Struct("<26xHH")
HIDDEN_FOLDERS = ("__MACOSX",)
# Of a file's beginning, that its form is told by, in bytes.
SAMPLE = 1 << 16


@dataclass(frozen=True)
class SourceFile:
    """A file of a source.

    Attributes:
        place: where it is, for messages.
        name: its path in the folder or archive, without the end that says how it is compressed.
        size: bytes on disk.
    """

    place: str
    name: str
    size: int
    _open: Callable[[], AbstractContextManager[BinaryIO]]
    _limit: int | None

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes, unpacked, as a stream.

        Raises:
            CorpusError: it is gone, damaged, or unpacks to more than the limit; reading from it raises the same.
        """
        try:
            with self._open() as raw:
                # Without a buffer, lines would be read byte by byte.
                yield (
                    raw
                    if self._limit is None
                    else io.BufferedReader(_Limited(raw, self._limit, self.place), BUFFER_BYTES)
                )
        except BROKEN as error:
            raise CorpusError(f"{self.place}: cannot be read ({_in_a_line(error)}); get the file again") from error


class _Limited(io.RawIOBase):
    """A stream that ends in an error where it has given more than a limit."""

    def __init__(self, raw: BinaryIO, limit: int, place: str) -> None:
        self._raw, self._left, self._limit, self._place = raw, limit, limit, place

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        data = self._raw.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise CorpusError(
                f"{self._place}: unpacks to more than {self._limit // MEBIBYTE} MiB; expected at most that; raise "
                "ingest.max_member_mb if the file is what it should be"
            )
        buffer[: len(data)] = data
        return len(data)


def files_of(source: Path, max_bytes: int, patterns: tuple[str, ...] = ()) -> list[SourceFile]:
    """The files of a source, by name: hidden ones, and what macOS leaves in archives, are passed over.

    Args:
        source: a file, compressed or not, a zip, or a folder.
        max_bytes: what a member of a zip or a compressed file may unpack to.
        patterns: such as `*_TRAIN.ts`: only files whose name, or path, fits one of them; all, if there are none.

    Raises:
        CorpusError: there is nothing there, it is no readable archive, or no file in it fits.
    """
    if not _exists(source):
        raise CorpusError(f"ingest.source: {source} does not exist; put the corpus there or name its place")
    files = [file for file in _all_files(source, max_bytes) if not _is_hidden(file.name)]
    chosen = [file for file in files if not patterns or any(_fits(file.name, pattern) for pattern in patterns)]
    if not chosen:
        found = ", ".join(file.name for file in files[:5]) or "nothing"
        raise CorpusError(
            f"ingest.source: {source} has no file {' or '.join(patterns) or 'to read'}; found {found:.200}; change the "
            "source, or the names of its files"
        )
    return sorted(chosen, key=lambda file: file.name)


def _all_files(source: Path, max_bytes: int) -> Iterator[SourceFile]:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file():
                yield _plain_file(path, str(path.relative_to(source)), max_bytes)
    elif _is_zip(source):
        yield from _members(source, max_bytes)
    else:
        yield _plain_file(source, source.name, max_bytes)


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path) and path.suffix.lower() == ".zip"
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); allow it") from error


def _plain_file(path: Path, name: str, max_bytes: int) -> SourceFile:
    end = Path(name).suffix.lower()

    def opened() -> BinaryIO:
        return path.open("rb")

    if end not in COMPRESSIONS:
        return SourceFile(str(path), name, path.stat().st_size, opened, None)
    unpacked = partial(_unpacked, opened, COMPRESSIONS[end].read)
    return SourceFile(str(path), name[: -len(end)], path.stat().st_size, unpacked, max_bytes)


def _members(path: Path, max_bytes: int) -> Iterator[SourceFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except BROKEN as error:
        raise CorpusError(f"{path}: is no readable zip ({_in_a_line(error)}); get the file again") from error
    for info in infos:
        if info.is_dir():
            continue
        place = f"{path}:{info.filename}"
        if ".." in PurePosixPath(info.filename.replace("\\", "/")).parts or info.filename.startswith(("/", "\\")):
            raise CorpusError(f"{place}: is named like a way out of the archive; expected a plain name; rename it")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise CorpusError(f"{place}: is a link; expected files; zip what it points to")
        if info.flag_bits & ENCRYPTED_FLAG:
            raise CorpusError(f"{place}: is encrypted; unlock the archive and zip it without a password")
        if info.compress_type not in METHODS:
            raise CorpusError(f"{place}: is packed by method {info.compress_type}; expected deflate; zip it again")
        end = PurePosixPath(info.filename).suffix.lower()
        opened: Callable[[], AbstractContextManager[BinaryIO]] = partial(_member, path, info)
        name = info.filename
        if end in COMPRESSIONS:
            opened, name = partial(_unpacked, opened, COMPRESSIONS[end].read), name[: -len(end)]
        yield SourceFile(place, name, info.compress_size, opened, max_bytes)


@contextmanager
def _unpacked(
    opened: Callable[[], AbstractContextManager[BinaryIO]], unpack: Callable[[BinaryIO], BinaryIO]
) -> Iterator[BinaryIO]:
    with opened() as raw, unpack(raw) as stream:
        yield stream


@contextmanager
def _member(path: Path, info: zipfile.ZipInfo) -> Iterator[BinaryIO]:
    """A member of a zip whose list of members is known: to read that for each of 100,000 would take hours."""
    with path.open("rb") as raw:
        raw.seek(info.header_offset)
        header = raw.read(HEADER.size)
        if len(header) < HEADER.size or not header.startswith(LOCAL):
            raise zipfile.BadZipFile("a member is not where the archive says")
        raw.seek(sum(HEADER.unpack(header)), io.SEEK_CUR)
        with zipfile.ZipExtFile(raw, "r", info) as stream:
            yield cast(BinaryIO, stream)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part in HIDDEN_FOLDERS for part in PurePosixPath(name).parts)


def _fits(name: str, pattern: str) -> bool:
    return fnmatch(name, pattern) or fnmatch(PurePosixPath(name).name, pattern)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # The name is too long, or a folder on the way may not be read.
        return False


def _in_a_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def head_of(file: SourceFile) -> bytes:
    """The first bytes of a file."""
    with file.open() as stream:
        return read_up_to(stream, SAMPLE)


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """As many bytes as there are, to a size; -1 for all."""
    parts, left = [], size
    while left and (part := stream.read(left if left > 0 else SAMPLE)):
        parts.append(part)
        left -= len(part) if left > 0 else 0
    return b"".join(parts)
