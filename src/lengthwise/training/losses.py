"""Losses as (sum, count) to the very end: how a batch is shaped must not change the objective."""

import tensorflow as tf


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The negative log-likelihood of the labels, in nats, and how many there are.

    Args:
        logits: float32 (P, C).
        labels: int32 (P,).

    Returns:
        Sum and count, float32 scalars.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return tf.reduce_sum(losses), tf.cast(tf.size(labels), tf.float32)


def correct_count(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """How many of the likeliest classes are right: a float32 scalar."""
    likeliest = tf.argmax(logits, axis=1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(likeliest == labels, tf.float32))
