"""Steps of training and of evaluation, each traced once whatever the widths are."""

from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from lengthwise.batching.bursts import in_bursts
from lengthwise.batching.collate import Batch, collate
from lengthwise.batching.plan import Plan
from lengthwise.core.names import EVERY_STEP_TASKS
from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.models.ensemble import Ensemble
from lengthwise.models.inputs import Inputs, flat_inputs, network_inputs
from lengthwise.models.network import Network, States
from lengthwise.models.outputs import each_alone, together
from lengthwise.models.tasks import TaskColumns, task_columns
from lengthwise.native.ops import FlatBatch, FlatPlan, FlatSequences, flat_batch
from lengthwise.training.adam import FusedAdam
from lengthwise.training.calls import (
    NUMBER_SIGNATURE,
    PLAN_SIGNATURE,
    TARGET,
    FlatColumns,
    calls,
    flat_columns_of,
    flat_plan,
    flat_sequences,
    flat_signature,
    in_turn,
    states_before,
    target_spec,
)
from lengthwise.training.class_weights import weighted_loss
from lengthwise.training.losses import loss_of, score_of
from lengthwise.training.optimizers import UpdateRule


class PreparedBatch(NamedTuple):
    """A batch as the compiled steps take it; see `Steps.prepare`.

    Attributes:
        inputs: what the network reads.
        labels: (P,) or (P, K), what is right at its positions, see `TaskColumns`.
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
        rule: what makes steps of gradients in the place of Adam.
    """

    def __init__(
        self,
        network: Network | Ensemble,
        learning_rate: float | LearningRateSchedule,
        clip_norm: float | None,
        rule: UpdateRule | None = None,
    ) -> None:
        self._network, self._clip_norm = network, clip_norm
        if rule is None:
            rule = UpdateRule(FusedAdam(learning_rate, native=network.kernel == "native"))
            rule.optimizer.build(network.trainable_variables)
        self.optimizer, self._class_weights = rule.optimizer, rule.class_weights
        self._moving = {path: tf.constant(~rows[:, np.newaxis], tf.float32) for path, rows in rule.still.items()}
        self.traces = 0
        self._zero_states = lru_cache(maxsize=8)(self._make_zero_states)
        self._signature = (network.inputs_signature, target_spec(network.config))

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
        flat = flat_plan(plan), *self._flat_sequences(sequences)
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
        flat = flat_plan(plan), *self._flat_sequences(sequences)
        for begin, end in calls(plan, 0):
            yield self._evaluate_flat(tf.constant(begin, tf.int64), tf.constant(end, tf.int64), *flat).numpy()

    def whole(self, states: States) -> list[np.ndarray]:
        """The states of whole batches, as `train_over` takes them, from what it yields."""
        return [np.asarray(state) for state in states]

    def _padded(self, plan: Plan, sequences: Sequences, first: int, padding: str) -> Iterator[PreparedBatch]:
        columns = task_columns(self._network.config, sequences)
        return in_bursts(
            lambda number: self.prepare(collate(plan, number, sequences, padding), columns), range(first, len(plan))
        )

    def prepare(self, batch: Batch, columns: TaskColumns | None = None) -> PreparedBatch:
        """What the other methods take of a batch. It changes nothing, so that it may be done before.

        Args:
            batch: of a plan over some sequences.
            columns: of these sequences, see `network_inputs`.
        """
        inputs, targets = network_inputs(self._network.config, batch, columns)
        inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
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
        return tf.function(self._train_step, input_signature=signature, autograph=False).get_concrete_function()

    @cached_property
    def _evaluate(self) -> Callable[..., tf.Tensor]:
        function = tf.function(self._evaluate_step, input_signature=self._signature, autograph=False)
        return function.get_concrete_function()

    @cached_property
    def _train_flat(self) -> Callable[..., tuple[tf.Tensor, States]]:
        signature = (NUMBER_SIGNATURE, NUMBER_SIGNATURE, PLAN_SIGNATURE, *flat_signature(self._network.config))
        function = tf.function(
            self._train_flat_steps, input_signature=(*signature, self._network.states_signature), autograph=False
        )
        return function.get_concrete_function()

    @cached_property
    def _evaluate_flat(self) -> Callable[..., tf.Tensor]:
        signature = (NUMBER_SIGNATURE, NUMBER_SIGNATURE, PLAN_SIGNATURE, *flat_signature(self._network.config))
        return tf.function(
            self._evaluate_flat_steps, input_signature=signature, autograph=False
        ).get_concrete_function()

    def _train_step(self, inputs: Inputs, labels: tf.Tensor, states: States) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        self.traces += 1
        return self._update(lambda: self._network(inputs, states, training=True), labels)

    def _evaluate_step(self, inputs: Inputs, labels: tf.Tensor) -> tf.Tensor:
        self.traces += 1
        logits, _ = self._network(inputs)
        return self._figures(logits, labels)[1]

    def _train_flat_steps(
        self,
        begin: tf.Tensor,
        end: tf.Tensor,
        plan: FlatPlan,
        sequences: FlatSequences,
        columns: FlatColumns,
        states: tuple[tf.Tensor, ...],
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        self.traces += 1

        def step(number: tf.Tensor, states: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
            batch, target, read = self._flat_batch(plan, sequences, columns, number)
            before = states_before(batch, states)
            return self._update(lambda: self._network.over(batch, before, training=True, columns=read), target)

        return in_turn(begin, end, step, states)

    def _evaluate_flat_steps(
        self, begin: tf.Tensor, end: tf.Tensor, plan: FlatPlan, sequences: FlatSequences, columns: FlatColumns
    ) -> tf.Tensor:
        self.traces += 1

        def step(number: tf.Tensor, states: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
            batch, target, read = self._flat_batch(plan, sequences, columns, number)
            logits, _ = self._network.over(batch, columns=read)
            return self._figures(logits, target)[1], states

        return in_turn(begin, end, step, ())[0]

    def _flat_sequences(self, sequences: Sequences) -> tuple[FlatSequences, FlatColumns]:
        columns = task_columns(self._network.config, sequences)
        return flat_sequences(sequences), flat_columns_of(self._network.config, sequences, columns)

    def _flat_batch(
        self, plan: FlatPlan, sequences: FlatSequences, columns: FlatColumns, number: tf.Tensor
    ) -> tuple[FlatBatch, tf.Tensor, dict[str, tf.Tensor]]:
        """A batch, what is right where it is read, and what its steps have beside tokens."""
        config = self._network.config
        batch = flat_batch(plan, sequences, number, every_step=config.task in EVERY_STEP_TASKS)
        # The sequences are numbered, and so are their steps: see `flat_sequences`.
        read = {name: tf.gather(values, batch.ids) for name, values in columns.per_step.items()}
        batch = flat_inputs(config, batch._replace(ids=read.pop(TOKENS, tf.zeros_like(batch.ids))))
        of_sequence = {name: tf.gather(values, batch.labels) for name, values in columns.per_sequence.items()}
        target = read.pop(TARGET) if TARGET in read else of_sequence[TARGET]
        return batch, target, read

    def _update(
        self, predict: Callable[[], tuple[tf.Tensor, tuple[tf.Tensor, ...]]], labels: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Update the weights by what is predicted: (loss, correct, count), and the states after it."""
        variables = [member.trainable_variables for member in self._network.members]
        with tf.GradientTape() as tape:
            logits, after = predict()
            small, figures = self._figures(logits, labels, self._class_weights)
            # A window may hold no sequence's end, and then a classifier has nothing to predict.
            mean = small / tf.maximum(tf.stop_gradient(figures[-1]), 1.0)
        # The embedding's gradient comes as slices, one per token, duplicate ids and all. Keras on TensorFlow hands
        # them to Adam as they are, which then squares each instead of their sum: so it is made dense here.
        self._descend(tf.nest.map_structure(tf.convert_to_tensor, tape.gradient(mean, variables)))
        return figures, after

    def _descend(self, gradients_by_member: list[list[tf.Tensor]]) -> None:
        """Take a step by the gradients of each member's weights; all of them are dense."""
        variables = [member.trainable_variables for member in self._network.members]
        gradients = []
        for of_member, weights in zip(gradients_by_member, variables, strict=True):
            dense = list(of_member)
            for place, weight in enumerate(weights):
                if weight.path in self._moving:
                    dense[place] *= self._moving[weight.path]
            if self._clip_norm is not None:
                dense, _ = tf.clip_by_global_norm(dense, self._clip_norm)
            gradients += dense
        self.optimizer.apply(gradients, [variable for of_member in variables for variable in of_member])

    def _figures(
        self, logits: tf.Tensor, target: tf.Tensor, class_weights: np.ndarray | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What is made small, as a sum, and (loss, score, count) of what is predicted, which know of no weights."""
        predicts, scale = self._network.config.predicts, self._network.target_scale
        if scale is not None:
            target = scale(target)
        members = each_alone(logits)
        losses = [loss_of(predicts, member, target) for member in members]
        count = losses[0][1]
        if len(members) == 1:
            joined, loss = logits, losses[0][0]
            small = loss
        else:
            joined = together(predicts, logits)
            loss, _ = loss_of(predicts, joined, target)
            # A sum, not a mean: to no member's gradient do the others make a difference.
            small = tf.add_n([of_member for of_member, _ in losses])
        if class_weights is not None:
            small = tf.add_n([weighted_loss(member, target, class_weights) for member in members])
        return small, tf.stack([loss, score_of(predicts, joined, target), count])
