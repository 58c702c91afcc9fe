"""Where a corpus comes from: a zip that is never unpacked, a folder, or one CSV file.

Zip and folder hold one file per author, `ID.GENDER.AGE.INDUSTRY.SIGN.xml`; the CSV has one row per document,
`id,gender,age,topic,sign,date,text`.
"""

import csv
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TextIO

from lengthwise.corpus.blogs import decode
from lengthwise.corpus.documents import Document
from lengthwise.errors import CorpusError
from lengthwise.labels import LabelFactor

MEBIBYTE = 1 << 20
GENDERS = ("male", "female")
MEMBER_NAME = re.compile(r"([^.]+)\.([^.]+)\.([0-9]{1,3})\.([^.]+)\.([^.]+)\.xml")
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
CSV_HEADER = ["id", "gender", "age", "topic", "sign", "date", "text"]
ENCRYPTED_FLAG = 0x1
# What Python's zip reader raises for bytes that are no zip, or are damaged.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)
# The others are unpacked as a whole, whatever the limit: a kilobyte of bzip2 may hold gigabytes.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Of a line of CSV: two for each of a text's characters, as quotes are doubled, and room for the other fields.
LINE_ROOM = 1 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a zip or a folder: its place, for messages, its name, and its size in bytes."""

    place: str
    name: str
    size: int


@dataclass(frozen=True)
class AgeBrackets:
    """The classes of the factor age bracket: name to (youngest, oldest), in years."""

    bounds: dict[str, tuple[int, int]]

    @property
    def factors(self) -> list[LabelFactor]:
        """The two label factors of the corpus, in the order of the article's `gender * 3 + bracket`."""
        return [LabelFactor("gender", GENDERS), LabelFactor("age_bracket", tuple(self.bounds))]

    def code(self, age: int, place: str) -> int:
        """The class of an age.

        Raises:
            CorpusError: the age is in no bracket.
        """
        for code, (youngest, oldest) in enumerate(self.bounds.values()):
            if youngest <= age <= oldest:
                return code
        known = ", ".join(f"{name} {low}-{high}" for name, (low, high) in self.bounds.items())
        raise CorpusError(
            f"{place}: age {age} is in no bracket; expected one of {known}; "
            "widen ingest.age_brackets or take the file out"
        )


@dataclass(frozen=True, slots=True)
class Author:
    """What a file's name says of its author."""

    author_id: str
    codes: tuple[int, ...]
    age: int
    industry: str
    sign: str

    def document(self, date: str | None, text: str) -> Document:
        """A document by this author."""
        return Document(self.author_id, self.codes, self.age, self.industry, self.sign, date, text)


def parse_author(fields: Sequence[str], brackets: AgeBrackets, place: str) -> Author:
    """The author from id, gender, age, industry and sign.

    Raises:
        CorpusError: the gender is unknown, the age no number or in no bracket.
    """
    author_id, gender, age, industry, sign = fields
    if gender not in GENDERS:
        raise CorpusError(f"{place}: gender {gender!r}; expected male or female; rename it or take it out")
    if not (age.isascii() and age.isdigit()):
        raise CorpusError(f"{place}: age {age!r}; expected a whole number of years; mend it or take it out")
    codes = (GENDERS.index(gender), brackets.code(int(age), place))
    return Author(author_id, codes, int(age), industry, sign)


def parse_member_name(member: Member, brackets: AgeBrackets) -> Author:
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
def _readable(path: Path | str) -> Iterator[None]:
    """Refuse what the system does not give: a file that is gone, or not for this user."""
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
        with _readable(path):
            names = sorted(str(file.relative_to(path)) for file in _files_below(path))
            self.members = [Member(f"{path}/{name}", Path(name).name, (path / name).stat().st_size) for name in names]

    def read(self, member: Member, limit: int) -> bytes:
        """The bytes of a member, one more than `limit` at most.

        Raises:
            CorpusError: the file cannot be read, or is gone since.
        """
        with _readable(member.place), Path(member.place).open("rb") as stream:
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
            Member(place, PurePosixPath(info.filename).name, info.file_size) for place, info in self._infos.items()
        ]
        if len(self.members) < len(infos):
            raise CorpusError(f"{path}: two members have one name; make the archive again")

    def read(self, member: Member, limit: int) -> bytes:
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


