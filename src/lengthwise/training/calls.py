"""Calls of a compiled function that takes several steps, over a plan and sequences that it gets as a whole."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import tensorflow as tf

from lengthwise.batching.plan import Plan
from lengthwise.core.names import STEP_TASKS
from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.errors import ArgumentError
from lengthwise.models.config import Purpose
from lengthwise.models.step_features import column_specs
from lengthwise.models.tasks import TaskColumns
from lengthwise.native.ops import FlatBatch, FlatPlan, FlatSequences, flat_batch

# Steps of one call, at most, and tokens that end it: between two calls a run can be stopped, saved and reported on.
CALL_STEPS = 16
CALL_TOKENS = 1 << 17

# For `tf.function`, as `INPUTS_SIGNATURE`.
PLAN_SIGNATURE = FlatPlan(
    tf.TensorSpec((None,), tf.int64, "offsets"),
    *(tf.TensorSpec((None,), tf.int32, name) for name in ("sequence", "start", "stop", "row")),
)
SEQUENCES_SIGNATURE = FlatSequences(
    tf.TensorSpec((None,), tf.int32, "tokens"),
    tf.TensorSpec((None,), tf.int64, "offsets"),
    tf.TensorSpec((None,), tf.int32, "label"),
)
NUMBER_SIGNATURE = tf.TensorSpec((), tf.int64)
# Among columns, what is to be predicted: no column of steps may have the name.
TARGET = "lengthwise.target"
MOST_STEPS = 2**31 - 1


class FlatColumns(NamedTuple):
    """FlatColumns by name.

    Attributes:
        per_step: (N, ...), or of a flat batch (n, ...).
        per_sequence: (S, ...), or of a flat batch (P, ...).
    """

    per_step: Mapping[str, tf.Tensor]
    per_sequence: Mapping[str, tf.Tensor]


def in_turn(
    begin: tf.Tensor,
    end: tf.Tensor,
    step: Callable[[tf.Tensor, tuple[tf.Tensor, ...]], tuple[tf.Tensor, tuple[tf.Tensor, ...]]],
    states: tuple[tf.Tensor, ...],
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """Take steps, each with the states after the one before.

    Args:
        begin: the first step's number, int64.
        end: the number behind the last one's.
        step: its figures, float32 (3,), and the states after it, from its number and the states before.
        states: before the first.

    Returns:
        The figures of all steps, float32 (K, 3), and the states after the last.
    """

    def turn(
        number: tf.Tensor, figures: tf.TensorArray, states: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, tf.TensorArray, tuple[tf.Tensor, ...]]:
        here, states = step(number, states)
        return number + 1, figures.write(tf.cast(number - begin, tf.int32), here), states

    figures = tf.TensorArray(tf.float32, size=tf.cast(end - begin, tf.int32), element_shape=(3,))
    # One at a time: a step needs the weights of the one before.
    _, figures, states = tf.while_loop(
        lambda number, *_: number < end, turn, (begin, figures, states), parallel_iterations=1
    )
    return figures.stack(), states


def flat_plan(plan: Plan) -> FlatPlan:
    """A plan as the compiled functions take it."""
    columns = (plan.sequence, plan.start, plan.stop, plan.row)
    return FlatPlan(tf.constant(plan.offsets, tf.int64), *(tf.constant(column, tf.int32) for column in columns))


def flat_sequences(sequences: Sequences) -> FlatSequences:
    """Sequences as the compiled functions take them.

    In the place of tokens and labels are the numbers of their steps and their own: by them columns of any kind are
    found.

    Raises:
        ArgumentError: they have more steps than 31 bits count; it is a `ValueError`.
    """
    if (steps := int(sequences.offsets[-1])) > MOST_STEPS:
        raise ArgumentError("sequences", f"have {steps} steps; expected at most {MOST_STEPS}", "train on fewer")
    return FlatSequences(
        tf.range(steps, dtype=tf.int32),
        tf.constant(sequences.offsets, tf.int64),
        tf.range(len(sequences), dtype=tf.int32),
    )


def flat_columns_of(purpose: Purpose, sequences: Sequences, columns: TaskColumns) -> FlatColumns:
    """What a network reads of all steps, and what it has to predict, as the compiled functions take it."""
    per_step = {name: tf.constant(values) for name, values in columns.inputs.items()}
    if purpose.tokens:
        per_step[TOKENS] = tf.constant(sequences[TOKENS], tf.int32)
    target = {TARGET: tf.constant(columns.target)}
    return FlatColumns(per_step | target, {}) if purpose.task in STEP_TASKS else FlatColumns(per_step, target)


def target_spec(purpose: Purpose) -> tf.TensorSpec:
    """What is right, where something is predicted."""
    if purpose.predicts == "classes":
        return tf.TensorSpec((None,), tf.int32, TARGET)
    kind = tf.float32 if purpose.predicts == "numbers" else tf.int32
    return tf.TensorSpec((None, purpose.outputs), kind, TARGET)


def flat_signature(purpose: Purpose) -> tuple[FlatSequences, FlatColumns]:
    """What the compiled functions take of sequences, see `flat_sequences` and `flat_columns_of`."""
    per_step = {
        name: tf.TensorSpec((None, *spec.shape[2:]), spec.dtype, name) for name, spec in column_specs(purpose).items()
    }
    if purpose.tokens:
        per_step[TOKENS] = tf.TensorSpec((None,), tf.int32, TOKENS)
    target = {TARGET: target_spec(purpose)}
    columns = FlatColumns(per_step | target, {}) if purpose.task in STEP_TASKS else FlatColumns(per_step, target)
    return SEQUENCES_SIGNATURE, columns


def flat_columns(
    plan: FlatPlan, offsets: tf.Tensor, number: tf.Tensor, columns: FlatColumns, *, every_step: bool
) -> tuple[FlatBatch, FlatColumns]:
    """One batch of a plan without padding, with columns of any type and shape, as `Grid` fills them with padding.

    Args:
        plan: of an epoch.
        offsets: int64 (S + 1,), where the sequences begin; they have fewer than 2**31 steps.
        number: int64, the batch's number, from 0.
        columns: by name, per step (N, ...), and per sequence (S, ...).
        every_step: whether every step is read, or the last ones of the sequences.

    Returns:
        The batch, its `ids` the numbers of its n flat steps and its `labels` those of the sequences that are read there
        (P,), or (n,); and the columns: per step (n, ...), and per sequence, where it is read, (P, ...), or (n, ...).

    Raises:
        tf.errors.InvalidArgumentError: see `flat_batch`.
    """
    steps, sequences = tf.range(tf.cast(offsets[-1], tf.int32)), tf.range(tf.size(offsets) - 1)
    batch = flat_batch(plan, FlatSequences(steps, offsets, sequences), number, every_step=every_step)
    per_step = {name: tf.gather(values, batch.ids) for name, values in columns.per_step.items()}
    per_sequence = {name: tf.gather(values, batch.labels) for name, values in columns.per_sequence.items()}
    return batch, FlatColumns(per_step, per_sequence)


def calls(plan: Plan, first: int) -> Iterator[tuple[int, int]]:
    """Which batches go into one call, from the first to before the last; the first, which is traced, goes alone."""
    steps = plan.steps.tolist()
    begin, tokens = first, CALL_TOKENS
    for number in range(first, len(plan)):
        tokens += steps[number]
        if tokens >= CALL_TOKENS or number + 1 - begin == CALL_STEPS or number + 1 == len(plan):
            yield begin, number + 1
            begin, tokens = number + 1, 0


def states_before(batch: FlatBatch, states: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
    """The states that a batch begins with: those after the batch before, or, where it does not go on from it, none."""
    rows = tf.size(batch.layout.order)
    return tf.cond(
        batch.continues,
        lambda: tuple(state[:rows] for state in states),
        lambda: tuple(tf.zeros([rows, state.shape[1]]) for state in states),
    )
