"""The gradient of the native kernel's gradient: by TensorFlow's operations, which know derivatives of any order.

Few ask for second derivatives (a gradient penalty, a Hessian), so they may take longer: the recurrence is computed once
more, step by step over the rows that stand flat, and TensorFlow differentiates it twice.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# As of `lengthwise.layers.cell`.
EPSILON = 1e-3
# Blocks of the gates that are normalized together, in both parts.
GROUPS = {"layer_norm_lstm": (4,), "layer_norm_gru": (2, 1)}
# Among the inputs of the operation: those that have a gradient.
DIFFERENTIABLE = (0, 5, 6, 7, 8, 9, 10, 11)


def recurrence(arguments: Sequence[tf.Tensor], *, cell: str, projected: bool, read_all: bool) -> list[tf.Tensor]:
    """What `lengthwise.native.ops.ragged_recurrent` computes, by TensorFlow's operations.

    Args:
        arguments: the operation's inputs in their order: the items (M, D), the index (N,), the active rows (L,), the
            order (B,), the begins (N,), the states (S, B, U), the initial ones (S, U), the kernel, the recurrent
            kernel, the bias, the recurrent bias, the vectors of single units (V, U), and the steps that are read (P,).
        cell: one of `NATIVE_CELLS`.
        projected: whether the items are projected already.
        read_all: whether the outputs of all steps are wanted.

    Returns:
        The outputs, float32 (N, U) or (P, U), and the last states (S, B, U).
    """
    items, index, active, order, begins, states, initial, kernel, recurrent, bias, recurrent_bias, vectors, read = (
        arguments
    )
    gates = recurrent.shape[1] // recurrent.shape[0]
    by_input, by_state = (vectors[: 2 * gates], vectors[2 * gates : 4 * gates]) if cell in GROUPS else (None, None)
    values = _normalized_part(cell, items if projected else tf.matmul(items, kernel), by_input) + bias
    if not cell.endswith("gru"):
        recurrent_bias = tf.zeros_like(bias)
    # Rows by falling length: of the B places of a step the first ones are taken.
    taken = tf.range(tf.size(order)) < active[:, tf.newaxis]
    place = tf.where(taken, tf.cumsum(active, exclusive=True)[:, tf.newaxis] + tf.range(tf.size(order)), 0)
    by_step, begun = tf.gather(tf.gather(values, index), place), tf.gather(begins, place)

    def step(number: tf.Tensor, before: tf.Tensor, outputs: tf.TensorArray) -> tuple[tf.Tensor, Any, Any]:
        resets = begun[number][tf.newaxis, :, tf.newaxis]
        entered = tf.where(resets, initial[:, tf.newaxis], before)
        recurred = _normalized_part(cell, tf.matmul(entered[0], recurrent), by_state) + recurrent_bias
        after = _step(cell, by_step[number], recurred, entered, vectors)
        after = tf.where(taken[number][tf.newaxis, :, tf.newaxis], after, before)
        return number + 1, after, outputs.write(number, after[0])

    steps = tf.size(active)
    outputs = tf.TensorArray(states.dtype, size=steps, element_shape=(None, recurrent.shape[0]))
    _, last, outputs = tf.while_loop(
        lambda number, *_: number < steps,
        step,
        (tf.constant(0), tf.gather(states, order, axis=1), outputs),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([states.shape[0], None, recurrent.shape[0]]), None),
        maximum_iterations=steps,
    )
    flat = tf.boolean_mask(outputs.stack(), taken)
    return [flat if read_all else tf.gather(flat, read), tf.gather(last, tf.argsort(order), axis=1)]


def second_gradient(
    arguments: Sequence[tf.Tensor], by: Sequence[tf.Tensor], upstream: Sequence[tf.Tensor], attributes: dict[str, Any]
) -> list[tf.Tensor | None]:
    """The gradient of the gradient.

    Args:
        arguments: see `recurrence`.
        by: the gradients by the outputs and the last states that the first gradient began with.
        upstream: what the gradients by the inputs in `DIFFERENTIABLE` are multiplied by.
        attributes: the other arguments of `recurrence`.

    Returns:
        One for each of `arguments`, None for those that have none, then one for each of `by`.
    """
    with tf.GradientTape() as second:
        sources = [arguments[number] for number in DIFFERENTIABLE]
        second.watch([*sources, *by])
        with tf.GradientTape() as first:
            first.watch(sources)
            made = recurrence(arguments, **attributes)
        gradients = first.gradient(made, sources, by, unconnected_gradients="zero")
    found = second.gradient(gradients, [*sources, *by], list(upstream), unconnected_gradients="zero")
    by_argument: list[tf.Tensor | None] = [None] * len(arguments)
    for number, gradient in zip(DIFFERENTIABLE, found, strict=False):
        by_argument[number] = gradient
    return [*by_argument, *found[len(DIFFERENTIABLE) :]]


def _normalized_part(cell: str, values: tf.Tensor, vectors: tf.Tensor | None) -> tf.Tensor:
    """One part of the gates (..., G U), normalized where the cell does that, by its gains and offsets (2 G, U)."""
    if vectors is None:
        return values
    sizes = [blocks * vectors.shape[1] for blocks in GROUPS[cell]]
    parts = [_normalized(part) for part in tf.split(values, sizes, axis=-1)]
    gain, offset = tf.split(tf.reshape(vectors, [-1]), 2)
    return tf.concat(parts, axis=-1) * gain + offset


def _normalized(values: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(values, -1, keepdims=True)
    return (values - mean) * tf.math.rsqrt(variance + EPSILON)


def _step(cell: str, added: tf.Tensor, recurred: tf.Tensor, states: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    """The inputs' and the state's parts of the gates, each (B, G U), and the states (S, B, U), to the new ones."""
    if cell.endswith("simple"):
        total = added + recurred
        return tf.tanh(total if cell == "simple" else _normalized(total) * vectors[0] + vectors[1])[tf.newaxis]
    if cell.endswith("lstm"):
        i, f, g, o = tf.split(added + recurred, 4, axis=-1)
        seen_by_i, seen_by_f, seen_by_o = tf.unstack(vectors, 3) if cell == "peephole_lstm" else (0.0, 0.0, 0.0)
        i, f = (tf.sigmoid(gate + peephole * states[1]) for gate, peephole in ((i, seen_by_i), (f, seen_by_f)))
        memory = f * states[1] + i * tf.tanh(g)
        shown = _normalized(memory) * vectors[-2] + vectors[-1] if cell in GROUPS else memory
        return tf.stack([tf.sigmoid(o + seen_by_o * memory) * tf.tanh(shown), memory])
    parts = zip(tf.split(added, 3, axis=-1), tf.split(recurred, 3, axis=-1), strict=True)
    (input_z, state_z), (input_r, state_r), (input_g, state_g) = parts
    z = tf.sigmoid(input_z + state_z)
    return (z * states[0] + (1 - z) * tf.tanh(input_g + tf.sigmoid(input_r + state_r) * state_g))[tf.newaxis]
