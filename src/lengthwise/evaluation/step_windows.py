"""What a step and its neighbours are, as numbers of features for a linear model.

Every whole number of every column, at each place of a window, is one of `2 ** bits` features: which one, a hash says,
so that no table of them is needed (Weinberger, Dasgupta, Langford, Smola and Attenberg, 2009).
"""

import math
from dataclasses import dataclass

import numpy as np

from lengthwise.core.sequences import Sequences

# Of splitmix64 (Steele, Lea and Flood, 2014).
GOLDEN, FIRST, SECOND = (np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
# What stands beyond the ends of a sequence.
BEYOND = -1


@dataclass(frozen=True)
class StepWindows:
    """The windows of all steps of sequences.

    >>> import lengthwise as lw
    >>> windows = StepWindows(lw.from_arrays(tokens=[[4, 5, 4, 5]]), ("tokens",), 1, 20)
    >>> first, second, third, last = windows.features(np.arange(4))
    >>> [bool((one == second).all()) for one in (first, third, windows.features(np.array([1]))[0])]
    [False, False, True]

    Attributes:
        sequences: of N steps.
        columns: per step: whole numbers, (N,) or (N, K), each a category; or floats, (N,) or (N, D).
        window: steps before and after the one in the middle.
        bits: the logarithm of the number of features.
    """

    sequences: Sequences
    columns: tuple[str, ...]
    window: int
    bits: int

    def features(self, steps: np.ndarray) -> np.ndarray:
        """The features of some steps' categories, one that all steps have first: int32 (B, F)."""
        places = [_feature(np.zeros(len(steps), np.int64), 0, self.bits)]
        columns = [self.sequences[name] for name in self.columns if self.sequences[name].dtype.kind in "iub"]
        for other, inside in self._neighbours(steps):
            for column in columns:
                for category in as_columns(column[other]).T:
                    known = np.where(inside, category.astype(np.int64), BEYOND)
                    places.append(_feature(known, len(places), self.bits))
        return np.stack(places, axis=1)

    def numbers(self, steps: np.ndarray) -> np.ndarray:
        """The floats of the windows of some steps, zero beyond a sequence's ends: float32 (B, D of all)."""
        columns = [self.sequences[name] for name in self.columns if self.sequences[name].dtype.kind == "f"]
        parts = [
            np.where(inside[:, np.newaxis], as_columns(column[other]), 0)
            for other, inside in self._neighbours(steps)
            for column in columns
        ]
        return np.concatenate([np.zeros((len(steps), 0)), *parts], axis=1).astype(np.float32)

    def _neighbours(self, steps: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each place of the window the steps there, and whether they are of the same sequence."""
        offsets = self.sequences.offsets
        row = np.searchsorted(offsets, steps, side="right") - 1
        found = []
        for place in range(-self.window, self.window + 1):
            inside = (steps + place >= offsets[row]) & (steps + place < offsets[row + 1])
            found.append((np.where(inside, steps + place, steps), inside))
        return found


def as_columns(values: np.ndarray) -> np.ndarray:
    """Values per step, (N, ...), as so many numbers each: (N, K)."""
    return values.reshape(len(values), math.prod(values.shape[1:]))


def _feature(category: np.ndarray, place: int, bits: int) -> np.ndarray:
    """The feature of a category at a place of the window: int32 (B,)."""
    # Whole numbers of 64 bits wrap around, as they are meant to.
    mixed = category.astype(np.uint64) * GOLDEN + np.full(1, place + 1, np.uint64) * FIRST
    mixed = (mixed ^ (mixed >> np.uint64(30))) * FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * SECOND
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(64 - bits)).astype(np.int32)
