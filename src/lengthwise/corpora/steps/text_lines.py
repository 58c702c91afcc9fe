"""The lines of a file of text: UTF-8, or UTF-16 with a byte order mark."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from lengthwise.corpora.opened import SourceFile
from lengthwise.errors import CorpusError

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BLOCK_BYTES = 1 << 18


def lines_of(file: SourceFile, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Lines without their ends, each with its number from 1.

    Args:
        file: which is read, for messages.
        stream: its bytes.

    Raises:
        CorpusError: a line is not in the encoding; the message has its number.
    """
    number, rest = 0, b""
    while block := stream.read(BLOCK_BYTES):
        if not number and is_utf_16(block):
            block = _from_utf_16(file, block + stream.read())
        # A character, and an end of a line, may go on in the next block.
        whole, end, after = block.rpartition(b"\n")
        if not end:
            rest += block
            continue
        for number, line in enumerate(_lines(file, rest + whole, number), number + 1):  # noqa: B020
            yield number, line
        rest = after
    if rest:
        yield from enumerate(_lines(file, rest, number), number + 1)


def is_utf_16(head: bytes) -> bool:
    """Whether a file that begins like this is in UTF-16."""
    return head.startswith(UTF_16)


def _lines(file: SourceFile, data: bytes, before: int) -> list[str]:
    """The lines of a part of a file, before which there are so many."""
    try:
        text = data.decode("utf-8" if before else "utf-8-sig")
    except UnicodeDecodeError as error:
        number = before + data.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{file.place} line {number}: is not UTF-8; expected UTF-8, or UTF-16 with a mark; convert the file"
        ) from error
    # Not `splitlines`: a token may be a separator of lines.
    return text.removesuffix("\r").replace("\r\n", "\n").split("\n")


def _from_utf_16(file: SourceFile, data: bytes) -> bytes:
    try:
        return data.decode("utf-16").encode()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{file.place}: is not UTF-16 ({error.reason}); expected it; convert the file") from error
