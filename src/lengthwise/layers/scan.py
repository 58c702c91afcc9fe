"""A cell over padded rows, step by step in TensorFlow operations: what the native kernel is compared with."""

from typing import NamedTuple

import keras
import tensorflow as tf


class PaddedSteps(NamedTuple):
    """What a cell runs over; see `lengthwise.layers.recurrent.Recurrent.call`.

    Attributes:
        inputs: float32 (B, T, D).
        resets: bool (B, T), or None.
        mask: bool (B, T), or None.
        states: float32 (B, U) each, before the first step.
        initial: float32 (B, U) each, the states before a step that resets.
    """

    inputs: tf.Tensor
    resets: tf.Tensor | None
    mask: tf.Tensor | None
    states: list[tf.Tensor]
    initial: list[tf.Tensor]


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
    project = getattr(cell, "project", None)
    width = tf.shape(inputs)[1]

    def by_time(values: tf.Tensor) -> tf.TensorArray:
        """Time-major values (T, B, ...), a step at a time."""
        return tf.TensorArray(values.dtype, size=width, element_shape=values.shape[1:]).unstack(values)

    steps = tf.transpose(inputs, [1, 0, 2])
    inputs_by_time = by_time(steps if project is None else project(steps))
    resets_by_time, mask_by_time = (
        None if flags is None else by_time(tf.transpose(tf.cast(flags, tf.bool))[..., tf.newaxis])
        for flags in (resets, mask)
    )
    outputs = tf.TensorArray(dtype, size=width, element_shape=(inputs.shape[0], output_size))
    # What a masked step repeats at a row's beginning: of nearly all cells the first state is the output.
    nothing = tf.zeros([tf.shape(inputs)[0], output_size], dtype)
    said = states[0] if output_size == states[0].shape[1] else nothing
    if hasattr(cell, "get_dropout_mask"):
        # A stock cell drops the same features at every step: it makes its masks once, and not within the loop.
        cell.get_dropout_mask(inputs[:, 0])
        cell.get_recurrent_dropout_mask(states[0])

    def step(
        turn: tf.Tensor, before: list[tf.Tensor], said: tf.Tensor, due: tf.Tensor, outputs: tf.TensorArray
    ) -> tuple[object, ...]:
        now = width - 1 - turn if reverse else turn
        valid = None if mask_by_time is None else mask_by_time.read(now)
        if resets_by_time is not None:
            reset = resets_by_time.read(now)
            if valid is not None:
                # A reset that the mask leaves out is due at the next step.
                reset = reset | due
                reset, due = reset & valid, reset & ~valid
            before = [tf.where(reset, first, state) for first, state in zip(initial, before, strict=True)]
        here = inputs_by_time.read(now)
        if project is None:
            output, after = cell(here, before, training=training)
        else:
            output, after = None, cell.step(here, before)
        if valid is not None:
            after = [tf.where(valid, new, old) for new, old in zip(after, before, strict=True)]
            output = None if output is None else tf.where(valid, output, said)
        # The output of a cell of this package is its first state.
        output = after[0] if output is None else output
        return turn + 1, list(after), output, due, outputs.write(now, output)

    due = tf.zeros([tf.shape(inputs)[0], 1], tf.bool)
    _, last, said, _, outputs = tf.while_loop(
        lambda turn, *_: turn < width, step, (tf.constant(0), states, said, due, outputs), maximum_iterations=width
    )
    if hasattr(cell, "reset_dropout_mask"):
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
    stacked = tf.transpose(outputs.stack(), [1, 0, 2])
    stacked.set_shape((inputs.shape[0], inputs.shape[1], output_size))
    return stacked, said, last
