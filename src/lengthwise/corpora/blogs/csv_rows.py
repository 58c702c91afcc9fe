"""A corpus in one CSV file: a row per document, `id,gender,age,topic,sign,date,text`.

The header says where each column is, and by its separator how they are separated: a comma, a semicolon, a tab or `|`.
Other columns, such as the index of a data frame, are passed over. The rows of an author may lie anywhere.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from lengthwise.corpora.blogs.author_files import MEBIBYTE
from lengthwise.corpora.blogs.authors import AgeBrackets, Author, OutsideBracketsError, parse_author
from lengthwise.corpora.blogs.blog_source import CsvFile
from lengthwise.corpora.blogs.decoding import Encoded
from lengthwise.errors import CorpusError

# The columns, by the names that they have; those in OPTIONAL need not be there.
COLUMNS = {
    "id": ("id",),
    "gender": ("gender",),
    "age": ("age",),
    "topic": ("topic", "industry", "job"),
    "sign": ("sign", "horoscope"),
    "date": ("date",),
    "text": ("text",),
}
OPTIONAL = ("topic", "sign", "date")
EXPECTED = ",".join(COLUMNS)
SEPARATORS = (",", ";", "\t", "|")
# How a text writes a quote that is not its end: `""`, `\"`, or quotes mean nothing.
QuoteStyle = Literal["doubled", "backslash", "none"]
# A quote, a backslash or the end of a line after a backslash.
ESCAPED = re.compile(r"\\([\"\\\r\n])")
# Data frames with a gap among the ages write all of them with a point.
WHOLE = re.compile(r"([0-9]{1,3})\.0+")
# Of a line of CSV: two for each of a text's characters, as quotes are doubled, and room for the other fields.
LINE_ROOM = 1 << 16


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One document of a CSV corpus.

    Attributes:
        author_id: whose it is.
        author: what is known of the author; None if the age is in no bracket.
        date: as it is written, or None.
        text: not yet repaired.
        source: how the text is encoded.
        position: how far the file is read, see `CsvFile`.
    """

    author_id: str
    author: Author | None
    date: str | None
    text: bytes
    source: Encoded
    position: int


@dataclass(frozen=True)
class RowReading:
    """How the rows of a CSV are read.

    Attributes:
        brackets: of the ages.
        max_bytes: what a text may have.
        quotes: how texts write quotes.
        leave_out: whether a row whose age is in no bracket has no author, or is refused.
    """

    brackets: AgeBrackets
    max_bytes: int
    quotes: QuoteStyle = "doubled"
    leave_out: bool = False


def read_csv_rows(file: CsvFile, reading: RowReading) -> Iterator[CsvRow]:
    """Yield the rows of a CSV corpus, one in memory at a time.

    Raises:
        CorpusError: the file cannot be read, the header lacks a column, a row has another number of fields, a quote is
            never closed, a line or a field is larger than `max_bytes`, an author is wrong or another than in a row
            before: the message names the line.
    """
    place, max_bytes = file.place, reading.max_bytes
    # It is one for the whole process: it is put back when the last row is read, or the reader is given up.
    before = csv.field_size_limit(max_bytes)
    authors: dict[str, tuple[str, ...]] = {}
    try:
        with file.open() as (stream, position), _text_of(stream) as text:
            source = Encoded(b"", "utf8" if text.encoding == "utf-8" else "wide")
            lines = _lines(text, place, max_bytes)
            # Python's own reader of backslashes would take a quote in the middle of a text for its end.
            lines = map(_doubled, lines) if reading.quotes == "backslash" else lines
            first = next(lines, "").removeprefix("\ufeff")
            separator, columns, width = _columns(first, place)
            quoting: Literal[0, 3] = csv.QUOTE_NONE if reading.quotes == "none" else csv.QUOTE_MINIMAL
            reader = csv.reader(chain([first], lines), delimiter=separator, strict=True, quoting=quoting)
            try:
                next(reader)
                for fields in reader:
                    if fields:  # No empty line.
                        at = f"{place} line {reader.line_num}"
                        row = _Row(at, fields, columns, width, source, max_bytes)
                        author = _author(row, authors, reading)
                        yield CsvRow(row.names[0], author, row.date, row.text, source, position())
            except csv.Error as error:
                raise CorpusError(
                    f"{place} line {reader.line_num}: is no CSV ({error}); close the quote, double quotes within "
                    'a text, or set ingest.blogs.quotes to backslash if they are \\" there, or none; '
                    "shorten the field, or raise ingest.max_member_mb"
                ) from error
    finally:
        csv.field_size_limit(before)


