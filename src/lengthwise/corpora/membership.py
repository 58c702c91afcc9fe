"""The groups of a corpus: a part of them, the same wherever it is drawn, and each of them once."""

from collections.abc import Iterable
from hashlib import blake2b


def groups_of_part(ids: Iterable[str], most: int | None) -> set[str]:
    """The groups of a part of a corpus: those whose ids have the smallest digests.

    So a part is the same wherever it is drawn, and lies within every larger part. The digest has nothing to do with
    that of `lengthwise.prepare.splits`: a part of the groups is split like all of them.

    >>> sorted(groups_of_part(["ada", "ben", "cyd", "ben"], 2))
    ['ada', 'cyd']

    Args:
        ids: of all groups; one that comes again counts once.
        most: how many there may be; None for all.
    """

    def place(name: str) -> tuple[bytes, str]:
        return blake2b(name.encode(), digest_size=8, person=b"part").digest(), name

    return set(sorted(set(ids), key=place)[:most])
