"""Steps of training and of evaluation, each traced once whatever the widths are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from lengthwise.batching.bursts import in_bursts
from lengthwise.batching.collate import Batch, collate
from lengthwise.batching.plan import Plan
from lengthwise.models.ensemble import Ensemble, each_alone, log_probabilities_of
from lengthwise.models.network import INPUTS_SIGNATURE, Inputs, Network, States, network_inputs
from lengthwise.native.ops import FlatBatch, FlatPlan, FlatSequences, flat_batch
from lengthwise.sequences import Sequences
from lengthwise.training.adam import FusedAdam
from lengthwise.training.calls import (
    NUMBER_SIGNATURE,
    PLAN_SIGNATURE,
    SEQUENCES_SIGNATURE,
    calls,
    flat_plan,
    flat_sequences,
    in_turn,
)
from lengthwise.training.losses import correct_count, cross_entropy


@dataclass
class Sums:
    """Loss in nats and right predictions, summed, and the count of predictions."""

    loss: float = 0.0
    correct: float = 0.0
    count: float = 0.0

    def add(self, sums: np.ndarray) -> None:
        """Add a step's (loss, correct, count)."""
        self.loss += float(sums[0])
        self.correct += float(sums[1])
        self.count += float(sums[2])

    @property
    def mean_loss(self) -> float:
        """Nats per prediction."""
        return self.loss / max(1.0, self.count)

    @property
    def accuracy(self) -> float:
        """Share of right predictions."""
        return self.correct / max(1.0, self.count)


class PreparedBatch(NamedTuple):
    """A batch as the compiled steps take it; see `Steps.prepare`.

    Attributes:
        inputs: what the network reads.
        labels: int32 (P,), what is right at its positions.
        rows: of the batch.
        continues: whether a row goes on from the batch before.
    """

    inputs: Inputs
    labels: tf.Tensor
    rows: int
    continues: bool


