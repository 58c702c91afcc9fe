"""A corpus of one file per author, `ID.GENDER.AGE.INDUSTRY.SIGN.xml`: a zip that is never unpacked, or a folder.

What systems leave beside such files is passed over and counted: hidden files, `__MACOSX`, a readme.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from lengthwise.errors import CorpusError

MEBIBYTE = 1 << 20
# An industry may have dots in it; what a system adds to the name of a copy, ` (1)`, belongs to no sign.
MEMBER_NAME = re.compile(
    r"([^.]+)\.([^.]+)\.([0-9]{1,3})\.([^.]+(?:\.[^.]+)*)\.([^.]+?)(?: \([0-9]{1,3}\))?\.(?:xml|txt)", re.IGNORECASE
)
SIGN = re.compile(
    "aries|taurus|gemini|cancer|leo|virgo|libra|scorpio|sagittarius|capricorn|aquarius|pisces", re.IGNORECASE
)
BESIDE_BLOGS = re.compile(
    r"thumbs\.db|desktop\.ini|(?:read[-_ ]?me|licen[cs]e|notice|checksums?|md5sums?)(?:\..*)?", re.IGNORECASE
)
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


def _is_beside_blogs(path: str) -> bool:
    """Whether a system or an editor has left a file beside those of a corpus, or it says what the corpus is."""
    *folders, name = path.split("/")
    # `.` and `..` hide nothing.
    hidden = any(part.startswith(".") and part.strip(".") for part in (*folders, name))
    return hidden or any(part.lower() == "__macosx" for part in folders) or bool(BESIDE_BLOGS.fullmatch(name))


def name_parts(member: AuthorFile) -> tuple[str, ...]:
    """Id, gender, age, industry and sign, as they stand in a file's name.

    Raises:
        CorpusError: the name is not `ID.GENDER.AGE.INDUSTRY.SIGN.xml`.
    """
    match = MEMBER_NAME.fullmatch(member.name)
    # Where the industry may have dots, only a sign that there is tells where it ends.
    if match and "." in match[4] and not SIGN.fullmatch(match[5]):
        match = None
    # A file name that is no UTF-8 comes with lone surrogates, which no table can hold.
    if match is None or LONE_SURROGATE.search(member.name):
        raise CorpusError(
            f"{member.place}: is not named like a blog; expected ID.GENDER.AGE.INDUSTRY.SIGN.xml; "
            "rename it or take it out"
        )
    return match.groups()


def refuse_copies(members: Sequence[AuthorFile], ids: Sequence[str]) -> None:
    """Refuse a second file of an author.

    Raises:
        CorpusError: two files have one id; the message names both.
    """
    places: dict[str, str] = {}
    for member, author in zip(members, ids, strict=True):
        first = places.setdefault(author, member.place)
        if first != member.place:
            raise CorpusError(
                f"{member.place}: author {author} comes twice, first in {first}; expected one file per author; take "
                "one of them out, or merge them"
            )


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

    Attributes:
        members: its files but for those passed over, by path.
        passed_over: how many those are.

    Raises:
        CorpusError: a folder cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with readable(path):
            found = sorted(str(file.relative_to(path)) for file in _files_below(path))
            names = [name for name in found if not _is_beside_blogs(name)]
            self.passed_over = len(found) - len(names)
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

    Attributes:
        members: its files but for those passed over, by name.
        passed_over: how many those are.

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
        files = [info for info in self._zip.infolist() if not info.filename.endswith("/")]
        blogs = [info for info in files if not _is_beside_blogs(info.filename.replace("\\", "/"))]
        self.passed_over = len(files) - len(blogs)
        infos = sorted(blogs, key=lambda info: info.filename)
        self._infos = {f"{path}:{info.filename}": info for info in infos}
        self.members = [
            AuthorFile(place, PurePosixPath(info.filename.replace("\\", "/")).name, info.file_size)
            for place, info in self._infos.items()
        ]
        if len(self.members) < len(infos):
            raise CorpusError(f"{path}: two members have one name; make the archive again")

    def read(self, member: AuthorFile, limit: int) -> bytes:
        """The bytes of a member, one more than `limit` at most.

        Raises:
            CorpusError: see `stream`.
        """
        with self.stream(member) as stream:
            return stream.read(limit + 1)

    @contextmanager
    def stream(self, member: AuthorFile) -> Iterator[IO[bytes]]:
        """The bytes of a member, unpacked as they are read.

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
                yield stream
        except BROKEN as error:
            raise CorpusError(f"{member.place}: cannot be unpacked ({error}); get the archive again") from error


FilesSource = FolderSource | ZipSource


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
