"""Which epoch a pass over the data is."""

import numpy as np

from lengthwise.batching.fit_epoch import FitEpoch
from lengthwise.errors import ArgumentError


def is_count(value: object) -> bool:
    """Whether it is a whole number from 0."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 0


class Epochs:
    """The number of the epoch, counted by passes that come to their end, or told by a `FitEpoch`.

    A pass that is given up before its last batch (Keras looks at the first one to build a model) does not count.

    Raises:
        ArgumentError: the first epoch is neither a whole number from 0 nor a `FitEpoch`.
    """

    def __init__(self, first: int | FitEpoch) -> None:
        if not isinstance(first, FitEpoch) and not is_count(first):
            raise ArgumentError("epoch", f"got {first!r}; expected a whole number from 0, or a FitEpoch")
        self._told = first if isinstance(first, FitEpoch) else None
        self._counted = 0 if isinstance(first, FitEpoch) else first

    @property
    def number(self) -> int:
        """From 0."""
        told = self._told.number if self._told else None
        return self._counted if told is None else told

    def end(self) -> None:
        """A pass has come to its end."""
        self._counted += 1
