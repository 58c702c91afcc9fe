"""The native operations: the layout of ragged rows, and a recurrent layer over it with its gradient.

Rows of different lengths are computed time-major and without padding: the first steps of all rows, then the second
steps of those that have one, and so on; rows stand by falling length, so that those still active are the first ones.
With the rows [a0 a1 a2], [b0], [c0 c1]:

    order    0 2 1          which rows, longest first
    active   3 2 1          rows that have a first, second, third step
    flat     a0 c0 b0 a1 c1 a2

Shapes: B rows, T padded width, N steps in all, L steps of the longest row, M items to read, D features of an item,
U units, S states of the cell (LSTM two, others one), G gates (GRU 3, LSTM 4, simple 1).
"""

from functools import cache
from typing import Any, NamedTuple

import tensorflow as tf

from lengthwise.errors import KernelError
from lengthwise.native.build import is_whole, library

# Names of `lengthwise.layers.cells.CELLS` that the kernel computes, with activation tanh.
NATIVE_CELLS = ("gru", "lstm", "simple")


class RaggedLayout(NamedTuple):
    """Where the steps of padded rows stand in the flat layout; see `ragged_layout`.

    Attributes:
        order: int32 (B,), the rows by falling length.
        active: int32 (L,), rows that have a step.
        steps: int32 (N,), where each flat step stands among the B * T padded ones.
        begins: bool (N,), whether the state before a step is the initial one.
        place: int32 (B, T), the flat step that a row has come to at a padded step; -1 before its first one.
    """

    order: tf.Tensor
    active: tf.Tensor
    steps: tf.Tensor
    begins: tf.Tensor
    place: tf.Tensor


class CellWeights(NamedTuple):
    """Weights of a cell, as `lengthwise.layers.cells` names and orders them.

    Attributes:
        kernel: float32 (D, G U).
        recurrent_kernel: float32 (U, G U).
        bias: float32 (G U,).
        recurrent_bias: float32 (G U,) of a GRU, else (0,).
    """

    kernel: tf.Tensor
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor
    recurrent_bias: tf.Tensor


@cache
def load() -> Any:  # noqa: ANN401 - a module that TensorFlow makes.
    """The operations, built where they are not, their gradient registered.

    Raises:
        KernelError: the library cannot be built or loaded.
    """
    path = library()
    remedy = "remove it to build it anew"
    if not is_whole(path):
        raise KernelError(f"native kernel: {path} cannot be loaded (it is not what was built); {remedy}")
    try:
        operations = tf.load_op_library(str(path))
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise KernelError(f"native kernel: {path} cannot be loaded ({reason}); {remedy}") from error

    def gradient(operation: tf.Operation, by_outputs: tf.Tensor, by_last: tf.Tensor, _: tf.Tensor) -> list[Any]:
        inputs, index, active, order, begins, states, initial, *weights = operation.inputs
        by_inputs, *others = operations.lengthwise_ragged_recurrent_grad(
            inputs, index, active, order, begins, states, initial, *weights,
            operation.outputs[2], by_outputs, by_last, cell=operation.get_attr("cell"),
        )  # fmt: skip
        return [by_inputs, None, None, None, None, *others]

    tf.RegisterGradient("LengthwiseRaggedRecurrent")(gradient)
    tf.no_gradient("LengthwiseRaggedLayout")
    return operations


def ragged_layout(mask: tf.Tensor, resets: tf.Tensor, *, reverse: bool = False) -> RaggedLayout:
    """Lay padded rows out flat; a step that the mask leaves out has no place, wherever it stands.

    Args:
        mask: bool (B, T), true where there is a step.
        resets: bool (B, T), true where the state before the step is the initial one.
        reverse: whether rows go from their last step to their first.

    Raises:
        tf.errors.InvalidArgumentError: the shapes differ.
    """
    return RaggedLayout(*load().lengthwise_ragged_layout(mask, resets, reverse=reverse))


def ragged_recurrent(
    cell: str,
    weights: CellWeights,
    inputs: tf.Tensor,
    index: tf.Tensor,
    layout: RaggedLayout,
    states: tf.Tensor,
    initial: tf.Tensor,
    *,
    save: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Run a cell over all steps; the equations are those of `lengthwise.layers.cells`, the activation is tanh.

    Each step reads one of the items, which may be features of the steps themselves or a table of embeddings. The
    gradient by the items is dense, that of an item read several times is summed. For one number of threads the results
    have the same bytes in every run.

    Args:
        cell: one of `NATIVE_CELLS`.
        weights: of the cell.
        inputs: float32 (M, D), the items.
        index: int32 (N,), the item that each flat step reads.
        layout: of the N steps.
        states: float32 (S, B, U), before the first step of each row, in the rows' own order.
        initial: float32 (S, U), what a reset sets the states to.
        save: whether to keep what the gradient needs; if not, the gradient takes the way forward once more.

    Returns:
        The outputs of all steps, float32 (N, U), flat, and the states after the last step of each row, (S, B, U).

    Raises:
        tf.errors.InvalidArgumentError: shapes do not fit, or an index is out of range.
    """
    outputs, last, _ = load().lengthwise_ragged_recurrent(
        inputs, index, layout.active, layout.order, layout.begins, states, initial, *weights, cell=cell, save=save
    )
    return outputs, last


def flat_steps(layout: RaggedLayout, order: RaggedLayout) -> tf.Tensor:
    """Where the steps of one layout are in another of the same rows.

    Args:
        layout: where they are looked for.
        order: the order they are asked for in.

    Returns:
        int32 (N,).
    """
    return tf.gather(tf.reshape(layout.place, [-1]), order.steps)
