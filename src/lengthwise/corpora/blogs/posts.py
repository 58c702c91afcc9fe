"""The bytes of one blog file to its posts, every repair counted.

A file looks like XML and often is not: bare `&` and `<`, entities that nobody declared, control characters,
Windows-1252 among UTF-8. So no XML parser decides what is kept: the bytes are searched for `<date>` and
`<post>`, in any case and with any attributes. (The script behind the source article stops at a file's first error and
keeps a quarter of the posts.)
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from html.entities import html5
from xml.parsers import expat

from lengthwise.corpora.blogs.decoding import Encoded, encoded, join_surrogates

# In any case, and yet with a beginning that Python finds fast.
OPEN_POST = re.compile(rb"<[pP][oO][sS][tT](?:\s[^<>]*)?>")
CLOSE_POST = re.compile(rb"</[pP][oO][sS][tT]\s*>")
DATE = re.compile(rb"<date(?:\s[^<>]*)?>([^<]*)</date\s*>", re.IGNORECASE)
DATE_AT_END = re.compile(rb"<date(?:\s[^<>]{0,50})?>[^<]{0,200}</date\s*>\s*\Z", re.IGNORECASE)
ROOT_AT_END = re.compile(rb"</Blog\s*>\s*\Z", re.IGNORECASE)
ROOT = re.compile(rb"</?Blog(?:\s[^<>]*)?>|<\?xml\s[^<>]*\?>", re.IGNORECASE)
# Of text that is as it stands; one that is never closed ends with the post.
CDATA = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|\Z)", re.DOTALL)
SURROGATE = re.compile(r"[\ud800-\udfff]")
ENTITY = re.compile(r"&(#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,7}|[a-zA-Z][a-zA-Z0-9]{1,40});")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# The longest tail of an unclosed post in which the next post's date is looked for, in bytes.
DATE_REACH = 300
# Elements within elements, of which a blog has two: a strict parser remembers each, at forty times its bytes.
DEEPEST = 100
PLAIN = Encoded(b"")


@dataclass(frozen=True, slots=True)
class Post:
    """One post: its date as written, or None, and its repaired text."""

    date: str | None
    text: str


def read_posts(data: bytes, counts: Counter[str]) -> Iterator[Post]:
    """Yield every post of a blog file, in the file's order, and count each repair by kind.

    A post runs from `<post>`, which may have attributes, to the next `</post>`. If another `<post>` comes first, or
    none, it was never closed and ends before the next post's date, the next `<post>`, or the end of the file.

    Args:
        data: the file's bytes.
        counts: gets added `documents_<encoding>`, `repaired_*` and `bytes_outside_posts`.
    """
    source = encoded(data, OPEN_POST)
    data, end = source.data, 0
    opening = OPEN_POST.search(data)
    closing = CLOSE_POST.search(data)
    while opening:
        start = opening.end()
        between = data[end : opening.start()]
        dates = DATE.findall(between)
        _count_stray(between, counts)
        opening = OPEN_POST.search(data, start)
        if closing and closing.start() < start:
            closing = CLOSE_POST.search(data, start)
        if closing and not (opening and opening.start() < closing.start()):
            stop, end = closing.span()
        else:
            counts["repaired_unclosed_posts"] += 1
            stop = end = _end_of_unclosed(data, start, opening.start() if opening else len(data))
        date = source.decode(dates[-1])[0].strip() if dates else ""
        counts["repaired_missing_dates"] += not date
        yield Post(date or None, repair_bytes(data[start:stop], counts, source))
    _count_stray(data[end:], counts)


def is_well_formed(data: bytes) -> tuple[bool, int]:
    """Whether a strict XML parser accepts a file, and how many posts it reaches before its first error.

    Only counted, to say what strictness would have cost; nothing is kept or dropped by it.
    """
    reached = depth = 0

    def begin(_name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ValueError("too deep")

    def end(name: str) -> None:
        nonlocal depth, reached
        depth -= 1
        reached += name.lower() == "post"

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError):  # The latter two also for an encoding that nobody knows.
        return False, reached
    return True, reached


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8 throughout."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _end_of_unclosed(data: bytes, start: int, limit: int) -> int:
    """Where a post ends that was never closed: before the date or the root's end that `limit` follows."""
    from_here = max(start, limit - DATE_REACH)
    tail = data[from_here:limit]
    match = DATE_AT_END.search(tail) or ROOT_AT_END.search(tail)
    return from_here + match.start() if match else limit


def _count_stray(between: bytes, counts: Counter[str]) -> None:
    """Count what stands outside of posts and is neither date nor root nor white space."""
    stray = ROOT.sub(b"", DATE.sub(b"", between)).strip()
    if stray:
        counts["bytes_outside_posts"] += len(stray)


def repair_text(text: str, counts: Counter[str]) -> str:
    """Unescape entities once, take control characters out, unify line ends, strip white space at the ends.

    Character data that is marked as such (CDATA) is what it is.
    """
    if "<![CDATA[" in text:
        counts["repaired_cdata"] += 1
        parts = CDATA.split(text)
        parts[::2] = [_unescaped(part) for part in parts[::2]]
        unescaped = "".join(parts)
        counts["repaired_entities"] += unescaped != CDATA.sub(r"\1", text)
        text = unescaped
    elif "&" in text:
        unescaped = _unescaped(text)
        counts["repaired_entities"] += unescaped != text
        text = unescaped
    if CONTROL.search(text):
        counts["repaired_control_characters"] += 1
        text = CONTROL.sub(_blank_or_nothing, text)
    if "\r" in text:
        counts["repaired_line_ends"] += 1
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.strip()


def repair_bytes(data: bytes, counts: Counter[str], source: Encoded = PLAIN) -> str:
    """Decode one document's bytes and repair its text; each repair is counted once a document.

    Args:
        data: of one document.
        counts: gets added `documents_<encoding>` and `repaired_*`.
        source: how what it is a part of is encoded.
    """
    text, encoding = source.decode(data)
    counts[f"documents_{encoding}"] += 1
    return repair_text(text, counts)


def _unescaped(text: str) -> str:
    text = ENTITY.sub(_unescape, text)
    # Two references to surrogates are one character, as programs write it that count in UTF-16.
    return join_surrogates(text) if SURROGATE.search(text) else text


def _unescape(match: re.Match[str]) -> str:
    name = match[1]
    # Exact names only: `html.unescape` would also take the longest known beginning, `&notify;` as `¬ify;`.
    if not name.startswith("#"):
        return html5.get(f"{name};", match[0])
    code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    return chr(code) if 0xD800 <= code < 0xE000 else unescape(match[0])


def _blank_or_nothing(match: re.Match[str]) -> str:
    return " " if match[0].isspace() else ""
