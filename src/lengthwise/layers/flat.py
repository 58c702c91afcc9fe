"""Cells over padded rows by the native kernel: the steps that there are, and nothing else, are computed."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from lengthwise.layers.native_cell import KINDS, native_weights
from lengthwise.native.ops import PaddedPlaces, RaggedLayout, ragged_layout, ragged_recurrent


class FlatRows(NamedTuple):
    """Padded rows of which the steps are laid out flat.

    Attributes:
        items: float32 (B * T, D), what the steps read.
        layout: of the steps.
        places: where each padded step stands among them.
        width: T.
    """

    items: tf.Tensor
    layout: RaggedLayout
    places: PaddedPlaces
    width: tf.Tensor


def flat_rows(
    inputs: tf.Tensor, mask: tf.Tensor | None, resets: tf.Tensor | None = None, *, reverse: bool = False
) -> FlatRows:
    """Lay padded rows out.

    Args:
        inputs: float32 (B, T, D).
        mask: bool (B, T), or None: every step counts.
        resets: bool (B, T), or None.
        reverse: whether rows go from their last step to their first.
    """
    shape = tf.shape(inputs)
    mask = tf.ones(shape[:2], tf.bool) if mask is None else tf.cast(mask, tf.bool)
    resets = tf.zeros(shape[:2], tf.bool) if resets is None else tf.cast(resets, tf.bool)
    layout, places = ragged_layout(mask, resets, reverse=reverse)
    return FlatRows(tf.reshape(inputs, [-1, inputs.shape[2]]), layout, places, shape[1])


def run_flat(
    cells: Sequence[keras.layers.Layer],
    rows: FlatRows,
    states: Sequence[Sequence[tf.Tensor]],
    initial: Sequence[Sequence[tf.Tensor]],
    *,
    training: bool,
    every_step: bool,
) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
    """Run cells over all steps, each over the outputs of the one before.

    Args:
        cells: of `lengthwise.layers.native_cell.KINDS`; their masks of dropout are drawn, where they have some.
        rows: what the first one runs over.
        states: of each cell, float32 (B, U) each, before the first step.
        initial: of each cell, float32 (1, U) each, what a reset sets the states to.
        training: whether inputs are dropped, and whether a gradient is going to be asked for.
        every_step: whether the outputs of every step are wanted.

    Returns:
        The last cell's outputs, float32 (N, U), or (0, U) if they are not wanted; the last states of each cell.
    """
    items, index = rows.items, rows.places.steps
    outputs, last = items, []
    for number, (cell, before, first) in enumerate(zip(cells, states, initial, strict=True)):
        if training and getattr(cell, "dropout", 0) > 0:
            row_of_step = rows.places.steps // rows.width
            items = tf.gather(items, index) * tf.gather(cell.get_dropout_mask(None), row_of_step)
            index = tf.range(tf.size(index))
        everything = every_step or number < len(cells) - 1
        outputs, after = ragged_recurrent(
            KINDS[type(cell)],
            native_weights(cell),
            items,
            index,
            rows.layout,
            tf.stack([tf.convert_to_tensor(state) for state in before]),
            tf.concat(first, axis=0),
            read=None if everything else tf.zeros(0, tf.int32),
            save=bool(training),
        )
        last.append(tf.unstack(after, len(before)))
        items, index = outputs, tf.range(tf.shape(outputs)[0])
    return outputs, last


def at_padded_steps(flat: tf.Tensor, place: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """The outputs of flat steps at the padded ones: each repeats until the row's next step.

    Args:
        flat: float32 (N, U).
        place: int32 (B, T), see `PaddedPlaces`.
        before: float32 (B, U), for padded steps where the row has come to no step yet.

    Returns:
        float32 (B, T, U).
    """
    row = tf.shape(flat)[0] + tf.range(tf.shape(place)[0])[:, tf.newaxis]
    return tf.gather(tf.concat([flat, before], axis=0), tf.where(place >= 0, place, row))
