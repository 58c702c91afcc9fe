"""One step of training and one of evaluation, each traced once whatever the widths are."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from lengthwise.batching.collate import Batch
from lengthwise.losses import correct_count, cross_entropy
from lengthwise.models.network import POSITIONS, TOKENS, Network
from lengthwise.models.tasks import TASKS

SIGNATURE = (TOKENS, POSITIONS, tf.TensorSpec((None,), tf.int32, "labels"))


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


class Steps:
    """The compiled steps of a network.

    Args:
        network: it is trained in place.
        learning_rate: of Adam.
    """

    def __init__(self, network: Network, learning_rate: float) -> None:
        self._network = network
        self._targets = TASKS[network.config.task]
        self.optimizer = keras.optimizers.Adam(learning_rate)
        self.optimizer.build(network.trainable_variables)
        self.traces = 0
        self._train = tf.function(self._train_step, input_signature=SIGNATURE)
        self._evaluate = tf.function(self._evaluate_step, input_signature=SIGNATURE)

    def train(self, batch: Batch) -> np.ndarray:
        """Update the weights by one batch; returns (loss, correct, count): float32 (3,)."""
        targets = self._targets(batch)
        return self._train(batch.tokens, targets.positions, targets.labels).numpy()

    def evaluate(self, batch: Batch) -> np.ndarray:
        """Returns (loss, correct, count) of a batch: float32 (3,)."""
        targets = self._targets(batch)
        return self._evaluate(batch.tokens, targets.positions, targets.labels).numpy()

    def _train_step(self, tokens: tf.Tensor, positions: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        self.traces += 1
        variables = self._network.trainable_variables
        with tf.GradientTape() as tape:
            logits = self._network(tokens, positions, training=True)
            loss, count = cross_entropy(logits, labels)
            mean = loss / count
        # The embedding's gradient comes as slices, one per token, duplicate ids and all. Keras on TensorFlow hands
        # them to Adam as they are, which then squares each instead of their sum: so it is made dense here.
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(mean, variables)]
        self.optimizer.apply(gradients, variables)
        return tf.stack([loss, correct_count(logits, labels), count])

    def _evaluate_step(self, tokens: tf.Tensor, positions: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        self.traces += 1
        logits = self._network(tokens, positions)
        loss, count = cross_entropy(logits, labels)
        return tf.stack([loss, correct_count(logits, labels), count])
