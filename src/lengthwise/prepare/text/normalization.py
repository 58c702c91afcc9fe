"""Optional clean-ups of a chunk of text before it is tokenized, and how long a chunk may be: each a parameter."""

import re
from dataclasses import dataclass

STRAIGHT = str.maketrans({"‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‟": '"'})
CHUNK = re.compile(r"\S+")
REPEATS = re.compile(r"(.)\1{3,}")


@dataclass(frozen=True)
class Normalization:
    """Which clean-ups are applied.

    Attributes:
        straighten_quotes: curly quotes become straight ones.
        collapse_repeats: a character repeated more than three times is cut to three.
        longest: characters; a chunk that still has more is cut into chunks of so many; None for no limit.
    """

    straighten_quotes: bool
    collapse_repeats: bool
    longest: int | None = None

    def __call__(self, chunk: str) -> str:
        """Clean a chunk: text without white space, so that a clean-up cannot reach across words.

        >>> Normalization(True, True)("don’t.......")
        "don't..."
        """
        if self.straighten_quotes:
            chunk = chunk.translate(STRAIGHT)
        return REPEATS.sub(r"\1\1\1", chunk) if self.collapse_repeats else chunk

    def pieces(self, chunk: str) -> list[str]:
        """The chunks that a chunk is clean: one, or several if it is too long.

        >>> Normalization(False, True, 4).pieces("no!!!!!!!")
        ['no!!', '!']
        """
        chunk = self(chunk)
        size = self.longest or max(1, len(chunk))
        if 0 < len(chunk) <= size:
            return [chunk]
        return [chunk[begin : begin + size] for begin in range(0, len(chunk), size)]

    def clean(self, text: str) -> str:
        """Clean a text chunk by chunk."""
        if self.changes_nothing and (self.longest is None or len(text) <= self.longest):
            return text
        return CHUNK.sub(lambda chunk: " ".join(self.pieces(chunk[0])), text)

    @property
    def changes_nothing(self) -> bool:
        """Whether all clean-ups are off; a long chunk may be cut all the same."""
        return not (self.straighten_quotes or self.collapse_repeats)
