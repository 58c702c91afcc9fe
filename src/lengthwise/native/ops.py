"""The native operations: ragged rows laid out flat, a recurrent layer over them with its gradient, dropout, Adam.

Rows of different lengths are computed time-major and without padding: the first steps of all rows, then the second
steps of those that have one, and so on; rows stand by falling length, so that those still active are the first ones.
With the rows [a0 a1 a2], [b0], [c0 c1]:

    order    0 2 1          which rows, longest first
    active   3 2 1          rows that have a first, second, third step
    flat     a0 c0 b0 a1 c1 a2

Shapes: B rows, T padded width, N steps in all, L steps of the longest row, M items to read, D features of an item,
U units, S states of the cell (LSTM two, others one), G gates (GRU 3, LSTM 4, simple 1), V vectors of single units
(three peepholes; two gains and offsets of the simple cell with layer normalization, 12 of the GRU, 18 of the LSTM).
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from lengthwise.native.operations import load


class RaggedLayout(NamedTuple):
    """How the steps of rows stand flat.

    Attributes:
        order: int32 (B,), the rows by falling length.
        active: int32 (L,), rows that have a step.
        begins: bool (N,), whether the state before a step is the initial one.
    """

    order: tf.Tensor
    active: tf.Tensor
    begins: tf.Tensor


class PaddedPlaces(NamedTuple):
    """Which padded step is which flat one.

    Attributes:
        steps: int32 (N,), where each flat step stands among the B * T padded ones.
        place: int32 (B, T), the flat step that a row has come to at a padded step; -1 before its first one.
    """

    steps: tf.Tensor
    place: tf.Tensor


class FlatPlan(NamedTuple):
    """The columns of a `lengthwise.batching.plan.Plan` that a flat batch is made of.

    Attributes:
        offsets: int64 (batches + 1,).
        sequence: int32 (spans,).
        start: int32 (spans,).
        stop: int32 (spans,).
        row: int32 (spans,).
    """

    offsets: tf.Tensor
    sequence: tf.Tensor
    start: tf.Tensor
    stop: tf.Tensor
    row: tf.Tensor


class FlatSequences(NamedTuple):
    """What the spans of a plan are of; see `lengthwise.prepare.shards.reader.Sequences`.

    Attributes:
        tokens: int32 (all tokens,).
        offsets: int64 (sequences + 1,).
        label: int32 (sequences,).
    """

    tokens: tf.Tensor
    offsets: tf.Tensor
    label: tf.Tensor


class FlatBatch(NamedTuple):
    """A batch as `lengthwise.batching.collate` makes it, but without padding.

    Attributes:
        ids: int32 (N,), the token of each step.
        layout: of the steps.
        read: int32 (P,), the steps at which sequences end; None: every step.
        labels: int32 (P,), or (N,), what is right there.
        continues: bool, whether a row goes on from the batch before.
    """

    ids: tf.Tensor
    layout: RaggedLayout
    read: tf.Tensor | None
    labels: tf.Tensor
    continues: tf.Tensor


class CellWeights(NamedTuple):
    """Weights of a cell, as `lengthwise.layers.cells` names and orders them.

    Attributes:
        kernel: float32 (D, G U); None if the inputs are projected already.
        recurrent_kernel: float32 (U, G U).
        bias: float32 (G U,).
        recurrent_bias: float32 (G U,) of a GRU, else (0,).
        vectors: float32 (V, U), the weights that belong to single units; see `lengthwise.native.unit_vectors`.
    """

    kernel: tf.Tensor | None
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor
    recurrent_bias: tf.Tensor
    vectors: tf.Tensor


def ragged_layout(mask: tf.Tensor, resets: tf.Tensor, *, reverse: bool = False) -> tuple[RaggedLayout, PaddedPlaces]:
    """Lay padded rows out flat; a step that the mask leaves out has no place, wherever it stands.

    Args:
        mask: bool (B, T), true where there is a step.
        resets: bool (B, T), true where the state before the step is the initial one.
        reverse: whether rows go from their last step to their first.

    Raises:
        tf.errors.InvalidArgumentError: the shapes differ.
    """
    order, active, steps, begins, place = load().lengthwise_ragged_layout(mask, resets, reverse=reverse)
    return RaggedLayout(order, active, begins), PaddedPlaces(steps, place)


def mirrored_layout(layout: RaggedLayout) -> tuple[RaggedLayout, tf.Tensor]:
    """Lay the same rows out from their last steps to their first, for a layer that goes backwards.

    Rows stand in the same order, since they are as long. Of the rows [a0 a1 a2], [b0], [c0 c1]:

        flat      a0 c0 b0 a1 c1 a2
        backwards a2 c1 b0 a1 c0 a0
        mirror     5  4  2  3  1  0

    Args:
        layout: of N steps, forwards.

    Returns:
        The layout backwards, which begins anew where sequences end, and which step each one is in the other layout,
        int32 (N,), both ways.

    Raises:
        tf.errors.InvalidArgumentError: it is no layout.
    """
    mirror, begins = load().lengthwise_mirrored_layout(layout.active, layout.begins)
    return layout._replace(begins=begins), mirror


def flat_batch(plan: FlatPlan, sequences: FlatSequences, number: tf.Tensor, *, every_step: bool) -> FlatBatch:
    """Make one batch of a plan, without padding.

    Args:
        plan: of an epoch.
        sequences: what its spans are of.
        number: int64, the batch's number, from 0.
        every_step: whether every step is read, or the last ones of the sequences.

    Raises:
        tf.errors.InvalidArgumentError: there is no such batch, or the plan does not fit the sequences.
    """
    order, active, begins, ids, read, labels, continues = load().lengthwise_flat_batch(
        number, *plan, *sequences, every_step=every_step
    )
    return FlatBatch(ids, RaggedLayout(order, active, begins), None if every_step else read, labels, continues)


def ragged_recurrent(
    cell: str,
    weights: CellWeights,
    inputs: tf.Tensor,
    index: tf.Tensor,
    layout: RaggedLayout,
    states: tf.Tensor,
    initial: tf.Tensor,
    *,
    read: tf.Tensor | None = None,
    save: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Run a cell over all steps; the equations are those of `lengthwise.layers.cells`, the activation is tanh.

    Each step reads one of the items, which may be features of the steps themselves or a table of embeddings. An item is
    projected once, however many steps read it. The gradient by the items is dense, that of an item read several times
    is summed. For one number of threads the results have the same bytes in every run.

    Args:
        cell: one of `NATIVE_CELLS`.
        weights: of the cell.
        inputs: float32 (M, D), the items; (M, G U) if they are projected already, but for the bias.
        index: int32 (N,), the item that each flat step reads.
        layout: of the N steps.
        states: float32 (S, B, U), before the first step of each row, in the rows' own order.
        initial: float32 (S, U), what a reset sets the states to.
        read: int32 (P,), the steps whose outputs are wanted, each once; None: all of them.
        save: whether to keep what the gradient needs; if not, the gradient takes the way forward once more.

    Returns:
        The outputs, float32 (P, U) or, flat, (N, U), and the states after the last step of each row, (S, B, U).

    Raises:
        tf.errors.InvalidArgumentError: shapes do not fit, or an index is out of range.
    """
    projected = weights.kernel is None
    kernel = tf.zeros([0, tf.shape(weights.bias)[0]]) if projected else weights.kernel
    outputs, last, _ = load().lengthwise_ragged_recurrent(
        inputs, index, layout.active, layout.order, layout.begins, states, initial, kernel, *weights[1:],
        tf.zeros(0, tf.int32) if read is None else read,
        cell=cell, projected=projected, read_all=read is None, save=save,
    )  # fmt: skip
    return outputs, last


