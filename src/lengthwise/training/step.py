"""One step of training and one of evaluation, each traced once whatever the widths are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lengthwise.batching.collate import Batch
from lengthwise.losses import correct_count, cross_entropy
from lengthwise.models.network import INPUTS_SIGNATURE, Inputs, Network, States, network_inputs
from lengthwise.training.adam import FusedAdam


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
        network: it is trained in place.
        learning_rate: of Adam.
        clip_norm: the most that the norm of all gradients together may be (Pascanu, Mikolov and Bengio, 2013), or None.
    """

    def __init__(self, network: Network, learning_rate: float, clip_norm: float | None) -> None:
        self._network, self._clip_norm = network, clip_norm
        self.optimizer = FusedAdam(learning_rate)
        self.optimizer.build(network.trainable_variables)
        self.traces = 0
        self._zero_states = lru_cache(maxsize=8)(self._make_zero_states)
        self._signature = (INPUTS_SIGNATURE, tf.TensorSpec((None,), tf.int32, "labels"))

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

    def _train_step(self, inputs: Inputs, labels: tf.Tensor, states: States) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        self.traces += 1
        variables = self._network.trainable_variables
        with tf.GradientTape() as tape:
            logits, after = self._network(inputs, states, training=True)
            loss, count = cross_entropy(logits, labels)
            # A window may hold no sequence's end, and then a classifier has nothing to predict.
            mean = loss / tf.maximum(count, 1.0)
        # The embedding's gradient comes as slices, one per token, duplicate ids and all. Keras on TensorFlow hands
        # them to Adam as they are, which then squares each instead of their sum: so it is made dense here.
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(mean, variables)]
        if self._clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm)
        self.optimizer.apply(gradients, variables)
        return tf.stack([loss, correct_count(logits, labels), count]), after

    def _evaluate_step(self, inputs: Inputs, labels: tf.Tensor) -> tf.Tensor:
        self.traces += 1
        logits, _ = self._network(inputs)
        loss, count = cross_entropy(logits, labels)
        return tf.stack([loss, correct_count(logits, labels), count])
