"""Sequences of different lengths in memory: columns with a value per step, and columns with a value per sequence.

Where they come from is in `lengthwise.sources`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from lengthwise.core.ragged import offsets_of, ranges
from lengthwise.errors import ArgumentError

# Token ids with a meaning of their own: what fills a row up, and a token that the vocabulary does not have.
PAD_ID, UNK_ID = 0, 1
# The columns that token ids and labels have, if nobody names others.
TOKENS, LABEL = "tokens", "label"
# Of sequences that a pipeline made: numbers of a token's letters, see `affixes`; numbers to predict of a
# sequence; and its labels, where it has several, 1 for yes and 0 for no.
AFFIXES, NUMBERS, LABELS = "affixes", "numbers", "labels"
# Shares that add up to 1 but for rounding.
SHARES_CLOSE = 1e-6


@dataclass(frozen=True, repr=False)
class Sequences:
    """S sequences of N steps in all: columns with a value per step, and columns with a value per sequence.

    >>> import numpy as np
    >>> from lengthwise import Sequences
    >>> sequences = Sequences(np.array([0, 2, 3]), {"tokens": np.array([7, 8, 9])}, {"label": np.array([1, 0])})
    >>> len(sequences), sequences.lengths.tolist(), sequences["tokens"].tolist()
    (2, [2, 1], [7, 8, 9])
    >>> sequences
    Sequences(2 sequences, 3 steps; per step: tokens int64; per sequence: label int64)
    >>> sequences.take([1])["tokens"].tolist(), sequences[:1]["tokens"].tolist()
    ([9], [7, 8])

    Attributes:
        offsets: int64 (S + 1,), the step at which each sequence begins, and N at the end.
        per_step: by name, arrays (N, ...): the steps of one sequence after those of another.
        per_sequence: by name, arrays (S, ...).
        classes: by the name of a column of whole numbers, what the numbers 0, 1, ... in it stand for.

    Raises:
        ValueError: the offsets do not rise from 0, a column has another number of entries, a name stands for two
            columns, or classes are of no column.
    """

    offsets: np.ndarray
    per_step: Mapping[str, np.ndarray]
    per_sequence: Mapping[str, np.ndarray] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        offsets = self.offsets
        if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or not len(offsets) or offsets[0] != 0:
            raise ValueError(f"offsets: got {offsets!r:.80}; expected whole numbers, one after another, the first 0")
        if len(falls := np.flatnonzero(offsets[1:] < offsets[:-1])):
            raise ValueError(f"offsets: fall after sequence {falls[0]}; expected each at least the one before")
        columns = [*((name, values, int(self.offsets[-1]), "step") for name, values in self.per_step.items())]
        columns += [(name, values, len(self), "sequence") for name, values in self.per_sequence.items()]
        for name, values, expected, what in columns:
            if not values.ndim or len(values) != expected:
                got = f"{len(values)} values" if values.ndim else "one number"
                raise ValueError(f"{name}: got {got}; expected {expected}, one for each {what}")
        if twice := self.per_step.keys() & self.per_sequence.keys():
            raise ValueError(f"{min(twice)}: names a column per step and one per sequence; rename one of them")
        if unknown := self.classes.keys() - self.per_step.keys() - self.per_sequence.keys():
            raise ValueError(f"classes: {min(unknown)!r} is no column; expected one of {', '.join(self.names)}")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        parts = [f"{len(self)} sequences, {self.offsets[-1]} steps"]
        for what, columns in (("step", self.per_step), ("sequence", self.per_sequence)):
            if columns:
                described = (_described(name, values, self.classes.get(name)) for name, values in columns.items())
                parts.append(f"per {what}: {', '.join(described)}")
        return f"Sequences({'; '.join(parts)})"

    @overload
    def __getitem__(self, key: str) -> np.ndarray: ...

    @overload
    def __getitem__(self, key: slice) -> "Sequences": ...

    def __getitem__(self, key: str | slice) -> "np.ndarray | Sequences":
        """A column by its name, per step (N, ...) or per sequence (S, ...); or some of the sequences by a slice.

        Raises:
            KeyError: there is no such column.
            TypeError: the key is neither a name nor a slice.
        """
        if isinstance(key, slice):
            return self.take(np.arange(len(self))[key])
        if not isinstance(key, str):
            raise TypeError(f"key: got {key!r:.80}; expected a column's name or a slice; take([...]) takes numbers")
        for columns in (self.per_step, self.per_sequence):
            if key in columns:
                return columns[key]
        raise KeyError(f"{key}: is no column; expected one of {', '.join(self.names)}")

    @property
    def names(self) -> list[str]:
        """Names of all columns, in order."""
        return sorted({*self.per_step, *self.per_sequence})

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each sequence: int64 (S,)."""
        return np.diff(self.offsets)

    def take(self, rows: ArrayLike) -> "Sequences":
        """The sequences of these numbers, in this order, with all their columns.

        Args:
            rows: int (R,), numbers from 0; one that comes again is taken again.

        Raises:
            ValueError: the rows are no whole numbers, or there is no such sequence.
        """
        asked = np.asarray(rows)
        if asked.ndim != 1 or (asked.size and asked.dtype.kind not in "iu"):
            raise ValueError(
                f"rows: got {asked.dtype} of shape {asked.shape}; expected whole numbers, one after another"
            )
        chosen = asked.astype(np.int64)
        if len(wrong := chosen[(chosen < 0) | (chosen >= len(self))]):
            raise ValueError(f"rows: got {wrong[0]}; expected numbers from 0, below {len(self)}")
        steps = ranges(self.offsets[chosen], self.lengths[chosen])
        return Sequences(
            offsets_of(self.lengths[chosen]),
            {name: values[steps] for name, values in self.per_step.items()},
            {name: values[chosen] for name, values in self.per_sequence.items()},
            self.classes,
        )

    def split(self, shares: Sequence[float], *, by: str | None = None, seed: int = 0) -> "tuple[Sequences, ...]":
        """Deal the sequences to parts at random; each keeps the order that it has here.

        >>> import lengthwise as lw
        >>> columns = {"author": ["a", "b", "a", "c", "d"]}
        >>> sequences = lw.from_arrays([[4, 2], [5], [3, 3], [9], [7]], per_sequence=columns)
        >>> train, test = sequences.split([0.6, 0.4], by="author")
        >>> len(train), len(test), set(train["author"].tolist()) & set(test["author"].tolist())
        (3, 2, set())

        Args:
            shares: of all sequences, for each part; their sum is 1. Groups are dealt whole, so that parts come near
                their shares, no nearer than the groups allow.
            by: a column per sequence of one value each: those of the same value come into the same part. Without it
                each sequence is a group by itself.
            seed: of the order in which groups are dealt: the same for the same groups, in whatever order they are.

        Raises:
            ArgumentError: shares are below 0 or do not add up to 1, or there is no such column; it is a `ValueError`.
        """
        parts = np.asarray(shares, np.float64)
        if parts.ndim != 1 or not len(parts) or not (parts >= 0).all() or abs(parts.sum() - 1) > SHARES_CLOSE:
            raise ArgumentError("shares", f"got {shares!r:.80}; expected numbers from 0 that add up to 1")
        groups = np.arange(len(self))
        if by is not None:
            if by not in self.per_sequence or self.per_sequence[by].ndim != 1:
                known = ", ".join(name for name, values in self.per_sequence.items() if values.ndim == 1) or "none"
                raise ArgumentError("by", f"got {by!r}; expected a column with one value a sequence: {known}")
            groups = np.unique(self.per_sequence[by], return_inverse=True)[1]
        sizes = np.bincount(groups)
        order = np.random.default_rng(seed).permutation(len(sizes))
        # A group goes where its middle falls.
        middle = np.empty(len(sizes))
        middle[order] = (np.cumsum(sizes[order]) - sizes[order] / 2) / max(1, len(self))
        part = np.searchsorted(np.cumsum(parts)[:-1], middle, side="right")[groups]
        return tuple(self.take(np.flatnonzero(part == number)) for number in range(len(parts)))


def _described(name: str, values: np.ndarray, classes: tuple[str, ...] | None) -> str:
    """A column's name and type, the shape of an entry, unless that is one number, and how many classes it has."""
    shape = f" {values.shape[1:]}" if values.ndim > 1 else ""
    named = f" of {len(classes)} classes" if classes is not None else ""
    return f"{name} {values.dtype}{shape}{named}"
