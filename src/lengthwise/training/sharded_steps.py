"""Steps whose batches are dealt to logical shards, so that their bytes depend on no number of workers and threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from lengthwise.batching.collate import collate
from lengthwise.batching.dealt import DealtPlan, deal
from lengthwise.batching.plan import Plan
from lengthwise.core.sequences import Sequences
from lengthwise.layers.chance import chance_at
from lengthwise.models.ensemble import Ensemble
from lengthwise.models.inputs import Inputs
from lengthwise.models.network import Network, States
from lengthwise.models.tasks import task_columns
from lengthwise.native.ops import FlatPlan, FlatSequences
from lengthwise.training.calls import (
    NUMBER_SIGNATURE,
    PLAN_SIGNATURE,
    FlatColumns,
    calls,
    flat_plan,
    flat_signature,
    states_before,
)
from lengthwise.training.optimizers import UpdateRule
from lengthwise.training.step import Steps
from lengthwise.training.team import Team

FIGURES = 3
# Batches that are evaluated before the workers tell each other of them, at least; more where there are more shards.
ROUND = 16


def batches_of_shards(batches: int, shards: int) -> list[range]:
    """Which batches of a round each logical shard computes, evenly, whoever computes the shard.

    >>> batches_of_shards(3, 4)
    [range(0, 1), range(1, 2), range(2, 3), range(3, 3)]

    Args:
        batches: of the round.
        shards: how many, from 1.
    """
    return [range(-(-shard * batches // shards), -(-(shard + 1) * batches // shards)) for shard in range(shards)]


class ShardedSteps(Steps):
    """Steps of which every worker computes its logical shards, in threads of one shard each.

    A shard's gradients are those of the sum of its losses. They are summed over all shards in one tree, and only then
    divided by the count of predictions and clipped.

    Args:
        network: as of `Steps`.
        learning_rate: as of `Steps`.
        clip_norm: as of `Steps`.
        rule: as of `Steps`.
        team: the workers.
    """

    def __init__(
        self,
        network: Network | Ensemble,
        learning_rate: float | LearningRateSchedule,
        clip_norm: float | None,
        rule: UpdateRule | None,
        team: Team,
    ) -> None:
        super().__init__(network, learning_rate, clip_norm, rule)
        self._team, self._threads = team, ThreadPoolExecutor(team.threads, "shard")
        self._sizes = [int(np.prod(variable.shape)) for variable in network.trainable_variables]
        self._nothing = np.zeros(sum(self._sizes) + FIGURES, np.float32)

    def train_over(
        self, plan: Plan, sequences: Sequences, first: int = 0, padding: str = "post", states: States | None = None
    ) -> Iterator[tuple[np.ndarray, States]]:
        """As `Steps.train_over`, one step at a time; `states` are those of whole batches, what it yields is own."""
        dealt, shards = deal(plan, self._team.shards), range(*self._team.own)
        compute = self._shard_function(dealt, sequences, padding)
        carried = {shard: self._dealt_states(states, shard) for shard in shards}
        number = int(self.optimizer.iterations.numpy())
        for batch in range(first, len(plan)):
            parts = [batch * self._team.shards + shard for shard in shards]
            places = [number * self._team.shards + shard for shard in shards]
            by_shard = list(self._threads.map(compute, parts, places, carried.values()))
            carried = {shard: after for shard, (_, after) in zip(shards, by_shard, strict=True)}
            total = self._team.sum([here for here, _ in by_shard])
            self._descend_by(tf.constant(total))
            number += 1
            yield total[np.newaxis, -FIGURES:], [state for after in carried.values() for state in after]

    def evaluate_over(self, plan: Plan, sequences: Sequences) -> Iterator[np.ndarray]:
        """As `Steps.evaluate_over`, to the byte; every worker computes the batches of its shards, in its threads.

        The figures of each batch come to all workers after each round of batches, see `batches_of_shards`.
        """
        evaluate, every = self._evaluation(plan, sequences), self._team.shards
        figures, known = np.empty((len(plan), FIGURES), np.float32), 0
        # They are added as those of whole batches are: of one call after another.
        for begin, end in calls(plan, 0) if self._network.reads_flat_batches else pairwise(range(len(plan) + 1)):
            while known < end:
                size = min(max(every, ROUND), len(plan) - known)
                figures[known : known + size] = self._evaluated(evaluate, known, batches_of_shards(size, every))
                known += size
            yield figures[begin:end]

    def _evaluated(self, evaluate: Callable[[int], np.ndarray], first: int, shares: list[range]) -> np.ndarray:
        """The figures of a round of batches, float32 (K, 3), from those that the workers have."""
        own = shares[slice(*self._team.own)]
        here = iter(list(self._threads.map(evaluate, [first + number for share in own for number in share])))
        by_shard = []
        for share in own:
            # Zeros elsewhere, so that the sum has every batch's own bytes.
            figures = np.zeros((shares[-1].stop, FIGURES), np.float32)
            for number in share:
                figures[number] = next(here)
            by_shard.append(figures.reshape(-1))
        return self._team.sum(by_shard).reshape(-1, FIGURES)

    def _evaluation(self, plan: Plan, sequences: Sequences) -> Callable[[int], np.ndarray]:
        """What computes (loss, correct, count) of a batch: float32 (3,)."""
        if not self._network.reads_flat_batches:
            columns = task_columns(self._network.config, sequences)
            self._evaluate  # noqa: B018 - traced once, before the threads ask for it.
            return lambda number: self.evaluate(self.prepare(collate(plan, number, sequences), columns))
        flat, function = (flat_plan(plan), *self._flat_sequences(sequences)), self._evaluate_flat

        def evaluate(number: int) -> np.ndarray:
            figures = function(tf.constant(number, tf.int64), tf.constant(number + 1, tf.int64), *flat)
            return figures.numpy()[0]

        return evaluate

    def whole(self, states: States) -> list[np.ndarray]:
        """The states of whole batches, from what each worker has of its shards: at the first worker alone."""
        kinds = len(self._network.states_signature)
        own = [np.asarray(state) for state in states]
        shards = [array for arrays in self._team.gathered(own) for array in arrays]
        if not shards:
            return []
        merged = []
        for kind in range(kinds):
            parts = shards[kind::kinds]
            here = np.empty((sum(map(len, parts)), parts[0].shape[1]), np.float32)
            for shard, part in enumerate(parts):
                # Otherwise no batch goes on from this one, see `deal`.
                if len(here[shard :: len(parts)]) == len(part):
                    here[shard :: len(parts)] = part
            merged.append(here)
        return merged

    def _dealt_states(self, states: States | None, shard: int) -> States:
        if states is None:
            return self._zero_states(0)
        return tuple(tf.convert_to_tensor(np.asarray(state)[shard :: self._team.shards]) for state in states)

    def _shard_function(
        self, plan: DealtPlan, sequences: Sequences, padding: str
    ) -> Callable[[int, int, States], tuple[np.ndarray, States]]:
        """What computes a part of a plan: the gradients and figures (P + 3,), and the states after it."""
        if self._network.reads_flat_batches:
            flat = flat_plan(plan), *self._flat_sequences(sequences)
            function = self._flat_shard

            def arguments(part: int, states: States) -> tuple[Any, ...]:
                return tf.constant(part, tf.int64), *flat, tuple(states)
        else:
            columns = task_columns(self._network.config, sequences)
            function = self._padded_shard

            def arguments(part: int, states: States) -> tuple[Any, ...]:
                batch = self.prepare(collate(plan, part, sequences, padding), columns)
                before = tuple(states) if batch.continues else self._make_zero_states(batch.rows)
                return batch.inputs, batch.labels, tuple(state[: batch.rows] for state in before)

        def compute(part: int, place: int, states: States) -> tuple[np.ndarray, States]:
            if not plan.holds(part):
                return self._nothing, self._zero_states(0)
            vector, after = function(tf.constant(place, tf.int64), *arguments(part, states))
            return vector.numpy(), after

        return compute

    @cached_property
    def _padded_shard(self) -> Callable[..., tuple[tf.Tensor, States]]:
        signature = (NUMBER_SIGNATURE, *self._signature, self._network.states_signature)

        def shard(
            place: tf.Tensor, inputs: Inputs, labels: tf.Tensor, states: States
        ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
            self.traces += 1
            return self._gradients(place, lambda: self._network(inputs, states, training=True), labels)

        return tf.function(shard, input_signature=signature, autograph=False).get_concrete_function()

    @cached_property
    def _flat_shard(self) -> Callable[..., tuple[tf.Tensor, States]]:
        of_batches = (PLAN_SIGNATURE, *flat_signature(self._network.config))
        signature = (NUMBER_SIGNATURE, NUMBER_SIGNATURE, *of_batches, self._network.states_signature)

        def shard(
            place: tf.Tensor,
            part: tf.Tensor,
            plan: FlatPlan,
            sequences: FlatSequences,
            columns: FlatColumns,
            states: tuple[tf.Tensor, ...],
        ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
            self.traces += 1
            batch, target, read = self._flat_batch(plan, sequences, columns, part)
            before = states_before(batch, states)
            return self._gradients(
                place, lambda: self._network.over(batch, before, training=True, columns=read), target
            )

        return tf.function(shard, input_signature=signature, autograph=False).get_concrete_function()

    @cached_property
    def _descend_by(self) -> Callable[[tf.Tensor], None]:
        def descend(total: tf.Tensor) -> None:
            self.traces += 1
            count = tf.maximum(total[-1], 1.0)
            pieces = iter(tf.split(total[:-FIGURES], self._sizes))
            self._descend(
                [
                    [tf.reshape(next(pieces) / count, variable.shape) for variable in member.trainable_variables]
                    for member in self._network.members
                ]
            )

        signature = (tf.TensorSpec(self._nothing.shape, tf.float32),)
        return tf.function(descend, input_signature=signature, autograph=False).get_concrete_function()

    def _gradients(
        self, place: tf.Tensor, predict: Callable[[], tuple[tf.Tensor, tuple[tf.Tensor, ...]]], labels: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """The gradients of a shard's summed losses and its figures in one vector, and the states after it."""
        with tf.GradientTape() as tape, chance_at(place):
            logits, after = predict()
            small, figures = self._figures(logits, labels, self._class_weights)
        dense = map(tf.convert_to_tensor, tape.gradient(small, self._network.trainable_variables))
        return tf.concat([*(tf.reshape(gradient, [-1]) for gradient in dense), figures], axis=0), tuple(after)
