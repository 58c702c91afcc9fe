"""What the letters of a token say of it, of an unknown one too: numbers that a network may read beside its id.

A token's prefix, its suffix, a suffix that is shorter by a letter, and its shape are each hashed to one of `BUCKETS`
numbers (as fastText hashes n-grams: Bojanowski, Grave, Joulin and Mikolov, 2017), so that no table of them is needed.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

# Numbers of all affixes together, and affixes of a token.
BUCKETS, PER_TOKEN = 1 << 14, 4
LONGEST_SHAPE = 8


def affixes_of(tokens: Sequence[str], letters: int) -> np.ndarray:
    """The affixes of tokens.

    >>> from lengthwise.core.affixes import affixes_of
    >>> walked, talked = affixes_of(["walked", "talked"], letters=3)
    >>> (walked == talked).tolist()
    [False, True, True, True]

    Args:
        tokens: V texts.
        letters: of the prefix and of the longer suffix, at least 1.

    Returns:
        int32 (V, 4): of the prefix, the suffix, the shorter suffix, and the shape.
    """
    return np.array([_of_token(token, letters) for token in tokens], np.int32).reshape(len(tokens), PER_TOKEN)


def _of_token(token: str, letters: int) -> list[int]:
    lower = token.lower()
    parts = (lower[:letters], lower[-letters:], lower[-letters + 1 :] if letters > 1 else "", shape_of(token))
    return [_bucket(f"{kind} {part}") for kind, part in zip("psqf", parts, strict=True)]


def shape_of(token: str) -> str:
    """Which kinds of characters a token has, each run of a kind once or twice.

    >>> shape_of("U.S."), shape_of("Berlin"), shape_of("2026-11"), shape_of("McDonald")
    ('X.X.', 'Xxx', 'dd-dd', 'XxXxx')
    """
    shape = ""
    for character in token:
        kind = "d" if character.isdigit() else character
        if character.isalpha():
            kind = "X" if character.isupper() else "x"
        if shape[-2:] != kind * 2:
            shape += kind
    return shape[:LONGEST_SHAPE]


def _bucket(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4, person=b"affix").digest()
    return int.from_bytes(digest, "little") % BUCKETS
