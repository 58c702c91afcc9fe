"""Texts as the command line gives them: arguments, a file or standard input, in UTF-8 whatever the locale is.

A text comes in pieces, its lines, so that a stream need not wait for its end.
"""

import io
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from lengthwise.errors import FormatError

# Bytes of a line, and of a text that is read as a whole: some three million tokens, for which spaCy needs 0.8 GiB.
LARGEST_TEXT = 16 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
STANDARD_INPUT = "standard input"
# Bytes that are read at once, if they are there.
READ_BYTES = 1 << 18


@contextmanager
def opened_texts(arguments: Sequence[str], file: Path | None, by_lines: bool) -> Iterator[Iterable[Iterable[str]]]:
    """The texts of a command, each as its pieces.

    Args:
        arguments: a text each; if there are none, the file is read.
        file: what to read; standard input if there is none.
        by_lines: whether each line is a text of its own, or the whole is one.

    Raises:
        FormatError: the file cannot be read; while the texts are read: they are not UTF-8, or are no text.
    """
    if arguments:
        yield ([_argument(text, number)] for number, text in enumerate(arguments, 1))
        return
    name = str(file or STANDARD_INPUT)
    try:
        with file.open("rb") if file else _standard_input() as stream:
            lines = _lines(stream, name)
            yield ([line] for line in lines) if by_lines else [lines]
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)) != file:
            raise
        raise _unreadable(name, error) from error


def whole_text(pieces: Iterable[str]) -> str:
    """All of a text at once.

    Raises:
        FormatError: it has more than `LARGEST_TEXT` characters.
    """
    kept, size = [], 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > LARGEST_TEXT:
            raise FormatError(
                f"the text: has more than {LARGEST_TEXT} characters; expected at most so many; give it in parts, or by "
                "--lines or --stream"
            )
    return "".join(kept)


def _argument(text: str, number: int) -> str:
    """An argument as UTF-8: under a locale that is not, Python hands its bytes on as surrogates."""
    try:
        if not any("\ud800" <= character <= "\udfff" for character in text):
            return text
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        raise FormatError(f"text {number}: got {text!r:.80}, which is not UTF-8; expected UTF-8; convert it") from None


@contextmanager
def _standard_input() -> Generator[io.BufferedIOBase]:
    if sys.stdin is None:
        raise FormatError(f"{STANDARD_INPUT}: is closed; expected a text; give it as an argument or by --file")
    if sys.stdin.isatty():
        print("reading from the terminal; Ctrl-D ends it", file=sys.stderr)
    # Not closed: it is not ours. Its type is one of any binary file.
    yield cast("io.BufferedIOBase", sys.stdin.buffer)


def _lines(stream: io.BufferedIOBase, name: str) -> Iterator[str]:
    """The lines of a stream, each as it comes, ended by a line feed whatever ended them."""
    place = 0
    for raw in _whole_lines(stream, name):
        text = raw.removeprefix(BYTE_ORDER_MARK) if place == 0 else raw
        # Where the bytes begin, for the messages.
        begin = place + len(raw) - len(text)
        for part in _texts(text, begin, name):
            yield from _universal(part)
        place += len(raw)


def _whole_lines(stream: io.BufferedIOBase, name: str) -> Iterator[bytes]:
    """The bytes of a stream as they come, cut where a line ends; only the last ones may not end a line."""
    rest = bytearray()
    while raw := _read_on(stream, name):
        end = raw.rfind(b"\n") + 1
        if not end:
            rest += raw
            _check_line(len(rest), name)
            continue
        lines = bytes(rest) + raw[:end]
        # No other line is longer than what is read at once.
        _check_line(lines.index(b"\n") + 1, name)
        yield lines
        rest = bytearray(raw[end:])
    if rest:
        yield bytes(rest)


def _read_on(stream: io.BufferedIOBase, name: str) -> bytes:
    """What is there of the next bytes, one at least; none where the stream ends."""
    try:
        return stream.read1(min(READ_BYTES, LARGEST_TEXT))
    except OSError as error:
        raise _unreadable(name, error) from error


def _check_line(size: int, name: str) -> None:
    if size > LARGEST_TEXT:
        raise FormatError(f"{name}: has a line of more than {LARGEST_TEXT} bytes; expected shorter; break it up")


def _texts(raw: bytes, begin: int, name: str) -> Iterator[str]:
    """The text of some lines at once; or, where there is a fault, that of each line before it."""
    try:
        text = _decoded(raw, begin, name)
    except FormatError:
        for line in io.BytesIO(raw):
            yield _decoded(line, begin, name)
            begin += len(line)
    else:
        yield text


def _decoded(text: bytes, begin: int, name: str) -> str:
    if (null := text.find(b"\0")) >= 0:
        raise FormatError(f"{name}: byte {begin + null} is NUL, so it is no UTF-8 text; give a text file")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{name}: is not UTF-8 (0x{text[error.start]:02x} at byte {begin + error.start}); expected UTF-8; "
            "convert it (iconv -f LATIN1 -t UTF-8)"
        ) from error


def _universal(text: str) -> list[str]:
    *ended, last = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = [f"{line}\n" for line in ended]
    return [*lines, last] if last else lines


def _unreadable(name: str, error: OSError) -> FormatError:
    return FormatError(f"{name}: cannot be read ({error.strerror}); give a text file")
