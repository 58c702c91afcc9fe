import codecs
from collections import Counter

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.corpora.blogs.decoding import NAMES, declared_encoding, is_unknown
from lengthwise.corpora.blogs.posts import is_well_formed, read_posts

TEXTS = {
    "koi8-r": "Привет мир",
    "windows-1251": "Сегодня шёл дождь",
    "KOI8-U": "Сьогодні йшов дощ",
    "Shift_JIS": "今日は雨が降った。表示",
    "EUC-JP": "今日は雨が降った。",
    "ISO-2022-JP": "今日は<雨>が降った。",
    "GB2312": "今天下雨了，我没有出去",
    "gbk": "今天下雨了，鎔",
    "gb18030": "今天下雨了",
    "Big5": "今天下雨了",
    "EUC-KR": "오늘은 비가 왔다",
    "ISO-8859-2": "Dziś padał deszcz",
    "windows-1253": "Σήμερα έβρεξε",
    "iso-8859-9": "Bugün yağmur yağdı",
    "TIS-620": "วันนี้ฝนตก",
    "macintosh": "Über größere Straßen",
    "IBM866": "Привет мир",
}
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<>&")
NO_TEXT = "zlib rot13 unicode_escape idna punycode utf-16 cp037 x-none hex"
WIDE = {
    "UTF-16 with a mark": lambda text: text.encode("utf-16"),
    "UTF-16 BE with a mark": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-16 LE": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE after blanks": lambda text: ("\r\n " + text).encode("utf-16-be"),
    "UTF-32 with a mark": lambda text: text.encode("utf-32"),
    "UTF-32 BE": lambda text: text.encode("utf-32-be"),
    "UTF-16 cut within a character": lambda text: text.encode("utf-16") + b"\n",
}


def blog(*texts, declared=""):
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    return head + "<Blog>" + "".join(f"<date>5,Mai,2004</date>\n<post>\n {text} </post>" for text in texts) + "</Blog>"


def read(data):
    counts = Counter(dict.fromkeys(map("documents_{}".format, NAMES), 0))
    found = [(post.date, post.text) for post in read_posts(data, counts)]
    return found, {name: counts[f"documents_{name}"] for name in NAMES if counts[f"documents_{name}"]}


@pytest.mark.parametrize("encoding", TEXTS)
def test_read_posts_believes_a_declaration_of_bytes_that_are_no_utf8(encoding):
    text = TEXTS[encoding]
    data = blog("plain", text, declared=encoding).encode(encoding)
    found, counts = read(data)
    assert found == [("5,Mai,2004", "plain"), ("5,Mai,2004", text)]
    assert counts in ({"declared": 1, "utf8": 1}, {"declared": 2})


@pytest.mark.parametrize("encoding", [encoding for encoding in TEXTS if encoding != "ISO-2022-JP"])
def test_read_posts_takes_utf8_for_what_it_is_whatever_is_declared(encoding):
    found, counts = read(blog(TEXTS[encoding], declared=encoding).encode())
    assert (found, counts) == ([("5,Mai,2004", TEXTS[encoding])], {"utf8": 1})


@pytest.mark.parametrize("kind", WIDE)
def test_read_posts_reads_utf16_and_utf32_by_their_mark_or_their_zeros(kind):
    texts = ["今天 it’s & über \N{GRINNING FACE}", "", "<b>"]
    found, counts = read(WIDE[kind](blog(*texts)))
    assert found == [("5,Mai,2004", text) for text in texts]
    assert counts == {"wide": 3}


def test_read_posts_believes_no_mark_of_utf16_that_would_lose_a_post():
    # A file of bytes that begins like UTF-16.
    found, counts = read(b"\xff\xfe" + blog("caf\xe9").encode("latin-1"))
    assert (found, counts) == ([("5,Mai,2004", "café")], {"cp1252": 1})


def test_read_posts_decodes_a_damaged_post_by_itself_as_declared_or_as_it_would_be_without():
    data = blog("Привет", "мир", declared="koi8-r").encode("koi8-r").replace(" мир".encode("koi8-r"), " мир".encode())
    assert read(data) == ([("5,Mai,2004", "Привет"), ("5,Mai,2004", "мир")], {"declared": 1, "utf8": 1})
    data = blog("今日", "it \udc85 s", declared="shift_jis").encode("cp932", "surrogateescape")
    assert read(data) == ([("5,Mai,2004", "今日"), ("5,Mai,2004", "it … s")], {"declared": 1, "cp1252": 1})


@pytest.mark.parametrize("name", NO_TEXT.split())
def test_read_posts_passes_over_a_declaration_that_cannot_be(name):
    data = blog("caf\xe9", declared=name).encode("latin-1")
    assert declared_encoding(data) is None
    assert read(data) == ([("5,Mai,2004", "café")], {"cp1252": 1})
    assert is_unknown(data) == (name == "x-none")


@settings(max_examples=up_to(200), deadline=None)
@given(
    st.lists(st.text(CHARACTERS, max_size=12), max_size=4),
    st.sampled_from([*WIDE]),
)
def test_read_posts_finds_in_utf16_what_it_finds_in_utf8(texts, kind):
    assert read(WIDE[kind](blog(*texts)))[0] == read(blog(*texts).encode())[0]


def test_is_well_formed_reaches_posts_in_any_case_and_encoding():
    assert is_well_formed(blog("a", "b").replace("post>", "POST>").encode("utf-16")) == (True, 2)
