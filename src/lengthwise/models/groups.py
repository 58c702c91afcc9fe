"""Groups as sequences of their sequences: an author's sentences, in the corpus's order."""

import numpy as np

from lengthwise.core.nested import NestedSequences, nest
from lengthwise.core.sequences import LABEL, LABELS, Sequences
from lengthwise.errors import ArgumentError

GROUP, ORDER = "group", "sequence"


def groups_of(sequences: Sequences) -> NestedSequences:
    """The groups of some sequences, each with what is right of it.

    Args:
        sequences: with the columns `group` and `sequence`, their place in the corpus.

    Raises:
        ArgumentError: the sequences of a group have different labels, or there are no groups; the argument is `outer`.
    """
    targets = [name for name in (LABEL, LABELS) if name in sequences.per_sequence]
    try:
        return nest(sequences, by=GROUP, shared=targets, order=ORDER)
    except ArgumentError as error:
        problem = f"reads groups, and {error.problem}; expected one label for all sequences of a group"
        raise ArgumentError("outer", problem, "set it to none, which predicts of each sequence") from error


def of_each_sequence(nested: NestedSequences, sequences: Sequences, values: np.ndarray) -> np.ndarray:
    """What holds of groups, (A, ...), for each of their sequences, in the order of these: (S, ...)."""
    groups = nested.outer[GROUP]
    order = np.argsort(groups)
    place: np.ndarray = values[order[np.searchsorted(groups, sequences[GROUP], sorter=order)]]
    return place
