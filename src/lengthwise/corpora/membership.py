"""The authors of a corpus: a part of them, the same wherever it is drawn, and each of them once."""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from lengthwise.errors import CorpusError


def authors_of_part(ids: Iterable[str], most: int | None) -> set[str]:
    """The authors of a part of a corpus: those whose ids have the smallest digests.

    So a part is the same wherever it is drawn, and lies within every larger part. The digest has nothing to do with
    that of `lengthwise.prepare.splits`: a part of the authors is split like all of them.

    >>> sorted(authors_of_part(["ada", "ben", "cyd", "ben"], 2))
    ['ada', 'cyd']

    Args:
        ids: of all authors; one that comes again counts once.
        most: how many there may be; None for all.
    """

    def place(name: str) -> tuple[bytes, str]:
        return blake2b(name.encode(), digest_size=8, person=b"part").digest(), name

    return set(sorted(set(ids), key=place)[:most])


def refuse_second_appearance(author: str, seen: set[str], source: Path) -> None:
    """Add an author to those seen.

    Raises:
        CorpusError: the author is among them.
    """
    if author in seen:
        raise CorpusError(
            f"{source}: author {author} comes twice, with others between or with other labels or facts; expected "
            "one file per author, or rows sorted by id; merge or sort them"
        )
    seen.add(author)
