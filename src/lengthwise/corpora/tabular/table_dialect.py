"""How a table of text is written, and what separates its columns if nobody says."""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

SEPARATORS = "\t,;|"
# Of the beginning of a file, that its separator is told by.
SAMPLED_ROWS = 50


@dataclass(frozen=True)
class TableDialect:
    """How a table of text is written.

    Attributes:
        separator: between columns; None to find it among tab, comma, semicolon and bar.
        header: whether the first row names the columns.
        quote: what values stand between that hold separators; None where a quote is a character like any other.
        escape: what a quote within a value stands behind, such as a backslash; None where it is doubled.
        encoding: of the text; a byte order mark of UTF-16 counts more.
    """

    separator: str | None
    header: bool
    quote: str | None
    escape: str | None
    encoding: str


def separator_of(head: str, dialect: TableDialect) -> str:
    r"""What separates columns: the sign that gives most of the first rows one number of columns, the larger the better.

    >>> separator_of("a;b\n1,5;2\n", TableDialect(None, True, '"', None, "utf-8"))
    ';'
    """
    if dialect.separator is not None:
        return "\t" if dialect.separator in ("tab", "\\t") else dialect.separator
    best, score = ",", (0.0, 0)
    for sign in SEPARATORS:
        widths = _widths(head, sign, dialect)
        if not widths:
            continue
        width, rows = Counter(widths).most_common(1)[0]
        here = (rows / len(widths), width)
        if width > 1 and here > score:
            best, score = sign, here
    return best


def _widths(head: str, separator: str, dialect: TableDialect) -> list[int]:
    """How many columns the first rows have, but for the last one, which may be cut off."""
    widths = []
    # What is no CSV with one separator may be with another: rows before that count.
    with suppress(csv.Error):
        for cells in csv_reader(io.StringIO(head, newline=""), separator, dialect, strict=False):
            widths.append(len(cells))
            if len(widths) > SAMPLED_ROWS:
                break
    return [width for width in (widths[:-1] or widths) if width]


def csv_reader(stream: Iterable[str], separator: str, dialect: TableDialect, *, strict: bool) -> "CsvReader":
    """A reader of rows.

    Args:
        stream: of lines, their ends kept.
        separator: between columns.
        dialect: what else there is to say.
        strict: whether a quote that is not closed is an error.
    """
    return csv.reader(
        stream,
        delimiter=separator,
        quotechar=dialect.quote,
        quoting=csv.QUOTE_MINIMAL if dialect.quote is not None else csv.QUOTE_NONE,
        escapechar=dialect.escape,
        doublequote=dialect.escape is None,
        strict=strict and dialect.quote is not None,
    )
