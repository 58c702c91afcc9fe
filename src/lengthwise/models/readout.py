"""What a classifier reads of a sequence: the output of its last step, or the mean or the largest of all its outputs.

last   "the last relevant output" of the article: what the state still holds of a long sequence
mean   of the outputs of all steps, so that the thousandth token counts as much as the last
max    of each feature, over all steps (Collobert and Weston, 2008)

Only steps that have a token are outputs of a sequence, so padding changes nothing. Shapes: B rows, T padded width, N
steps, P predictions, D features.
"""

import tensorflow as tf

from lengthwise.native.ops import RaggedLayout

POOLS = {"max": tf.math.unsorted_segment_max, "mean": tf.math.unsorted_segment_mean}


def pool(readout: str, outputs: tf.Tensor, sequence: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    """Pool the outputs of whole sequences.

    Args:
        readout: `max` or `mean`.
        outputs: float32 (N, D).
        sequence: int32 (N,), which sequence a step is of; negative where it is of none.
        at: int32 (P,), a step of each sequence that is asked for.

    Returns:
        float32 (P, D).
    """
    pooled = POOLS[readout](outputs, sequence, tf.reduce_max(sequence) + 1)
    return tf.gather(pooled, tf.gather(sequence, at))


def padded_sequences(mask: tf.Tensor, resets: tf.Tensor) -> tf.Tensor:
    """Which sequence each padded step is of.

        resets   1 0 1 0      sequence   0 0 1 -1
        mask     1 1 1 0

    Args:
        mask: bool (B, T), true where there is a token.
        resets: bool (B, T), true where a sequence begins.

    Returns:
        int32 (B * T,), -1 at padding. A row's first step begins a sequence in any case.
    """
    begins = resets | (tf.range(tf.shape(mask)[1]) == 0)
    number = tf.cumsum(tf.reshape(tf.cast(begins, tf.int32), [-1])) - 1
    return tf.where(tf.reshape(mask, [-1]), number, -1)


def flat_sequences(layout: RaggedLayout) -> tf.Tensor:
    """Which sequence each flat step is of.

        flat     a0 c0 b0 a1 c1 a2      sequence   0 1 2 0 1 0

    Args:
        layout: of N steps.

    Returns:
        int32 (N,). A row's first step begins a sequence in any case.
    """
    # Rows stand by falling length: the rank of a row is its place among those that are active at a step.
    step = tf.repeat(tf.range(tf.size(layout.active)), layout.active)
    rank = tf.range(tf.size(step)) - tf.gather(tf.cumsum(layout.active, exclusive=True), step)
    # A row of rank r has as many steps as have more than r rows.
    rows = tf.size(layout.order)
    lengths = tf.cumsum(tf.math.bincount(layout.active - 1, minlength=rows, maxlength=rows), reverse=True)
    place = tf.gather(tf.cumsum(lengths, exclusive=True), rank) + step
    begins = tf.cast(layout.begins | (step == 0), tf.int32)
    number = tf.cumsum(tf.scatter_nd(place[:, tf.newaxis], begins, tf.shape(place))) - 1
    return tf.gather(number, place)
