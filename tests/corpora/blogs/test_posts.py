import io
import unicodedata
from collections import Counter
from html.entities import html5
from xml.etree import ElementTree

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.corpora.blogs.decoding import NAMES
from lengthwise.corpora.blogs.posts import (
    CLOSE_POST,
    DEEPEST,
    OPEN_POST,
    Post,
    is_utf8,
    is_well_formed,
    read_posts,
    repair_bytes,
    repair_text,
)

TAGS = (b"<post>", b"</post>")
FRAGMENTS = [
    b"<",
    b"</",
    b"post>",
    b"<pos",
    b"<POST>",
    b"<post >",
    b"<date>",
    b"<date>1,May,2004</date>",
    b"</date>",
    b"<Blog>",
    b"</Blog>",
    b"&",
    b"&amp;",
    b"&nbsp;",
    b"]]>",
    b"<!--",
    b"\x00",
    b"\r",
    b"\n",
    b" ",
    b"\x81",
    b"\x92",
    b"\xc3\xa9",
    b"\xff",
    b"abc",
    b"\xe2\x80",
]
BODY = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(FRAGMENTS), max_size=8).map(b"".join)).filter(
    lambda body: not (OPEN_POST.search(body) or CLOSE_POST.search(body))
)


def read(data: bytes) -> tuple[list[Post], dict[str, int]]:
    counts: Counter[str] = Counter()
    posts = list(read_posts(data, counts))
    return posts, {kind: count for kind, count in counts.items() if count}


def texts(data: bytes) -> list[str]:
    return [post.text for post in read(data)[0]]


@settings(max_examples=up_to(300), deadline=None)
@given(st.lists(BODY, max_size=6))
def test_read_posts_finds_every_closed_post_in_order(blog, bodies):
    posts, counts = read(blog(*bodies))
    alone: Counter[str] = Counter()
    assert posts == [Post("14,May,2004", repair_bytes(body, alone)) for body in bodies]
    assert counts == {kind: count for kind, count in alone.items() if count}


@settings(max_examples=up_to(200), deadline=None)
@given(st.lists(BODY, min_size=2, max_size=5), st.integers(0, 4), BODY)
def test_read_posts_keeps_other_posts_when_one_is_spoiled(blog, bodies, place, spoiled):
    place %= len(bodies)
    before = texts(blog(*bodies))
    bodies[place] = b"\xff\x81" + spoiled
    after = texts(blog(*bodies))
    assert len(after) == len(before)
    assert [t for i, t in enumerate(after) if i != place] == [t for i, t in enumerate(before) if i != place]


@settings(max_examples=up_to(300), deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*FRAGMENTS, *TAGS]), st.binary(max_size=10)), max_size=14).map(b"".join))
def test_read_posts_yields_one_post_for_each_opening_tag_in_any_bytes(data):
    posts, counts = read(data)
    assert counts.get("repaired_missing_dates", 0) == sum(post.date is None for post in posts)
    assert sum(counts.get(f"documents_{name}", 0) for name in NAMES) == len(posts)
    # Each opening tag opens a post, for a post ends before the next one.
    assert len(posts) == len(OPEN_POST.findall(data))
    assert counts.get("repaired_unclosed_posts", 0) == sum(
        not CLOSE_POST.search(piece) for piece in OPEN_POST.split(data)[1:]
    )


@settings(max_examples=up_to(300), deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*FRAGMENTS, *TAGS]), st.binary(max_size=10)), max_size=14).map(b"".join))
def test_repair_bytes_leaves_no_control_character_and_no_white_space_at_the_ends(data):
    text = repair_bytes(data, Counter())
    assert [c for c in text if unicodedata.category(c) == "Cc" and c not in "\t\n"] == []
    assert text == text.strip()
    text.encode("utf-8")


