import io
import os
import sys
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.cli import text_input as texts_module
from lengthwise.cli.text_input import opened_texts, whole_text
from lengthwise.errors import FormatError

# What ends lines, what only looks as if, and what takes one to four bytes.
CHARACTERS = st.sampled_from(
    [*"ab \t", "\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "é", "\ufeff", "你", "🎈"]
)


def read(content, by_lines=True):
    with (
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii")),
        opened_texts([], None, by_lines) as texts,
    ):
        return ["".join(text) for text in texts]


@settings(deadline=None)
@given(st.lists(CHARACTERS).map("".join), st.booleans())
def test_opened_texts_reads_lines_as_python_reads_text(text, mark):
    content = text.encode("utf-8-sig" if mark else "utf-8")
    expected = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig").readlines()
    assert read(content) == expected
    assert read(content, by_lines=False) == ["".join(expected)]


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"a", b"\n", "é".encode(), b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\x80", b"\r"])))
def test_opened_texts_names_the_first_byte_that_is_not_utf_8(pieces):
    content = b"".join(pieces)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        with pytest.raises(FormatError) as caught:
            read(content)
        told = f"standard input: is not UTF-8 (0x{content[error.start]:02x} at byte {error.start}); expected UTF-8"
        assert str(caught.value).startswith(told)
    else:
        read(content)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_opened_texts_reads_or_refuses_any_bytes(content):
    try:
        text = "".join(read(content))
    except FormatError:
        refused = True
    else:
        refused = False
        assert content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n") == text
    assert refused == (b"\0" in content or content.decode("utf-8", "ignore").encode() != content)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_opened_texts_gives_arguments_as_they_are_whatever_the_locale(text):
    # As Python hands on the bytes of an argument where the locale is ASCII.
    escaped = text.encode("utf-8").decode("ascii", "surrogateescape")
    for argument in (text, escaped):
        with opened_texts([argument], None, False) as texts:
            assert [list(pieces) for pieces in texts] == [[text]]


def test_opened_texts_hands_on_what_is_raised_within(tmp_path):
    (tmp_path / "text").write_text("a")
    for error in (BrokenPipeError(), OSError("of another"), ValueError()):
        with pytest.raises(type(error)), opened_texts([], tmp_path / "text", False):
            raise error


def test_opened_texts_leaves_standard_input_open():
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a"))) as stdin:
        with opened_texts([], None, False) as texts:
            assert ["".join(text) for text in texts] == ["a"]
        assert not stdin.closed


def test_opened_texts_does_not_read_ahead():
    # Of what never ends, the first line is had at once.
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as pipe, os.fdopen(write_end, "wb", buffering=0) as writer:
        writer.write(b"first\nsec")
        stdin = io.TextIOWrapper(pipe)
        with mock.patch.object(sys, "stdin", stdin), opened_texts([], None, True) as texts:
            assert list(next(iter(texts))) == ["first\n"]
        stdin.detach()


def test_whole_text_has_a_bound(monkeypatch):
    monkeypatch.setattr(texts_module, "LARGEST_TEXT", 5)
    assert whole_text(["abc", "de"]) == "abcde"
    endless = iter(lambda: "abc", "")
    with pytest.raises(FormatError, match="has more than 5 characters; expected at most so many"):
        whole_text(endless)
