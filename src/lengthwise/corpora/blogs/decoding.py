"""From the bytes of a blog to its characters: what a file declares, what it shows, and what it mixes.

Most files declare nothing and are UTF-8 with posts of Windows-1252 among it, so each post is decoded by itself. UTF-16
is known by its mark or by its zeros; a declaration (`<?xml version="1.0" encoding="koi8-r"?>`) is believed where the
bytes are no UTF-8.
"""

import codecs
import re
from dataclasses import dataclass

UTF8_MARK = b"\xef\xbb\xbf"
# Longest mark first: that of UTF-32 begins like that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The first character of a file without a mark is `<`, perhaps after white space.
ZEROS = (
    (re.compile(rb"(?:[\t\r\n ]\0\0\0)*<\0\0\0"), "utf-32-le"),
    (re.compile(rb"(?:\0\0\0[\t\r\n ])*\0\0\0<"), "utf-32-be"),
    (re.compile(rb"(?:[\t\r\n ]\0)*<\0"), "utf-16-le"),
    (re.compile(rb"(?:\0[\t\r\n ])*\0<"), "utf-16-be"),
)
DECLARATION = re.compile(rb"""\s*<\?xml\s[^<>]{0,200}?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._:-]{0,40})["']""")
# Encodings of text that begin with ASCII, by Python's names; Python has others, that unpack or escape.
OF_TEXT = re.compile(r"(?:iso8859-|koi8-|cp(?!424|500|875)[4789]\d\d?|cp125|mac-|shift_jis|euc_|gb|big5|iso2022_).*")
OTHERS_OF_TEXT = ("johab", "tis-620", "hz", "ptcp154", "kz1048", "hp-roman8")
# Of these any bytes are ASCII too: a declaration is the only sign.
STATEFUL = re.compile(r"iso2022_.*|hz")
# What is called by the first name often is the second, which has more characters.
WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "cp950"}
WIDER |= {"tis-620": "cp874", "iso8859-9": "cp1254", "iso8859-11": "cp874"}
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
# Tried anyway.
KNOWN = ("utf-8", "ascii", "cp1252", "iso8859-1")
FALLBACKS = ("cp1252", "latin-1")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Bytes in which mark-up is ASCII, and how the text between is encoded.

    Attributes:
        data: of a file, made UTF-8 as a whole if it had to be.
        name: what a document counts as that is UTF-8 in `data`.
        declared: the encoding of what is no UTF-8, by Python's name; None if nothing is declared.
    """

    data: bytes
    name: str = "utf8"
    declared: str | None = None

    def decode(self, data: bytes) -> tuple[str, str]:
        """The text of a part of the bytes, and what it counts as.

        UTF-8 where it decodes, else UTF-8 with surrogates in it (CESU-8), else as declared, else Windows-1252, else
        Latin-1, which takes all.
        """
        try:
            return data.decode("utf-8"), self.name
        except UnicodeDecodeError:
            pass
        if SURROGATE.search(data) and (text := _of_surrogates(data)):
            return text, "cesu8"
        for encoding in (self.declared, *FALLBACKS):
            try:
                if encoding is not None:
                    name = "declared" if encoding == self.declared else encoding.replace("-", "")
                    return data.decode(encoding), name
            except UnicodeDecodeError:
                continue
        raise AssertionError("Latin-1 takes all bytes")


# What of documents is counted.
NAMES = ("cesu8", "cp1252", "declared", "latin1", "utf8", "wide")


def encoded(data: bytes, markup: re.Pattern[bytes]) -> Encoded:
    """How a file is encoded.

    Args:
        data: the bytes of a file.
        markup: what such files are searched for: a file is taken as UTF-16, or as what it declares, only if no mark-up
            is lost by that.
    """
    wide = next((name for mark, name in MARKS if data.startswith(mark)), None)
    wide = wide or next((name for zeros, name in ZEROS if zeros.match(data)), None)
    if wide:
        return _transcoded(data, wide, "wide", markup) or Encoded(data)
    data = data.removeprefix(UTF8_MARK)
    declared = declared_encoding(data)
    if declared and STATEFUL.fullmatch(declared):
        return _transcoded(data, declared, "declared", markup) or Encoded(data)
    return Encoded(data, declared=declared)


def _transcoded(data: bytes, encoding: str, name: str, markup: re.Pattern[bytes]) -> Encoded | None:
    made = join_surrogates(data.decode(encoding, "replace").removeprefix("\ufeff")).encode("utf-8")
    seen = sum(1 for _ in markup.finditer(data))
    return Encoded(made, name) if sum(1 for _ in markup.finditer(made)) >= seen else None


def declared_encoding(data: bytes) -> str | None:
    """Python's name of the encoding that a file declares; None for UTF-8, Latin-1, and what is none of text.

    >>> declared_encoding(b'<?xml version="1.0" encoding="KOI8-R"?><Blog>')
    'koi8-r'
    """
    found = DECLARATION.match(data)
    try:
        name = codecs.lookup(found[1].decode()).name if found else ""
    except LookupError:
        return None
    known = name not in KNOWN and (OF_TEXT.fullmatch(name) or name in OTHERS_OF_TEXT)
    return WIDER.get(name, name) if known else None


def is_unknown(data: bytes) -> bool:
    """Whether a file declares an encoding that Python does not know."""
    found = DECLARATION.match(data.removeprefix(UTF8_MARK))
    try:
        return bool(found and not codecs.lookup(found[1].decode()))
    except LookupError:
        return True


def _of_surrogates(data: bytes) -> str | None:
    """UTF-8 in which surrogates are encoded one by one; None if nothing but halves of them speaks for it."""
    try:
        text = join_surrogates(data.decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        return None
    return None if text.replace("\ufffd", "").isascii() else text


def join_surrogates(text: str) -> str:
    r"""Surrogates in pairs become the character that they stand for, others U+FFFD.

    >>> join_surrogates("\ud83d\ude00 \ud83d") == "\N{GRINNING FACE} \N{REPLACEMENT CHARACTER}"
    True
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
