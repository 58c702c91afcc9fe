"""How text becomes tokens: what the section `tokens` says, as it is kept beside tokens, shards and trained networks."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated

from lengthwise.bounds import Count, Letters, check_fields
from lengthwise.core.names import TokenUnit

SENTENCIZER = "sentencizer"


@dataclass(frozen=True)
class TokenizerOptions:
    """How text becomes tokens.

    Attributes:
        by: what a text is cut into. Characters and bytes keep white space and case, and know no language.
        language: spaCy's code; a named pipeline brings its own language.
        sentences: `sentencizer`, or the name of an installed spaCy pipeline.
        straighten_quotes: whether curly quotes become straight ones.
        collapse_repeats: whether a character repeated more than three times is cut to three.
        link_word: what stands for a link in the corpus, in any case, and becomes `<url>`; None for nothing.
        longest_chunk: characters; what stands longer without white space is cut into chunks of so many; None for no
            limit.

    Raises:
        ArgumentError: an option is of another type, or an empty text; it is a `ValueError`.
    """

    by: TokenUnit
    language: Annotated[str, Letters(2)]
    sentences: Annotated[str, Letters(1)]
    straighten_quotes: bool
    collapse_repeats: bool
    link_word: Annotated[str, Letters(1)] | None
    longest_chunk: Count | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def from_json(cls, options: Mapping[str, object]) -> "TokenizerOptions":
        """The options that a JSON object names; `longest_chunk` may lack, as it does in older files: no limit.

        Raises:
            ValueError: it has other keys, or a value of another type.
        """
        known = {field.name for field in fields(cls)}
        if options.keys() | {"longest_chunk"} != known:
            raise ValueError(f"got the keys {sorted(options)}; expected {sorted(known)}")
        return cls(**options)  # type: ignore[arg-type]