class _Row:
    """The fields of one row, checked one by one."""

    def __init__(
        self, at: str, fields: Sequence[str], columns: dict[str, int], width: int, source: Encoded, max_bytes: int
    ) -> None:
        if len(fields) != width:
            raise CorpusError(f"{at}: has {len(fields)} fields; expected {width}; quote what holds the separator")
        data = {name: fields[place].encode("utf-8", "surrogateescape") for name, place in columns.items()}
        self.at, self.text = at, data["text"]
        if len(self.text) > max_bytes:
            raise CorpusError(
                f"{at}: has a text of {len(self.text)} bytes; expected at most {max_bytes // MEBIBYTE} MiB; "
                "raise ingest.max_member_mb if the row is what it should be"
            )
        told = {name: source.decode(data.get(name, b""))[0].strip() for name in COLUMNS if name != "text"}
        whole = WHOLE.fullmatch(told["age"])
        self.date = told.pop("date") or None
        self.names = [*(told | ({"age": whole[1]} if whole else {})).values()]
        if not self.names[0]:
            raise CorpusError(f"{at}: has no id; expected the author's; fill it in or take the row out")


def _author(row: _Row, authors: dict[str, tuple[str, ...]], reading: RowReading) -> Author | None:
    """The author of a row, who is the same in all of them; None if the age is in no bracket."""
    try:
        author = parse_author(row.names, reading.brackets, row.at)
    except OutsideBracketsError:
        if not reading.leave_out:
            raise
        author = None
    author_id, gender, *others = row.names
    facts = (gender.lower(), *others)
    known = authors.setdefault(author_id, facts)
    if known != facts:
        raise CorpusError(
            f"{row.at}: author {author_id} comes with {', '.join(facts)}, and before with {', '.join(known)}; expected "
            "the same labels and facts in all of an author's rows; mend the row, or give the other author another id"
        )
    return author


def _doubled(line: str) -> str:
    r"""A line with quotes after backslashes as one with quotes that are doubled: `\"` becomes `""`."""
    return ESCAPED.sub(lambda found: '""' if found[1] == '"' else found[1], line)


def _columns(first: str, place: str) -> tuple[str, dict[str, int], int]:
    """The separator, where each column is, and how many there are, from the first line."""
    headers = {separator: next(csv.reader([first], delimiter=separator), []) for separator in SEPARATORS}
    for separator, header in headers.items():
        names = [name.strip().lower() for name in header]
        found = {name: [i for i, other in enumerate(names) if other in known] for name, known in COLUMNS.items()}
        if all(found[name] for name in COLUMNS if name not in OPTIONAL):
            twice = [name for name, places in found.items() if len(places) > 1]
            if twice:
                raise CorpusError(f"{place}: has the column {twice[0]} twice in its header; rename one of them")
            return separator, {name: places[0] for name, places in found.items() if places}, len(header)
    header = max(headers.values(), key=len)
    known = {name.strip().lower() for name in header}
    lacking = " (there is no author's id)" if {"gender", "age", "text"} <= known and "id" not in known else ""
    raise CorpusError(
        f"{place}: has the header {header!r:.200}{lacking}; expected {EXPECTED}, in any order; name the columns so, or "
        "set ingest.corpus to a form that reads any columns"
    )


def _text_of(stream: io.BufferedReader) -> io.TextIOWrapper:
    """A CSV as text, by its mark of UTF-16, or by zeros beside the first two characters."""
    beginning = stream.peek(4)[:4]
    wide = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(beginning[:2])
    if wide is None and len(beginning) == 4 and (beginning[1::2] == b"\0\0" or beginning[::2] == b"\0\0"):
        wide = "utf-16-le" if beginning[1] == 0 else "utf-16-be"
    if wide:
        return io.TextIOWrapper(stream, wide, "replace", "")
    # Bytes that are no UTF-8 come through as surrogates, so that a text can be decoded again as it is repaired.
    return io.TextIOWrapper(stream, "utf-8", "surrogateescape", "")


def _lines(stream: io.TextIOWrapper, place: str, max_bytes: int) -> Iterator[str]:
    """The lines of a CSV, none of them longer than any that is not refused later."""
    longest = 2 * max_bytes + LINE_ROOM
    number = 0
    while line := stream.readline(longest):
        number += 1
        if len(line) == longest:
            raise CorpusError(
                f"{place} line {number}: has {longest} characters or more; expected fields of at most "
                f"{max_bytes // MEBIBYTE} MiB; end the line, or raise ingest.max_member_mb"
            )
        yield line