class Steps:
    """The compiled steps of a network.

    Args:
        network: it is trained in place; each member of an ensemble as if it were alone.
        learning_rate: of Adam.
        clip_norm: the most that the norm of all gradients together may be (Pascanu, Mikolov and Bengio, 2013), or None.
    """

    def __init__(
        self, network: Network | Ensemble, learning_rate: float | LearningRateSchedule, clip_norm: float | None
    ) -> None:
        self._network, self._clip_norm = network, clip_norm
        self.optimizer = FusedAdam(learning_rate, native=network.kernel == "native")
        self.optimizer.build(network.trainable_variables)
        self.traces = 0
        self._zero_states = lru_cache(maxsize=8)(self._make_zero_states)
        self._signature = (INPUTS_SIGNATURE, tf.TensorSpec((None,), tf.int32, "labels"))

    def train_over(
        self, plan: Plan, sequences: Sequences, first: int = 0, padding: str = "post", states: States | None = None
    ) -> Iterator[tuple[np.ndarray, States]]:
        """Update the weights by the batches of a plan.

        Where the network reads flat batches, they are made within the compiled function, which takes several steps.

        Args:
            plan: of an epoch over `sequences`.
            sequences: what its spans are of.
            first: the batch to begin with.
            padding: of rows that are padded, see `collate`.
            states: after the batch before `first`; only a batch that continues needs it.

        Yields:
            (loss, correct, count) of each of the next K steps, float32 (K, 3), and the states after them. What the
            weights are now is what those steps made of them.
        """
        if not self._network.reads_flat_batches:
            for batch in self._padded(plan, sequences, first, padding):
                figures, states = self.train(batch, states)
                yield figures[np.newaxis], states
            return
        flat = flat_plan(plan), flat_sequences(sequences)
        states = self._zero_states(0) if states is None else tuple(map(tf.convert_to_tensor, states))
        for begin, end in calls(plan, first):
            figures, states = self._train_flat(tf.constant(begin, tf.int64), tf.constant(end, tf.int64), *flat, states)
            yield figures.numpy(), states

    def evaluate_over(self, plan: Plan, sequences: Sequences) -> Iterator[np.ndarray]:
        """Yields (loss, correct, count) of the next K batches of whole sequences, float32 (K, 3), for all batches."""
        if not self._network.reads_flat_batches:
            for batch in self._padded(plan, sequences, 0, "post"):
                yield self.evaluate(batch)[np.newaxis]
            return
        flat = flat_plan(plan), flat_sequences(sequences)
        for begin, end in calls(plan, 0):
            yield self._evaluate_flat(tf.constant(begin, tf.int64), tf.constant(end, tf.int64), *flat).numpy()

    def _padded(self, plan: Plan, sequences: Sequences, first: int, padding: str) -> Iterator[PreparedBatch]:
        return in_bursts(
            lambda number: self.prepare(collate(plan, number, sequences, padding)), range(first, len(plan))
        )

    def prepare(self, batch: Batch) -> PreparedBatch:
        """What the other methods take of a batch. It changes nothing, so that it may be done before."""
        inputs, targets = network_inputs(self._network.config, batch)
        inputs = Inputs(*(tf.convert_to_tensor(values) for values in inputs))
        return PreparedBatch(inputs, tf.convert_to_tensor(targets.labels), len(batch.tokens), batch.continues)

    def train(self, batch: PreparedBatch, states: States | None = None) -> tuple[np.ndarray, States]:
        """Update the weights by one batch.

        Args:
            batch: what to learn.
            states: what the step of the batch before returned; only a batch that continues needs it.

        Returns:
            (loss, correct, count), float32 (3,), and the states after the batch.
        """
        if states is None or not batch.continues:
            states = self._zero_states(batch.rows)
        elif len(states[0]) > batch.rows:
            states = tuple(state[: batch.rows] for state in states)
        figures, after = self._train(batch.inputs, batch.labels, tuple(map(tf.convert_to_tensor, states)))
        return figures.numpy(), after

    def evaluate(self, batch: PreparedBatch) -> np.ndarray:
        """Returns (loss, correct, count) of a batch of whole sequences: float32 (3,)."""
        return self._evaluate(batch.inputs, batch.labels).numpy()

    def _make_zero_states(self, rows: int) -> tuple[tf.Tensor, ...]:
        return tuple(map(tf.convert_to_tensor, self._network.zero_states(rows)))

    # Concrete functions: to be called they take half of a `tf.function`'s time, half a millisecond less a step.
    @cached_property
    def _train(self) -> Callable[..., tuple[tf.Tensor, States]]:
        signature = (*self._signature, self._network.states_signature)
        return tf.function(self._train_step, input_signature=signature).get_concrete_function()

    @cached_property
    def _evaluate(self) -> Callable[..., tf.Tensor]:
        return tf.function(self._evaluate_step, input_signature=self._signature).get_concrete_function()

    @cached_property
    def _train_flat(self) -> Callable[..., tuple[tf.Tensor, States]]:
        signature = (NUMBER_SIGNATURE, NUMBER_SIGNATURE, PLAN_SIGNATURE, SEQUENCES_SIGNATURE)
        function = tf.function(
            self._train_flat_steps, input_signature=(*signature, self._network.states_signature), autograph=False
        )
        return function.get_concrete_function()

    @cached_property
    def _evaluate_flat(self) -> Callable[..., tf.Tensor]:
        signature = (NUMBER_SIGNATURE, NUMBER_SIGNATURE, PLAN_SIGNATURE, SEQUENCES_SIGNATURE)
        return tf.function(
            self._evaluate_flat_steps, input_signature=signature, autograph=False
        ).get_concrete_function()

    def _train_step(self, inputs: Inputs, labels: tf.Tensor, states: States) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        self.traces += 1
        return self._update(lambda: self._network(inputs, states, training=True), labels)

    def _evaluate_step(self, inputs: Inputs, labels: tf.Tensor) -> tf.Tensor:
        self.traces += 1
        logits, _ = self._network(inputs)
        return _figures(logits, labels)[1]

    def _train_flat_steps(
        self, begin: tf.Tensor, end: tf.Tensor, plan: FlatPlan, sequences: FlatSequences, states: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        self.traces += 1

        def step(number: tf.Tensor, states: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
            batch = self._flat_batch(plan, sequences, number)
            rows = tf.size(batch.layout.order)
            before = tf.cond(
                batch.continues,
                lambda: tuple(state[:rows] for state in states),
                lambda: tuple(tf.zeros([rows, state.shape[1]]) for state in states),
            )
            return self._update(lambda: self._network.over(batch, before, training=True), batch.labels)

        return in_turn(begin, end, step, states)

    def _evaluate_flat_steps(
        self, begin: tf.Tensor, end: tf.Tensor, plan: FlatPlan, sequences: FlatSequences
    ) -> tf.Tensor:
        self.traces += 1

        def step(number: tf.Tensor, states: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
            batch = self._flat_batch(plan, sequences, number)
            logits, _ = self._network.over(batch)
            return _figures(logits, batch.labels)[1], states

        return in_turn(begin, end, step, ())[0]

    def _flat_batch(self, plan: FlatPlan, sequences: FlatSequences, number: tf.Tensor) -> FlatBatch:
        return flat_batch(plan, sequences, number, every_step=self._network.config.task == "seq2seq")

    def _update(
        self, predict: Callable[[], tuple[tf.Tensor, tuple[tf.Tensor, ...]]], labels: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Update the weights by what is predicted: (loss, correct, count), and the states after it."""
        variables = [member.trainable_variables for member in self._network.members]
        with tf.GradientTape() as tape:
            logits, after = predict()
            mean, figures = _figures(logits, labels)
        gradients = []
        # The embedding's gradient comes as slices, one per token, duplicate ids and all. Keras on TensorFlow hands
        # them to Adam as they are, which then squares each instead of their sum: so it is made dense here.
        for of_member in tape.gradient(mean, variables):
            dense = [tf.convert_to_tensor(gradient) for gradient in of_member]
            if self._clip_norm is not None:
                dense, _ = tf.clip_by_global_norm(dense, self._clip_norm)
            gradients += dense
        self.optimizer.apply(gradients, [variable for of_member in variables for variable in of_member])
        return figures, after


def _figures(logits: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What is made small, and (loss, correct, count) of what is predicted."""
    members = each_alone(logits)
    losses = [cross_entropy(member, labels) for member in members]
    count = losses[0][1]
    if len(members) == 1:
        predicted, loss = logits, losses[0][0]
        small = loss
    else:
        predicted = log_probabilities_of(logits)
        loss, _ = cross_entropy(predicted, labels)
        # A sum, not a mean: to no member's gradient do the others make a difference.
        small = tf.add_n([of_member for of_member, _ in losses])
    # A window may hold no sequence's end, and then a classifier has nothing to predict.
    return small / tf.maximum(count, 1.0), tf.stack([loss, correct_count(predicted, labels), count])
