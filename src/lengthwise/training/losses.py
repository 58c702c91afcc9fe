"""Losses as (sum, count) to the very end: how a batch is shaped must not change the objective."""

import tensorflow as tf

from lengthwise.models.config import Predicted


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The negative log-likelihood of the labels, in nats, and how many there are.

    Args:
        logits: float32 (P, C).
        labels: int32 (P,); a negative one is none, and counts nothing.

    Returns:
        Sum and count, float32 scalars.
    """
    there = labels >= 0
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
    return tf.reduce_sum(tf.where(there, losses, 0.0)), tf.reduce_sum(tf.cast(there, tf.float32))


def correct_count(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """How many of the likeliest classes are right: a float32 scalar."""
    likeliest = tf.argmax(logits, axis=1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(likeliest == labels, tf.float32))


def loss_of(predicts: Predicted, outputs: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What is made small, and how many predictions there are.

    Args:
        predicts: what the outputs are.
        outputs: float32 (P, C): logits, or numbers.
        target: int32 (P,) of classes; int32 (P, C) of several labels, 1 for yes; float32 (P, C) of numbers.

    Returns:
        Sum and count, float32 scalars: of classes in nats, of several labels in nats, all labels of a sequence
        together, and of numbers the mean over them of the squared errors.
    """
    if predicts == "classes":
        return cross_entropy(outputs, target)
    if predicts == "several":
        losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(target, tf.float32), outputs)
        return tf.reduce_sum(losses), tf.cast(tf.shape(target)[0], tf.float32)
    errors = tf.reduce_mean(tf.square(outputs - target), axis=1)
    return tf.reduce_sum(errors), tf.cast(tf.size(errors), tf.float32)


def score_of(predicts: Predicted, outputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """What the curves show beside the loss, as a sum over predictions: float32.

    Of classes and of several labels, how many predictions are right in all. Of numbers, which are scaled to a variance
    of 1 in training, 1 less the squared error: its mean is the share of the variance that is explained (R squared).
    """
    if predicts == "classes":
        return correct_count(outputs, target)
    if predicts == "several":
        right = tf.reduce_all(tf.cast(outputs > 0, tf.int32) == target, axis=1)
        return tf.reduce_sum(tf.cast(right, tf.float32))
    return tf.reduce_sum(1.0 - tf.reduce_mean(tf.square(outputs - target), axis=1))
