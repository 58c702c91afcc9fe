"""Many texts as the tokens that they have, each distinct one of which is there once."""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from lengthwise.core.ragged import offsets_of


class TokenizedTexts(NamedTuple):
    """S texts of N tokens in all.

    Attributes:
        lexicon: tokens. What tokenizes more texts may append to it, but changes nothing of what is there.
        numbers: int (N,), places in the lexicon, one text after another.
        offsets: int64 (S + 1,), where each text begins in `numbers`.
    """

    lexicon: list[str]
    numbers: np.ndarray
    offsets: np.ndarray

    def lists(self) -> list[list[str]]:
        """The tokens of each text.

        >>> TokenizedTexts(["it", "left"], np.array([0, 1, 1]), np.array([0, 2, 3])).lists()
        [['it', 'left'], ['left']]
        """
        tokens = [self.lexicon[number] for number in self.numbers.tolist()]
        places = self.offsets.tolist()
        return [tokens[begin:end] for begin, end in pairwise(places)]


def as_tokenized(texts: Sequence[Sequence[str]]) -> TokenizedTexts:
    """Lists of tokens in this form; a token that comes again is in the lexicon again.

    >>> as_tokenized([["it", "left"], []]).lists()
    [['it', 'left'], []]
    """
    lexicon = list(chain.from_iterable(texts))
    offsets = offsets_of(np.array([len(tokens) for tokens in texts], np.int64))
    return TokenizedTexts(lexicon, np.arange(len(lexicon)), offsets)
