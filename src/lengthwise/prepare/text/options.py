"""How text becomes tokens: what the section `tokens` says, as it is kept beside tokens, shards and trained networks."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import get_args

SENTENCIZER = "sentencizer"


@dataclass(frozen=True)
class TokenizerOptions:
    """How text becomes tokens.

    Attributes:
        language: spaCy's code; a named pipeline brings its own language.
        sentences: `sentencizer`, or the name of an installed spaCy pipeline.
        straighten_quotes: whether curly quotes become straight ones.
        collapse_repeats: whether a character repeated more than three times is cut to three.
        link_word: what stands for a link in the corpus, in any case, and becomes `<url>`; None for nothing.
    """

    language: str
    sentences: str
    straighten_quotes: bool
    collapse_repeats: bool
    link_word: str | None

    @classmethod
    def from_json(cls, options: Mapping[str, object]) -> "TokenizerOptions":
        """The options that a JSON object names.

        Raises:
            ValueError: it has other keys, or a value of another type.
        """
        kinds = {field.name: field.type for field in fields(cls)}
        if options.keys() != kinds.keys():
            raise ValueError(f"got the keys {sorted(options)}; expected {sorted(kinds)}")
        for name, value in options.items():
            if type(value) not in (get_args(kinds[name]) or [kinds[name]]):
                raise ValueError(f"{name}: got {value!r}; expected {getattr(kinds[name], '__name__', kinds[name])}")
        return cls(**options)  # type: ignore[arg-type]
