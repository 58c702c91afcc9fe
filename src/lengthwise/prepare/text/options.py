"""How text becomes tokens: what the section `tokens` says, as it is kept beside tokens, shards and trained networks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lengthwise.pipeline.settings.params import TokensParams

SENTENCIZER = "sentencizer"


@dataclass(frozen=True)
class TokenizerOptions:
    """How text becomes tokens.

    Attributes:
        language: spaCy's code; a named pipeline brings its own language.
        sentences: `sentencizer`, or the name of an installed spaCy pipeline.
        straighten_quotes: whether curly quotes become straight ones.
        collapse_repeats: whether a character repeated more than three times is cut to three.
        replace_links: whether `urlLink` becomes `<url>`.
    """

    language: str
    sentences: str
    straighten_quotes: bool
    collapse_repeats: bool
    replace_links: bool

    @classmethod
    def from_params(cls, params: "TokensParams") -> "TokenizerOptions":
        """The options that the section `tokens` names."""
        return cls(**params.model_dump())
