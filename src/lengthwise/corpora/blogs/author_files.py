"""A corpus of one file per author, `ID.GENDER.AGE.INDUSTRY.SIGN.xml`: a zip that is never unpacked, or a folder."""

import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lengthwise.corpora.blogs.authors import AgeBrackets, Author, parse_author
from lengthwise.errors import CorpusError

MEBIBYTE = 1 << 20
MEMBER_NAME = re.compile(r"([^.]+)\.([^.]+)\.([0-9]{1,3})\.([^.]+)\.([^.]+)\.xml")
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
ENCRYPTED_FLAG = 0x1
# What Python's zip reader raises for bytes that are no zip, or are damaged.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)
# The others are unpacked as a whole, whatever the limit: a kilobyte of bzip2 may hold gigabytes.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class AuthorFile:
    """One file of a zip or a folder: its place, for messages, its name, and its size in bytes."""

    place: str
    name: str
    size: int


def parse_member_name(member: AuthorFile, brackets: AgeBrackets) -> Author:
    """The author from a file's name.

    Raises:
        CorpusError: the name is not `ID.GENDER.AGE.INDUSTRY.SIGN.xml`, or see `parse_author`.
    """
    match = MEMBER_NAME.fullmatch(member.name)
    # A file name that is no UTF-8 comes with lone surrogates, which no table can hold.
    if match is None or LONE_SURROGATE.search(member.name):
        raise CorpusError(
            f"{member.place}: is not named like a blog; expected ID.GENDER.AGE.INDUSTRY.SIGN.xml; "
            "rename it or take it out"
        )
    return parse_author(match.groups(), brackets, member.place)


@contextmanager
def readable(path: Path | str) -> Iterator[None]:
    """Refuse what the system does not give.

    Raises:
        CorpusError: a file is gone, or not for this user.
    """
    try:
        yield
    except OSError as error:
        place = error.filename or path
        raise CorpusError(f"{place}: cannot be read ({error.strerror}); put it back or allow it") from error


class FolderSource:
    """A folder with one file per author, in sub-folders or not.

    Raises:
        CorpusError: a folder cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with readable(path):
            names = sorted(str(file.relative_to(path)) for file in _files_below(path))
            sizes = ((path / name).stat().st_size for name in names)
            files = zip(names, sizes, strict=True)
            self.members = [AuthorFile(f"{path}/{name}", Path(name).name, size) for name, size in files]

    def read(self, member: AuthorFile, limit: int) -> bytes:
        """The bytes of a member, one more than `limit` at most.

        Raises:
            CorpusError: the file cannot be read, or is gone since.
        """
        with readable(member.place), Path(member.place).open("rb") as stream:
            return stream.read(limit + 1)


def _files_below(path: Path) -> Iterator[Path]:
    # `Path.rglob` passes over a folder that it may not read, and all the authors in it.
    def refuse(error: OSError) -> None:
        raise error

    for folder, _, names in os.walk(path, onerror=refuse):
        yield from (file for name in names if (file := Path(folder, name)).is_file())


class ZipSource:
    """A zip with one member per author, read member by member.

    Raises:
        CorpusError: the archive is broken, or a member encrypted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except BROKEN as error:
            raise CorpusError(
                f"{path}: is no readable zip ({error}); expected the corpus's blogs.zip; get the file again"
            ) from error
        # Not by `is_dir`, which fails on a member without a name.
        files = (info for info in self._zip.infolist() if not info.filename.endswith("/"))
        infos = sorted(files, key=lambda info: info.filename)
        self._infos = {f"{path}:{info.filename}": info for info in infos}
        self.members = [
            AuthorFile(place, PurePosixPath(info.filename).name, info.file_size) for place, info in self._infos.items()
        ]
        if len(self.members) < len(infos):
            raise CorpusError(f"{path}: two members have one name; make the archive again")

    def read(self, member: AuthorFile, limit: int) -> bytes:
        """The bytes of a member, one more than `limit` at most.

        Raises:
            CorpusError: the member is encrypted, packed by a method without bounds, cut or damaged.
        """
        info = self._infos[member.place]
        if info.flag_bits & ENCRYPTED_FLAG:
            raise CorpusError(f"{member.place}: is encrypted; unlock the archive and zip it without a password")
        if info.compress_type not in METHODS:
            raise CorpusError(
                f"{member.place}: is packed by method {info.compress_type}; expected deflate; make the archive again"
            )
        try:
            with self._zip.open(info) as stream:
                return stream.read(limit + 1)
        except BROKEN as error:
            raise CorpusError(f"{member.place}: cannot be unpacked ({error}); get the archive again") from error


FilesSource = FolderSource | ZipSource


def open_source(path: Path) -> FilesSource:
    """A zip or a folder as a source of members.

    Raises:
        CorpusError: there is nothing at the path, no member in it, or see `ZipSource`.
    """
    with readable(path):
        there = path.exists()
    if not there:
        raise CorpusError(f"ingest.source: {path} does not exist; put the corpus there or name its place")
    source = FolderSource(path) if path.is_dir() else ZipSource(path)
    if not source.members:
        raise CorpusError(f"ingest.source: {path} is empty; expected files ID.GENDER.AGE.INDUSTRY.SIGN.xml")
    return source


def read_member(source: FilesSource, member: AuthorFile, max_bytes: int) -> bytes:
    """All bytes of a member.

    Raises:
        CorpusError: it is larger than `max_bytes`, whatever size it claims; or see `ZipSource.read`.
    """
    data = source.read(member, max_bytes) if member.size <= max_bytes else b""
    if member.size > max_bytes or len(data) > max_bytes:
        size = max(member.size, len(data))
        raise CorpusError(
            f"{member.place}: unpacks to {size} bytes or more; expected at most {max_bytes // MEBIBYTE} MiB; "
            "raise ingest.max_member_mb if the file is what it should be"
        )
    return data
