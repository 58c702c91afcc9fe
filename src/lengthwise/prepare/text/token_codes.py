"""Tokens to the numbers that a network reads of them."""

from collections.abc import Sequence

import numpy as np

from lengthwise.core.affixes import affixes_of
from lengthwise.core.sequences import AFFIXES, TOKENS
from lengthwise.prepare.vocabulary import Vocabulary


def token_columns(tokens: Sequence[str], vocabulary: Vocabulary, letters: int | None) -> dict[str, np.ndarray]:
    """What a network reads of N tokens, by name.

    >>> vocabulary = Vocabulary(("<PAD>", "<UNK>", "it"), (0, 0, 2))
    >>> token_columns(["it", "left"], vocabulary, None)["tokens"].tolist()
    [2, 1]

    Args:
        tokens: as the stage tokens makes them.
        vocabulary: that of the network.
        letters: of the affixes that it reads, see `affixes_of`; None where it reads none.

    Returns:
        Their ids, int32 (N,), and their affixes, int32 (N, 4).
    """
    columns = {TOKENS: vocabulary.encode(tokens)}
    return columns if letters is None else {**columns, AFFIXES: affixes_of(tokens, letters)}


class TokenCodes:
    """The same of a lexicon that grows: each token of it is looked up once.

    Args:
        vocabulary: see `token_columns`.
        letters: see `token_columns`.
    """

    def __init__(self, vocabulary: Vocabulary, letters: int | None) -> None:
        self._vocabulary, self._letters = vocabulary, letters
        self._lexicon: list[str] = []
        self._columns = token_columns([], vocabulary, letters)

    def of(self, lexicon: list[str]) -> dict[str, np.ndarray]:
        """The columns of all its tokens.

        Args:
            lexicon: the list of the last call, which may be longer by now, or another one.
        """
        if lexicon is not self._lexicon:
            self._lexicon, self._columns = lexicon, token_columns([], self._vocabulary, self._letters)
        if new := lexicon[len(self._columns[TOKENS]) :]:
            columns = token_columns(new, self._vocabulary, self._letters)
            self._columns = {name: np.concatenate([self._columns[name], found]) for name, found in columns.items()}
        return self._columns