@pytest.mark.parametrize(
    ("data", "posts", "counts"),
    [
        (b"", [], {}),
        (b"  \r\n ", [], {}),
        (b"<Blog></Blog>", [], {}),
        (b"<Blog><date>1</date></Blog>", [], {}),
        (b"\xff\x00garbage<<&", [], {"bytes_outside_posts": 12}),
        (b"</post></post>", [], {"bytes_outside_posts": 14}),
        (b"<post", [], {"bytes_outside_posts": 5}),
        (b"<postal>a</postal>", [], {"bytes_outside_posts": 18}),
        # In any case, with attributes and blanks; a declaration is no stray text.
        (
            b"<?xml version='1.0'?>\n<BLOG id='7'><DATE>1</DATE><POST>a</POST><Date f='x'>2</Date >"
            b'<post id="3">b</Post >',
            [("1", "a"), ("2", "b")],
            {"documents_utf8": 2},
        ),
        (b"\xef\xbb\xbf<Blog><date>1</date><post >a</post\n></Blog>", [("1", "a")], {"documents_utf8": 1}),
        # Neither a tag that is cut nor one that holds another.
        (
            b"<date>1</date><post id=<post>a</post>",
            [("1", "a")],
            {"documents_utf8": 1, "bytes_outside_posts": 9},
        ),
        (b"<post></post>", [(None, "")], {"documents_utf8": 1, "repaired_missing_dates": 1}),
        (
            b"<post>",
            [(None, "")],
            {"documents_utf8": 1, "repaired_missing_dates": 1, "repaired_unclosed_posts": 1},
        ),
        (b"<date>1</date><post>a</post>", [("1", "a")], {"documents_utf8": 1}),
        # Without </Blog>, with text outside of posts.
        (
            b"<Blog>xy<date>1</date><post>a</post> z <date>2</date><post>b</post> end",
            [("1", "a"), ("2", "b")],
            {"documents_utf8": 2, "bytes_outside_posts": 6},
        ),
        # The nearest of two dates; a date after the post is not its own.
        (b"<date>1</date><date>2</date><post>a</post>", [("2", "a")], {"documents_utf8": 1}),
        (
            b"<post>a</post><date>1</date>",
            [(None, "a")],
            {"documents_utf8": 1, "repaired_missing_dates": 1},
        ),
        # A date serves one post only.
        (
            b"<date>1</date><post>a</post><post>b</post>",
            [("1", "a"), (None, "b")],
            {"documents_utf8": 2, "repaired_missing_dates": 1},
        ),
        # Never closed: before the next date, before the next <post>, before the root's end, at the file's end.
        (
            b"<date>1</date><post>a\r\n\r\n<date>2</date>\r\n<post>b</post></Blog>",
            [("1", "a"), ("2", "b")],
            {"documents_utf8": 2, "repaired_unclosed_posts": 1, "repaired_line_ends": 1},
        ),
        (
            b"<date>1</date><post>a<post>b</post>",
            [("1", "a"), (None, "b")],
            {"documents_utf8": 2, "repaired_unclosed_posts": 1, "repaired_missing_dates": 1},
        ),
        (
            b"<Blog><date>1</date><post>a </Blog>\n",
            [("1", "a")],
            {"documents_utf8": 1, "repaired_unclosed_posts": 1},
        ),
        (b"<date>1</date><post>a b", [("1", "a b")], {"documents_utf8": 1, "repaired_unclosed_posts": 1}),
        (
            b"<date>1</date><post>a<post>b<post>c",
            [("1", "a"), (None, "b"), (None, "c")],
            {"documents_utf8": 3, "repaired_unclosed_posts": 3, "repaired_missing_dates": 2},
        ),
        # A date and a root's end that stand within a closed post are text.
        (
            b"<date>1</date><post>a<date>2</date>b</Blog></post>",
            [("1", "a<date>2</date>b</Blog>")],
            {"documents_utf8": 1},
        ),
        # A date in the middle of an unclosed post is text, too.
        (
            b"<date>1</date><post>a <date>2</date> b",
            [("1", "a <date>2</date> b")],
            {"documents_utf8": 1, "repaired_unclosed_posts": 1},
        ),
        # What closes a post twice stands outside.
        (
            b"<date>1</date><post>a</post></post><date>2</date><post>b</post>",
            [("1", "a"), ("2", "b")],
            {"documents_utf8": 2, "bytes_outside_posts": 7},
        ),
        # A date is stripped; a bad byte in it is no repair of the text.
        (b"<date> 1\x92 </date><post>a</post>", [("1’", "a")], {"documents_utf8": 1}),
    ],
)
def test_read_posts_repairs_and_counts(data, posts, counts):
    found, counted = read(data)
    assert [(post.date, post.text) for post in found] == posts
    assert counted == counts


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "piece", [b"<post>", b"<date>", b"</post>", b"<post>a</Blog> ", b"<post><date>", b"<post><date></date> ", b"& < "]
)
def test_read_posts_takes_linear_time_on_files_without_any_end(piece):
    repeats = (2 << 20) // len(piece)
    posts, counts = read(piece * repeats)
    assert len(posts) == (repeats if b"<post>" in piece else 0)
    assert counts.get("repaired_unclosed_posts", 0) == len(posts)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("&amp;nbsp;", "&nbsp;"),
        ("&amp;amp;amp;", "&amp;amp;"),
        ("&#38;lt;", "&lt;"),
        ("&lt;b&gt;", "<b>"),
        ("a&nbsp;b", "a\xa0b"),
        ("&eacute;&Eacute;", "éÉ"),
        ("&#233;&#xe9;&#XE9;", "ééé"),
        ("&#x1F600;", "\N{GRINNING FACE}"),
        # The browsers' reading of what Windows-1252 has there.
        ("&#146;&#x92;", "’’"),
        # Surrogates are one character in pairs, and none alone.
        ("&#xD800;", "\ufffd"),
        ("&#55357;&#56832;", "\N{GRINNING FACE}"),
        ("&#xD83D;&#xde00; &#55357;", "\N{GRINNING FACE} \ufffd"),
        ("&#xDE00;&#xD83D;", "\ufffd\ufffd"),
        ("&#99999999;", "\ufffd"),
        ("a&#0;b", "a\ufffdb"),
        ("a&#1;b", "ab"),
        ("a&#13;&#10;b", "a\nb"),
        ("&CounterClockwiseContourIntegral;", "∳"),
        # Not one of the names: left alone, also if it begins like one or lacks the semicolon.
        ("&notify;", "&notify;"),
        ("&unknown;", "&unknown;"),
        ("&Amp;", "&Amp;"),
        ("&nbsp", "&nbsp"),
        ("&copy 2004", "&copy 2004"),
        ("AT&T; R&D & B", "AT&T; R&D & B"),
        ("&;&#;&#x;", "&;&#;&#x;"),
        ("& amp;", "& amp;"),
        ("?a=1&lt=2", "?a=1&lt=2"),
    ],
)
def test_repair_text_unescapes_declared_entities_exactly_once(raw, text):
    counts: Counter[str] = Counter()
    assert repair_text(raw, counts) == text
    assert counts["repaired_entities"] == (raw != text)


