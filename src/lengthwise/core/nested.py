"""Sequences of sequences: the posts of an author, the sentences of a document, the visits of a patient.

A two-level sequence is two tables of sequences. The steps of the outer one are the sequences of the inner one:

    outer   a a b      inner   a0 a0 | a1 a1 a1 | b0
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError

# What a model of two levels reads: of the outer level, where inner sequences stand and what is said of them, and the
# rows of the inner one. Keras weighs the batches of a loss that it prints by the first of the two.
OUTER, ROWS = "outer", "rows"
PLACE, STEPS = "place", "steps"


@dataclass(frozen=True, repr=False)
class NestedSequences:
    """A outer sequences, whose steps are the S inner sequences, those of one after those of another.

    >>> import lengthwise as lw
    >>> sentences = lw.from_arrays([[4, 2], [5], [3, 3]], per_sequence={"author": ["a", "b", "a"]})
    >>> nested = lw.nest(sentences, by="author")
    >>> nested
    NestedSequences(2 outer sequences of 3 inner sequences of 5 steps)
    >>> nested.outer.lengths.tolist(), nested.inner["tokens"].tolist()
    ([2, 1], [4, 2, 3, 3, 5])

    Attributes:
        inner: S sequences of N steps.
        outer: A sequences of S steps: columns per step are those of inner sequences, (S, ...), and columns per sequence
            those of outer ones, (A, ...).

    Raises:
        ArgumentError: the steps of the outer sequences are not as many as the inner sequences; it is a `ValueError`.
    """

    inner: Sequences
    outer: Sequences

    def __post_init__(self) -> None:
        if (steps := int(self.outer.offsets[-1])) != len(self.inner):
            raise ArgumentError(
                "outer", f"got {steps} steps in all; expected {len(self.inner)}, one for each inner sequence"
            )

    def __len__(self) -> int:
        return len(self.outer)

    def __repr__(self) -> str:
        inner = f"{len(self.inner)} inner sequences of {self.inner.offsets[-1]} steps"
        return f"NestedSequences({len(self)} outer sequences of {inner})"


def nest(sequences: Sequences, by: str, *, shared: Sequence[str] = (), order: str | None = None) -> NestedSequences:
    """Put together what belongs together: an outer sequence for each value of a column.

    >>> import lengthwise as lw
    >>> columns = {"author": ["b", "a", "b"], "size": [3, 2, 3]}
    >>> nested = lw.nest(lw.from_arrays([[4, 2], [5], [3]], per_sequence=columns), by="author", shared=["size"])
    >>> nested.outer["size"].tolist(), nested.outer["author"].tolist(), nested.inner.lengths.tolist()
    ([3, 2], [1, 0], [2, 1, 1])

    Args:
        sequences: those of the inner level, in any order.
        by: a column (S,) of one value a sequence. Outer sequences come in the order in which their first ones do.
        shared: columns per sequence whose values all sequences of an outer one have in common, such as its label: they
            are columns of the outer sequences, (A, ...). All others are columns of their steps, (S, ...).
        order: a column of numbers by which an outer sequence's steps are put in order; else they keep theirs.

    Raises:
        ArgumentError: there is no such column, or a shared one differs within an outer sequence; it is a `ValueError`.
    """
    for argument, name in (("by", by), *(("shared", name) for name in shared), *([("order", order)] if order else [])):
        if name not in sequences.per_sequence or (argument != "shared" and sequences[name].ndim != 1):
            known = ", ".join(sequences.per_sequence) or "none"
            raise ArgumentError(argument, f"got {name!r}; expected a column with one value a sequence: {known}")
    _, first, found = np.unique(sequences[by], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    group = rank[found]
    within = np.arange(len(sequences)) if order is None else sequences[order]
    rows = np.lexsort((within, group))
    inner, offsets = sequences.take(rows), offsets_of(np.bincount(group, minlength=len(first)))
    above = {name: inner[name][offsets[:-1]] for name in dict.fromkeys((by, *shared))}
    for name, values in above.items():
        differ = inner[name] != values[group[rows]]
        if differ.any():
            at = int(np.flatnonzero(differ.reshape(len(inner), -1).any(axis=1))[0])
            whose = f"{by} {sequences[by][rows[at]]}"
            raise ArgumentError("shared", f"got {name!r}, which differs within {whose}", "leave it out of shared")
    below = {name: values for name, values in inner.per_sequence.items() if name not in above}
    classes = {name: known for name, known in inner.classes.items() if name in above or name in below}
    return NestedSequences(inner, Sequences(offsets, below, above, classes))
