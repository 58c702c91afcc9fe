"""How much each class counts in what training makes small, so that frequent classes do not drown the others.

Only the gradient knows of it: loss and accuracy are reported as they are, and stay comparable with those of other runs.
"""

import numpy as np
import tensorflow as tf


def balanced_weights(counts: np.ndarray) -> np.ndarray:
    """The weights with which all classes count the same together, and a prediction 1 in the mean.

    >>> import numpy as np
    >>> from lengthwise.training.class_weights import balanced_weights
    >>> balanced_weights(np.array([6, 2, 0])).round(3).tolist()
    [0.667, 2.0, 0.0]

    Args:
        counts: int (C,), predictions of each class in training; a class without any has weight 0.

    Returns:
        float32 (C,): the number of predictions, over the number of classes that have some, over the class's own.
    """
    counts = np.asarray(counts, np.float64)
    share = counts.sum() / max(1, np.count_nonzero(counts))
    return np.divide(share, counts, out=np.zeros_like(counts), where=counts > 0).astype(np.float32)


def weighted_loss(logits: tf.Tensor, labels: tf.Tensor, weights: np.ndarray) -> tf.Tensor:
    """The sum of the negative log-likelihoods of the labels, in nats, each times the weight of its class.

    Args:
        logits: float32 (P, C).
        labels: int32 (P,); a negative one is none, and counts nothing.
        weights: float32 (C,).
    """
    classes = tf.maximum(labels, 0)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    weighted = losses * tf.gather(tf.constant(weights, tf.float32), classes)
    return tf.reduce_sum(tf.where(labels >= 0, weighted, 0.0))