def test_repair_text_knows_every_named_entity():
    for name in html5:
        if name.endswith(";"):
            assert repair_text(f"x&{name}x", Counter()) == f"x{html5[name]}x"


@pytest.mark.parametrize(
    ("raw", "text", "kinds"),
    [
        ("a\x00b\x07\x7fc", "abc", ["control_characters"]),
        ("a\x0bb\x0cc\x1fd\x85e", "a b c d e", ["control_characters"]),
        ("\x0c a \x1f", "a", ["control_characters"]),
        ("a\tb\nc", "a\tb\nc", []),
        ("a\r\nb\rc\n\rd", "a\nb\nc\n\nd", ["line_ends"]),
        (" \n\u3000a\xa0 ", "a", []),
        ("a\u200bb\ufeff", "a\u200bb\ufeff", []),
        ("&lt;\x00\r&gt;", "<\n>", ["control_characters", "entities", "line_ends"]),
        ("a <![CDATA[b & <i>&amp;</i>]]> &amp; c", "a b & <i>&amp;</i> & c", ["cdata", "entities"]),
        ("<![CDATA[a]]><![CDATA[b\nc", "ab\nc", ["cdata"]),
        ("<![CDATA[&amp;]]>", "&amp;", ["cdata"]),
        ("a ]]> b", "a ]]> b", []),
        ("", "", []),
    ],
)
def test_repair_text_counts_each_kind_once_a_text(raw, text, kinds):
    counts: Counter[str] = Counter()
    assert repair_text(raw, counts) == text
    assert {kind for kind, count in counts.items() if count} == {f"repaired_{kind}" for kind in kinds}
    assert set(counts.values()) <= {0, 1}


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"plain", "plain", "utf8"),
        (b"caf\xc3\xa9", "café", "utf8"),
        (b"\xf0\x9f\x98\x80", "\N{GRINNING FACE}", "utf8"),
        (b"it\x92s", "it’s", "cp1252"),
        (b"caf\xe9 \x80", "café €", "cp1252"),
        # One byte that is no UTF-8 decides for the whole post.
        (b"caf\xc3\xa9 \x92", "cafÃ© ’", "cp1252"),
        (b"\xed\xa0\x80", "í\xa0€", "cp1252"),
        (b"\xe9\x81", "é", "latin1"),
        # Surrogates one by one, as some databases store them.
        (b"hi \xed\xa0\xbd\xed\xb8\x80 caf\xc3\xa9", "hi \N{GRINNING FACE} café", "cesu8"),
        (b"\xed\xb8\x80 \xc3\xa9", "\ufffd é", "cesu8"),
        (b"\xed\xa0\xbd\xed\xb8\x80 \x92", "í\xa0½í¸€ ’", "cp1252"),
        (b"", "", "utf8"),
    ],
)
def test_repair_bytes_chooses_the_encoding_of_each_document(data, text, encoding):
    counts: Counter[str] = Counter()
    assert repair_bytes(data, counts) == text
    assert {kind: n for kind, n in counts.items() if n and kind.startswith("documents")} == {f"documents_{encoding}": 1}


