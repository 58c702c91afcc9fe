"""Inputs by their names, and the arrays of a batch as Keras takes them: one, or a dict of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from lengthwise.batching.checking import check_rows
from lengthwise.batching.contradictions import CONTRADICTIONS
from lengthwise.batching.fields import Field
from lengthwise.batching.grid import Grid
from lengthwise.batching.placed import Placed
from lengthwise.batching.plan import Strategy
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError

# What stands in a batch: a column by its name, or one placed at steps.
Wanted = str | Placed
WantedInputs = Sequence[Wanted] | Mapping[str, Wanted]
# One array of every batch, or several by name.
Part = Field | dict[str, Field]


def check_sequences(sequences: Sequences) -> None:
    """Reject what are no sequences.

    Raises:
        ArgumentError: they are something else.
    """
    if not isinstance(sequences, Sequences):
        got = f"got {type(sequences).__name__}"
        raise ArgumentError("sequences", f"{got}; expected Sequences", "make them by from_arrays or from_table")


def checked_inputs(strategy: Strategy, inputs: WantedInputs, padding: str) -> tuple[dict[str, Wanted], bool]:
    """Inputs by their names, and whether there is one, which is given without its name.

    Raises:
        ArgumentError: they are no such thing, or the strategy needs others.
    """
    listed = list(inputs.values()) if isinstance(inputs, Mapping) else inputs
    if isinstance(listed, str) or not isinstance(listed, Sequence) or not listed:
        raise ArgumentError("inputs", f"got {inputs!r:.80}; expected a list of one column or more, or a dict of them")
    rows = check_rows(strategy, padding)
    named = [wanted.column if isinstance(wanted, Placed) else wanted for wanted in listed]
    keys = list(inputs) if isinstance(inputs, Mapping) else named
    if len(set(keys)) < len(keys):
        raise ArgumentError("inputs", f"got {tuple(keys)}; expected each name once", "name them by a dict")
    if (rows.packs or rows.cuts) and "resets" not in listed:
        found = CONTRADICTIONS["neighbours in a row"]
        raise ArgumentError(
            "inputs", f"got {tuple(keys)} with {strategy}; expected resets among them; {found.reason}", found.remedy
        )
    return dict(zip(keys, listed, strict=True)), len(keys) == 1 and not isinstance(inputs, Mapping)


def filled(part: Part, grid: Grid) -> np.ndarray | dict[str, np.ndarray]:
    """The arrays of one batch."""
    if isinstance(part, Field):
        return part.fill(grid)
    return {name: field.fill(grid) for name, field in part.items()}


def specs(part: Part) -> tf.TensorSpec | dict[str, tf.TensorSpec]:
    """What they are in every batch."""
    if isinstance(part, Field):
        return tf.TensorSpec(part.shape, part.dtype)
    return {name: tf.TensorSpec(field.shape, field.dtype) for name, field in part.items()}
