"""What the outputs of a network, or of several that predict together, say."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from lengthwise.models.config import Predicted
from lengthwise.models.inputs import Inputs


def each_alone(logits: tf.Tensor) -> list[tf.Tensor]:
    """The outputs of each member, (P, C): of an ensemble's (M, P, C), or of a network's (P, C), which is alone."""
    return [logits] if logits.shape.rank == 2 else tf.unstack(logits)


def log_probabilities_of(logits: tf.Tensor) -> tf.Tensor:
    """What is predicted, float32 (P, C), by an ensemble's logits (M, P, C) together or by a network's (P, C)."""
    scores = tf.nn.log_softmax(logits)
    return scores if logits.shape.rank == 2 else tf.nn.log_softmax(tf.reduce_mean(scores, axis=0))


def together(predicts: Predicted, outputs: tf.Tensor) -> tf.Tensor:
    """What all members predict as one: float32 (P, C).

    Of classes the logarithms of probabilities; of several labels the logits of yes; of numbers the scaled numbers.
    """
    if predicts == "classes":
        return log_probabilities_of(outputs)
    return outputs if outputs.shape.rank == 2 else tf.reduce_mean(outputs, axis=0)


def traced_prediction(network: Any) -> Callable[[Inputs], tf.Tensor]:  # noqa: ANN401 - Network or Ensemble.
    """A function that is traced once: what a network or an ensemble says of whole sequences, see `together`."""

    def predict(inputs: Inputs) -> tf.Tensor:
        return together(network.config.predicts, network(inputs)[0])

    return tf.function(predict, input_signature=(network.inputs_signature,), autograph=False)
