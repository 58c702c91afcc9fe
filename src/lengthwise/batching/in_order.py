"""Predictions of any Keras model in the order of the sequences, whatever the order of the batches."""

from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from lengthwise.batching.bursts import in_bursts
from lengthwise.batching.checking import check
from lengthwise.batching.fields import input_field
from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.batching.grid import Grid, grid_of
from lengthwise.batching.padded import Padded
from lengthwise.batching.parts import Part, WantedInputs, check_sequences, checked_inputs, filled, specs
from lengthwise.batching.plan import Plan, Strategy
from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.errors import ArgumentError

At = Literal["sequence", "last_step", "every_step"]
AT: tuple[At, ...] = ("sequence", "last_step", "every_step")


def predict(
    model: keras.Model,
    sequences: Sequences,
    strategy: Strategy | None = None,
    *,
    inputs: WantedInputs = (TOKENS,),
    at: At = "sequence",
    padding: str = "post",
) -> Any:  # noqa: ANN401 - as the model's outputs.
    """What a model says of each sequence, or of each step, in their order.

    >>> import keras
    >>> import lengthwise as lw
    >>> sequences = lw.from_arrays([[4, 2, 7], [5]])
    >>> model = keras.Sequential([keras.layers.Embedding(10, 2), keras.layers.GlobalAveragePooling1D()])
    >>> lw.predict(model, sequences, lw.Exact(batch_size=32)).shape
    (2, 2)
    >>> steps = keras.Sequential([keras.layers.Embedding(10, 2)])
    >>> lw.predict(steps, sequences, lw.Padded(batch_size=32), at="every_step").shape
    (4, 2)

    Args:
        model: any Keras model. Several outputs come back as the model has them, in a list or a dict.
        sequences: with the columns that are named; each is predicted once.
        strategy: how to batch; by default by rising length, where padding is least.
        inputs: see `fit_data`.
        at: `sequence`: the model has an output for each row, (B, ...). `last_step` and `every_step`: it has one for
            each step, (B, T, ...), and those at last steps are wanted, or all.
        padding: `post` or `pre`.

    Returns:
        (S, ...), for each sequence, or, at every step, (N, ...), as a column per step: the outputs of sequence i are
        `found[sequences.offsets[i]:sequences.offsets[i + 1]]`.

    Raises:
        ArgumentError: there is no such column, outputs are not where they are wanted, or the model's predictions would
            depend on the batches, see `check`; it is a `ValueError`.
    """
    check_sequences(sequences)
    # By rising length is like any other that gives each sequence a row.
    batching = Padded(batch_size=2) if strategy is None else strategy
    named, alone = checked_inputs(batching, inputs, padding)
    _check_at(batching, at)
    check(model, batching, padding=padding)
    fields = {name: input_field(sequences, batching, wanted) for name, wanted in named.items()}
    part: Part = next(iter(fields.values())) if alone else fields
    lengths = sequences.lengths
    plan = evaluation_plan(lengths) if strategy is None else strategy.plan(lengths)
    if not len(plan):
        raise ArgumentError("sequences", "got none; expected one at least")
    return outputs_in_order(model, sequences, (plan, part, padding), at)


def outputs_in_order(model: Callable[..., Any], sequences: Sequences, batches: tuple[Plan, Part, str], at: At) -> Any:  # noqa: ANN401
    """What a model says of the batches of a plan, in the order of the sequences; see `predict`.

    Args:
        model: any Keras model, or a function that is called as one.
        sequences: those of the plan.
        batches: the plan, what x is filled with, and `post` or `pre`.
        at: where outputs are wanted.

    Raises:
        ArgumentError: the outputs are not where they are wanted; it is a `ValueError`.
    """
    plan, part, padding = batches
    call = tf.function(lambda x: model(x, training=False), input_signature=(specs(part),), autograph=False)
    grids = (grid_of(plan, number, sequences.offsets, padding) for number in range(len(plan)))
    count = int(sequences.offsets[-1]) if at == "every_step" else len(sequences)
    found: list[np.ndarray] = []
    structure: Any = None
    for grid, x in in_bursts(lambda grid: (grid, filled(part, grid)), grids):
        structure = call(keras.tree.map_structure(tf.convert_to_tensor, x))
        outputs = [np.asarray(output) for output in keras.tree.flatten(structure)]
        for output in outputs:
            _check_shape(output, grid, at)
        if not found:
            inner = 1 if at == "sequence" else 2
            found = [np.zeros((count, *output.shape[inner:]), output.dtype) for output in outputs]
        for place, output in zip(found, outputs, strict=True):
            rows, values = READ[at](grid, output)
            place[rows] = values
    return keras.tree.pack_sequence_as(structure, found)


def _of_rows(grid: Grid, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return grid.sequence, output


def _of_last_steps(grid: Grid, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    done = grid.finished
    return grid.sequence[done], output[grid.row[done], (grid.column + grid.count - 1)[done]]


def _of_every_step(grid: Grid, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return grid.steps, output.reshape(-1, *output.shape[2:])[grid.places]


# For which sequences, or steps, a batch has outputs, and what they are.
READ: dict[At, Callable[[Grid, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "sequence": _of_rows,
    "last_step": _of_last_steps,
    "every_step": _of_every_step,
}


def _check_shape(output: np.ndarray, grid: Grid, at: At) -> None:
    if at == "sequence":
        if output.ndim < 1 or len(output) != grid.shape[0]:
            raise ArgumentError(
                "at", f"got {at!r} and outputs {output.shape}; expected {grid.shape[0]}, one for each row"
            )
    elif output.shape[:2] != grid.shape:
        raise ArgumentError(
            "at", f"got {at!r} and outputs {output.shape} of a batch {grid.shape}; expected one at each step"
        )


def _check_at(strategy: Strategy, at: At) -> None:
    if at not in AT:
        raise ArgumentError("at", f"got {at!r}; expected one of {', '.join(AT)}")
    if at == "sequence" and (strategy.packs or strategy.cuts):
        name = type(strategy).__name__
        raise ArgumentError("at", f"got {at!r}; expected last_step or every_step, since rows of {name} hold several")
