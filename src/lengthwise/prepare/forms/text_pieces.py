"""Pieces of a very long text, so that no stage has to have all of it in memory."""

from collections.abc import Iterable, Iterator

# A text of more stands in several rows: a stage needs up to a hundred bytes for each of a row's tokens.
MOST_CHARACTERS = 1 << 26
# Before the end of a piece, where a line end is looked for, or else white space.
REACH = 1 << 20


def pieces_of(parts: Iterable[str]) -> Iterator[str]:
    """A text in pieces of at most `MOST_CHARACTERS`: one at least, and only that of an empty text is empty.

    A piece ends behind a line end, so that lines stay whole, and sentences nearly always; where there is none near,
    behind a blank; and where there is none, anywhere.

    Args:
        parts: of the text, of any sizes.
    """
    rest, is_first = "", True
    for part in parts:
        rest += part
        while len(rest) > MOST_CHARACTERS:
            end = _end_of_piece(rest)
            yield rest[:end]
            rest, is_first = rest[end:], False
    if rest or is_first:
        yield rest


def _end_of_piece(text: str) -> int:
    for sign in ("\n", " "):
        if (found := text.rfind(sign, max(0, MOST_CHARACTERS - REACH), MOST_CHARACTERS)) >= 0:
            return found + 1
    return MOST_CHARACTERS
