"""spaCy's tokens as the corpus has them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Token

NUMBER_TOKEN = "<#>"  # noqa: S105
LINK_TOKEN = "<url>"  # noqa: S105
# spaCy keeps every word it has met: who has met more begins anew, so that its memory has a bound.
MOST_WORDS = 250_000


def words_of(tokens: "Iterable[Token]", link_word: str | None) -> list[str]:
    """SpaCy's tokens as the corpus has them: lower case, number-like ones `<#>`, no white space.

    Args:
        tokens: of a text or a sentence.
        link_word: what stands for a link in the corpus, in any case, and becomes `<url>`; None for nothing.
    """
    words = (NUMBER_TOKEN if token.like_num else token.lower_ for token in tokens if not token.is_space)
    link = None if link_word is None else link_word.lower()
    return [LINK_TOKEN if word == link else word for word in words]