def dropout(values: tf.Tensor, seed: tf.Tensor, rate: float) -> tf.Tensor:
    """Set a share of the values to 0 and multiply the others by 1 / (1 - rate) (Srivastava et al., 2014).

    Args:
        values: float32, of any shape.
        seed: int32 (2,), which decides which ones, with their places alone: the generator is Philox 4x32-10 (Salmon et
            al., 2011).
        rate: the share, in [0, 1).

    Raises:
        tf.errors.InvalidArgumentError: there is no such rate or seed.
    """
    return load().lengthwise_dropout(values, seed, rate=rate)


def apply_adam(
    weights: Sequence[tf.Variable],
    momentums: Sequence[tf.Variable],
    velocities: Sequence[tf.Variable],
    gradients: Sequence[tf.Tensor],
    *,
    step: tf.Tensor,
    learning_rate: tf.Tensor,
    settings: tuple[float, float, float],
) -> None:
    """Take a step of Adam (Kingma and Ba, 2015, algorithm 1 with the last remark of section 2) for all weights.

    Args:
        weights: float32, of any shapes.
        momentums: first moments, of the same shapes.
        velocities: second moments.
        gradients: dense.
        step: int64, the step's number, from 1.
        learning_rate: float32.
        settings: beta_1, beta_2 and epsilon.

    Raises:
        tf.errors.InvalidArgumentError: shapes do not fit, or a variable comes twice.
    """
    handles = ([variable.handle for variable in variables] for variables in (weights, momentums, velocities))
    load().lengthwise_apply_adam(*handles, gradients, step, learning_rate, tf.constant(settings, tf.float64))