@settings(max_examples=up_to(200), deadline=None)
@given(st.binary(max_size=30))
def test_is_utf8_agrees_with_a_lossless_round_trip(data):
    assert is_utf8(data) == (data.decode("utf-8", "replace").encode() == data)


def reached_by_etree(data: bytes) -> tuple[bool, int]:
    reached = 0
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(data), events=("end",)):
            reached += element.tag == "post"
    except ElementTree.ParseError:
        return False, reached
    return True, reached


@settings(max_examples=up_to(300), deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a", b"&amp;", b"&nbsp;", b"&", b"<", b"<b>", b"</b>", b"\xe9", b"\x01", b"\xc3\xa9", b"]]>"])
        | st.sampled_from([b"x y", b"<br/>", b"</post>", b"<post>", b"\x00", b"<![CDATA[<]]>", b"<!-- -->"]),
        max_size=6,
    ),
    st.integers(0, 4),
    st.sampled_from([b"</Blog>", b"", b"</Blog>x", b"</blog>"]),
)
def test_is_well_formed_agrees_with_a_plain_parse(pieces, good, end):
    data = b"<Blog>" + b"<post>good</post>" * good + b"<post>" + b"".join(pieces) + b"</post>" + end
    assert is_well_formed(data) == reached_by_etree(data)


def test_is_well_formed_counts_the_posts_before_the_first_error(blog):
    assert is_well_formed(blog(b"a", b"b", b"c")) == (True, 3)
    assert is_well_formed(blog(b"a", b"b & b", b"c")) == (False, 1)
    assert is_well_formed(blog(b"a", b"b", b"&nbsp;")) == (False, 2)
    assert is_well_formed(b"") == (False, 0)


@pytest.mark.parametrize("encoding", [b"no-such-encoding", b"Shift_JIS", b"utf-7", b"big5", b"rot13"])
def test_is_well_formed_refuses_a_declared_encoding_that_the_parser_lacks(encoding):
    data = b'<?xml version="1.0" encoding="' + encoding + b'"?><Blog><post>a</post></Blog>'
    assert is_well_formed(data)[0] is False


def test_is_well_formed_stops_where_no_blog_goes_so_deep():
    # Each element that is open costs the parser forty times its bytes.
    for depth in (1, DEEPEST, DEEPEST + 1, 100_000):
        assert is_well_formed(b"<a>" * depth + b"</a>" * depth) == (depth <= DEEPEST, 0)
    assert is_well_formed(b"<Blog><post></post>" + b"<a>" * DEEPEST) == (False, 1)
