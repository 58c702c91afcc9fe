import contextlib
import io
import itertools
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
# Bytes that come together: few, so that characters and what ends a line are cut, or all.
AT_ONCE = st.sampled_from([1, 2, 3, 7, texts_module.READ_BYTES])


def read(content, by_lines=True, at_once=texts_module.READ_BYTES):
    with (
        mock.patch.object(texts_module, "READ_BYTES", at_once),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii")),
        opened_texts([], None, by_lines) as texts,
    ):
        return ["".join(text) for text in texts]


@settings(deadline=None)
@given(st.lists(CHARACTERS).map("".join), st.booleans(), AT_ONCE)
def test_opened_texts_reads_lines_as_python_reads_text(text, mark, at_once):
    content = text.encode("utf-8-sig" if mark else "utf-8")
    expected = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig").readlines()
    assert read(content, at_once=at_once) == expected
    assert read(content, by_lines=False, at_once=at_once) == ["".join(expected)]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"a", b"\n", "é".encode(), b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\x80", b"\r"])), AT_ONCE
)
def test_opened_texts_names_the_first_byte_that_is_not_utf_8(pieces, at_once):
    content = b"".join(pieces)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        with pytest.raises(FormatError) as caught:
            read(content, at_once=at_once)
        told = f"standard input: is not UTF-8 (0x{content[error.start]:02x} at byte {error.start}); expected UTF-8"
        assert str(caught.value).startswith(told)
    else:
        read(content, at_once=at_once)


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"ab", b"\n", b"\r", "é".encode(), b"\xff", b"\0"])), AT_ONCE)
def test_opened_texts_gives_the_lines_before_a_fault(pieces, at_once):
    content = b"".join(pieces)
    faultless = itertools.takewhile(lambda line: b"\0" not in line and b"\xff" not in line, io.BytesIO(content))
    expected = io.TextIOWrapper(io.BytesIO(b"".join(faultless)), encoding="utf-8").readlines()
    given_lines = []
    with (
        mock.patch.object(texts_module, "READ_BYTES", at_once),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(content))),
        contextlib.suppress(FormatError),
        opened_texts([], None, True) as texts,
    ):
        given_lines.extend("".join(text) for text in texts)
    assert given_lines == expected


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), max_size=6), AT_ONCE)
def test_opened_texts_refuses_a_line_that_is_too_long_and_no_other(lengths, at_once):
    # Of eight bytes, with what ends it.
    content = b"".join(b"a" * length + b"\n" for length in lengths)
    with mock.patch.object(texts_module, "LARGEST_TEXT", 8):
        if max(lengths, default=0) < 8:
            assert [len(line) - 1 for line in read(content, at_once=at_once)] == lengths
        else:
            with pytest.raises(FormatError, match="has a line of more than 8 bytes"):
                read(content, at_once=at_once)


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
