"""A cell over padded rows, step by step in TensorFlow operations: what the native kernel is compared with."""

import inspect
from typing import NamedTuple

import keras
import tensorflow as tf

from lengthwise.layers.cell import Cell


class PaddedSteps(NamedTuple):
    """What a cell runs over; see `lengthwise.layers.recurrent.Recurrent.call`.

    Attributes:
        inputs: float32 (B, T, D).
        resets: bool (B, T), or None.
        mask: bool (B, T), or None.
        states: float32 (B, U) each, before the first step.
        initial: float32 (1, U) each, the states before a step that resets.
    """

    inputs: tf.Tensor
    resets: tf.Tensor | None
    mask: tf.Tensor | None
    states: list[tf.Tensor]
    initial: list[tf.Tensor]


def draw_masks(cell: keras.layers.Layer, inputs: tf.Tensor, states: list[tf.Tensor]) -> None:
    """Let a cell draw its masks of dropout, once for all steps of inputs (B, T, D), and not within a loop."""
    if not hasattr(cell, "get_dropout_mask"):
        return
    # A cell that drops nothing has no mask to draw.
    if cell.dropout > 0:
        cell.get_dropout_mask(tf.ones([tf.shape(inputs)[0], inputs.shape[2]], states[0].dtype))
    if cell.recurrent_dropout > 0:
        cell.get_recurrent_dropout_mask(states[0])


def forget_masks(cell: keras.layers.Layer) -> None:
    """Let a cell draw other masks the next time."""
    if hasattr(cell, "reset_dropout_mask"):
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()


def scan(
    cell: keras.layers.Layer, rows: PaddedSteps, output_size: int, *, reverse: bool, training: bool
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Take all steps in turn.

    Args:
        cell: one of `lengthwise.layers.cells`, or any other Keras cell.
        rows: what it runs over.
        output_size: features of the cell's output.
        reverse: whether to go from the last step to the first.
        training: what a cell that drops inputs or states is told.

    Returns:
        The outputs (B, T, U), the last one (B, U), and the last states.
    """
    inputs, resets, mask, states, initial = rows
    dtype = states[0].dtype
    # A cell of this package computes what the inputs add for all steps at once.
    project = cell.project if isinstance(cell, Cell) else None
    told = {"training": training} if "training" in inspect.signature(cell.call).parameters else {}
    width = tf.shape(inputs)[1]

    def by_time(values: tf.Tensor) -> tf.TensorArray:
        """Time-major values (T, B, ...), a step at a time in the order in which they are taken."""
        values = tf.reverse(values, [0]) if reverse else values
        return tf.TensorArray(values.dtype, size=width, element_shape=values.shape[1:]).unstack(values)

    draw_masks(cell, inputs, states)
    if mask is not None:
        # What stands in the padding is no number, perhaps: no gradient that is zero may be multiplied by it.
        inputs = tf.where(tf.cast(mask, tf.bool)[..., tf.newaxis], inputs, tf.zeros((), inputs.dtype))
    steps = tf.transpose(inputs, [1, 0, 2])
    inputs_by_time = by_time(steps if project is None else project(steps, training))
    resets_by_time, mask_by_time = (
        None if flags is None else by_time(tf.transpose(tf.cast(flags, tf.bool))[..., tf.newaxis])
        for flags in (resets, mask)
    )
    outputs = tf.TensorArray(dtype, size=width, element_shape=(inputs.shape[0], output_size))
    # What a masked step repeats at a row's beginning: of nearly all cells the first state is the output.
    nothing = tf.zeros([tf.shape(inputs)[0], output_size], dtype)
    said = states[0] if output_size == states[0].shape[1] else nothing

    def step(
        turn: tf.Tensor, before: list[tf.Tensor], said: tf.Tensor, due: tf.Tensor, outputs: tf.TensorArray
    ) -> tuple[object, ...]:
        valid = None if mask_by_time is None else mask_by_time.read(turn)
        if resets_by_time is not None:
            reset = resets_by_time.read(turn)
            if valid is not None:
                # A reset that the mask leaves out is due at the next step.
                reset = reset | due
                reset, due = reset & valid, reset & ~valid
            before = [tf.where(reset, first, state) for first, state in zip(initial, before, strict=True)]
        here = inputs_by_time.read(turn)
        if project is None:
            output, after = cell(here, before, **told)
            after = list(after) if keras.tree.is_nested(after) else [after]
        else:
            output, after = None, cell.step(here, before, training)
        if valid is not None:
            after = [tf.where(valid, new, old) for new, old in zip(after, before, strict=True)]
            output = None if output is None else tf.where(valid, output, said)
        # The output of a cell of this package is its first state.
        output = after[0] if output is None else output
        return turn + 1, list(after), output, due, outputs.write(turn, output)

    due = tf.zeros([tf.shape(inputs)[0], 1], tf.bool)
    _, last, said, _, outputs = tf.while_loop(
        lambda turn, *_: turn < width, step, (tf.constant(0), states, said, due, outputs), maximum_iterations=width
    )
    forget_masks(cell)
    # Written in the order of the loop, since converters to other formats know no other.
    stacked = outputs.stack()
    stacked = tf.transpose(tf.reverse(stacked, [0]) if reverse else stacked, [1, 0, 2])
    stacked.set_shape((inputs.shape[0], inputs.shape[1], output_size))
    return stacked, said, last
