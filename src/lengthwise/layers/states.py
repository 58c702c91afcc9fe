"""States before a layer's first step: those that a caller gives, and those carried from batch to batch."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

# Tensors or None, nested as cells nest their states; masks, in a list or not.
Nested = Any


def state_sizes(cell: keras.layers.Layer) -> list[int]:
    """Features of each state of a cell.

    Raises:
        ValueError: it is none that `Recurrent` runs.
    """
    if isinstance(cell, keras.layers.RNN):
        raise ValueError(
            f"cell: got {type(cell).__name__}, a layer; expected a cell, such as {type(cell).__name__}Cell"
        )
    found = getattr(cell, "state_size", None)
    if found is None or not callable(getattr(cell, "call", None)):
        raise ValueError(f"cell: got {cell!r}; expected a cell, such as GRUCell(64)")
    sizes = list(found) if isinstance(found, list | tuple) else [found]
    if isinstance(cell, keras.layers.StackedRNNCells) or not all(isinstance(size, int) for size in sizes):
        raise ValueError(
            f"cell: got {type(cell).__name__}, a stack of cells; expected one cell; stack layers instead, or take RNN"
        )
    return sizes


def given_states(states: Nested, initial_state: Nested, sizes: Sequence[int]) -> list[tf.Tensor] | None:
    """What a caller gave, a tensor for each state of the cell, or None.

    Args:
        states: a tensor, or a list or tuple of them, or None.
        initial_state: the same under Keras's name.
        sizes: features of each state.

    Raises:
        ValueError: both names are used, or there are more or fewer tensors than states.
    """
    if states is not None and initial_state is not None:
        raise ValueError("initial_state: got states too; expected one of the two, which mean the same")
    given = initial_state if states is None else states
    if given is None:
        return None
    found = list(given) if keras.tree.is_nested(given) else [given]
    if len(found) != len(sizes) or any(keras.tree.is_nested(state) for state in found):
        shapes = ", ".join(f"(B, {size})" for size in sizes)
        raise ValueError(f"initial_state: got {len(found)} arrays; expected {len(sizes)}, of the shapes {shapes}")
    return found


def for_rows(state: tf.Tensor, rows: tf.Tensor | int) -> tf.Tensor:
    """The state of one row, (1, U), for so many rows: (rows, U)."""
    return tf.broadcast_to(state, [rows, state.shape[1]])


class CarriedStates:
    """States that go from a batch to the next, row by row; no weights, so neither trained nor saved.

    Args:
        rows: for how many rows there is room at first; a batch of more rows makes room for more.
        sizes: features of each state.
        dtype: of the states.
    """

    def __init__(self, rows: int, sizes: Sequence[int], dtype: str) -> None:
        self._rows = rows
        # Also where Keras builds the layer within a graph.
        with tf.init_scope():
            self.variables = [
                tf.Variable(tf.zeros((rows, size), dtype), trainable=False, shape=(None, size), name=f"carried_{n}")
                for n, size in enumerate(sizes)
            ]

    def before(self, initial: Sequence[tf.Tensor], rows: tf.Tensor) -> list[tf.Tensor]:
        """What each of so many rows goes on from; one that there never was begins with the initial state, (1, U)."""
        carried = [tf.cast(variable, state.dtype) for variable, state in zip(self.variables, initial, strict=True)]
        return [
            tf.concat([old[:rows], for_rows(first, tf.maximum(rows - tf.shape(old)[0], 0))], axis=0)
            for old, first in zip(carried, initial, strict=True)
        ]

    def keep(self, last: Sequence[tf.Tensor]) -> None:
        """Keep the states (B, U) after a batch; those of other rows stay as they are, and no gradient goes through."""
        for variable, state in zip(self.variables, last, strict=True):
            others = tf.convert_to_tensor(variable)[tf.shape(state)[0] :]
            variable.assign(tf.concat([tf.cast(tf.stop_gradient(state), variable.dtype), others], axis=0))

    def forget(self, initial: Sequence[tf.Tensor]) -> None:
        """Go back to the room of the beginning, each row in the initial state, (1, U)."""
        for variable, state in zip(self.variables, initial, strict=True):
            variable.assign(tf.cast(for_rows(state, self._rows), variable.dtype))
