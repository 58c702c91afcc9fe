"""Optional clean-ups of a chunk of text before it is tokenized, each a parameter, all off by default."""

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
    """

    straighten_quotes: bool
    collapse_repeats: bool

    def __call__(self, chunk: str) -> str:
        """Clean a chunk: text without white space, so that a clean-up cannot reach across words.

        >>> Normalization(True, True)("don’t.......")
        "don't..."
        """
        if self.straighten_quotes:
            chunk = chunk.translate(STRAIGHT)
        return REPEATS.sub(r"\1\1\1", chunk) if self.collapse_repeats else chunk

    def clean(self, text: str) -> str:
        """Clean a text chunk by chunk."""
        return text if self.changes_nothing else CHUNK.sub(lambda chunk: self(chunk[0]), text)

    @property
    def changes_nothing(self) -> bool:
        """Whether all clean-ups are off."""
        return not (self.straighten_quotes or self.collapse_repeats)