Source = FolderSource | ZipSource


def open_source(path: Path) -> Source:
    """A zip or a folder as a source of members.

    Raises:
        CorpusError: there is nothing at the path, no member in it, or see `ZipSource`.
    """
    with _readable(path):
        there = path.exists()
    if not there:
        raise CorpusError(f"ingest.source: {path} does not exist; put the corpus there or name its place")
    source = FolderSource(path) if path.is_dir() else ZipSource(path)
    if not source.members:
        raise CorpusError(f"ingest.source: {path} is empty; expected files ID.GENDER.AGE.INDUSTRY.SIGN.xml")
    return source


def read_member(source: Source, member: Member, max_bytes: int) -> bytes:
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


@dataclass(frozen=True, slots=True)
class Row:
    """One document of a CSV corpus, its text as bytes, not yet repaired, and how far the file is read."""

    author: Author
    date: str | None
    text: bytes
    offset: int


def read_csv_rows(path: Path, brackets: AgeBrackets, max_bytes: int) -> Iterator[Row]:
    """Yield the rows of a CSV corpus, one in memory at a time.

    Raises:
        CorpusError: the file cannot be read, the header is another, a row has another number of fields, a quote is
            never closed, a line or a field is larger than `max_bytes`, or an author is wrong: the message names the
            line.
    """
    csv.field_size_limit(max_bytes)
    # Bytes that are no UTF-8 come through as surrogates, so that a text can be decoded again as it is repaired.
    with _readable(path), path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        reader = csv.reader(_lines(stream, path, max_bytes), strict=True)
        offset = 0
        try:
            header = next(reader, [])
            if [name.strip().lower() for name in header] != CSV_HEADER:
                raise CorpusError(f"{path}: has the header {header!r:.200}; expected {','.join(CSV_HEADER)}")
            for fields in reader:
                if not fields:  # An empty line.
                    continue
                place = f"{path} line {reader.line_num}"
                if len(fields) != len(CSV_HEADER):
                    raise CorpusError(f"{place}: has {len(fields)} fields; expected {len(CSV_HEADER)}; quote the text")
                *rest, data = (field.encode("utf-8", "surrogateescape") for field in fields)
                if len(data) > max_bytes:
                    raise CorpusError(
                        f"{place}: has a text of {len(data)} bytes; expected at most {max_bytes // MEBIBYTE} MiB; "
                        "raise ingest.max_member_mb if the row is what it should be"
                    )
                *names, date = (decode(field)[0].strip() for field in rest)
                if not names[0]:
                    raise CorpusError(f"{place}: has no id; expected the author's; fill it in or take the row out")
                offset += len(data)
                yield Row(parse_author(names, brackets, place), date or None, data, offset)
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read ({error.strerror}); get the file again") from error
        except csv.Error as error:
            raise CorpusError(
                f"{path} line {reader.line_num}: is no CSV ({error}); close the quote or shorten the field, "
                "or raise ingest.max_member_mb"
            ) from error


def _lines(stream: TextIO, path: Path, max_bytes: int) -> Iterator[str]:
    """The lines of a CSV, none of them longer than any that is not refused later."""
    longest = 2 * max_bytes + LINE_ROOM
    number = 0
    while line := stream.readline(longest):
        number += 1
        if len(line) == longest:
            raise CorpusError(
                f"{path} line {number}: has {longest} characters or more; expected fields of at most "
                f"{max_bytes // MEBIBYTE} MiB; end the line, or raise ingest.max_member_mb"
            )
        yield line
