"""A corpus in one CSV file: a row per document, `id,gender,age,topic,sign,date,text`."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from lengthwise.corpora.blogs.author_files import MEBIBYTE, readable
from lengthwise.corpora.blogs.authors import AgeBrackets, Author, parse_author
from lengthwise.corpora.blogs.posts import decode
from lengthwise.errors import CorpusError

CSV_HEADER = ["id", "gender", "age", "topic", "sign", "date", "text"]
# Of a line of CSV: two for each of a text's characters, as quotes are doubled, and room for the other fields.
LINE_ROOM = 1 << 16


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One document of a CSV corpus, its text as bytes, not yet repaired, and how far the file is read."""

    author: Author
    date: str | None
    text: bytes
    offset: int


def read_csv_rows(path: Path, brackets: AgeBrackets, max_bytes: int) -> Iterator[CsvRow]:
    """Yield the rows of a CSV corpus, one in memory at a time.

    Raises:
        CorpusError: the file cannot be read, the header is another, a row has another number of fields, a quote is
            never closed, a line or a field is larger than `max_bytes`, or an author is wrong: the message names the
            line.
    """
    # It is one for the whole process: it is put back when the last row is read, or the reader is given up.
    before = csv.field_size_limit(max_bytes)
    # Bytes that are no UTF-8 come through as surrogates, so that a text can be decoded again as it is repaired.
    with readable(path), path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
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
                yield CsvRow(parse_author(names, brackets, place), date or None, data, offset)
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read ({error.strerror}); get the file again") from error
        except csv.Error as error:
            raise CorpusError(
                f"{path} line {reader.line_num}: is no CSV ({error}); close the quote or shorten the field, "
                "or raise ingest.max_member_mb"
            ) from error
        finally:
            csv.field_size_limit(before)


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
