"""What a classifier reads of a sequence: the output of its last step, or something of all its outputs.

last       "the last relevant output" of the article: what the state still holds of a long sequence
mean       of the outputs of all steps, so that the thousandth token counts as much as the last
max        of each feature, over all steps (Collobert and Weston, 2008)
mean_max   the two side by side (concat pooling: Howard and Ruder, 2018, section 3.3)
attention  a mean that is weighted by learned scores of the steps (Yang et al., 2016, equations 5 to 7)
gated      the same, each score passed by a learned gate (Ilse et al., 2018, equation 9)

Only steps that have a token are outputs of a sequence, so padding changes nothing. Shapes: B rows, T padded width, N
steps, P predictions, D features, R features that are read: D, or 2 D by `mean_max`.
"""

import keras
import tensorflow as tf

from lengthwise.native.ops import RaggedLayout

# What stands side by side in what is read.
POOLS = {
    "max": (tf.math.unsorted_segment_max,),
    "mean": (tf.math.unsorted_segment_mean,),
    "mean_max": (tf.math.unsorted_segment_mean, tf.math.unsorted_segment_max),
}


def pool(readout: str, outputs: tf.Tensor, sequence: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    """Pool the outputs of whole sequences.

    Args:
        readout: `max`, `mean` or `mean_max`.
        outputs: float32 (N, D).
        sequence: int32 (N,), which sequence a step is of; negative where it is of none.
        at: int32 (P,), a step of each sequence that is asked for.

    Returns:
        float32 (P, R).
    """
    count = tf.reduce_max(sequence) + 1
    pooled = [pooling(outputs, sequence, count) for pooling in POOLS[readout]]
    return tf.gather(tf.concat(pooled, axis=-1), tf.gather(sequence, at))


class AttentionReadout(keras.layers.Layer):
    """Means of the outputs of whole sequences, weighted by attention.

    A step of output h has the score c . tanh(W h + b), and, gated, c . (tanh(W h + b) * sigmoid(V h + d)). Its weight
    is the softmax of the scores of its sequence: Yang et al. (2016), equations 5 to 7, and Ilse et al. (2018),
    equation 9. W and V are (D, D).

    Args:
        gated: whether scores are gated.
        name: of the layer.
    """

    def __init__(self, gated: bool, name: str = "readout") -> None:
        super().__init__(name=name)
        self._gated = gated

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights, of outputs (N, D)."""
        size = shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=(size, size), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(size,), initializer="zeros")
        self.context = self.add_weight(name="context", shape=(size, 1), initializer="glorot_uniform")
        if self._gated:
            self.gate_kernel = self.add_weight(name="gate_kernel", shape=(size, size), initializer="glorot_uniform")
            self.gate_bias = self.add_weight(name="gate_bias", shape=(size,), initializer="zeros")
        super().build(shape)

    def call(self, outputs: tf.Tensor, sequence: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
        """Pool the outputs of whole sequences; see `pool`."""
        hidden = tf.tanh(outputs @ self.kernel + self.bias)
        if self._gated:
            hidden *= tf.sigmoid(outputs @ self.gate_kernel + self.gate_bias)
        scores = tf.squeeze(hidden @ self.context, -1)
        count = tf.reduce_max(sequence) + 1
        # Steps of no sequence are in no sum.
        of = tf.maximum(sequence, 0)
        highest = tf.stop_gradient(tf.gather(tf.math.unsorted_segment_max(scores, sequence, count), of))
        weights = tf.exp(tf.minimum(scores - highest, 0.0))
        sums = tf.math.unsorted_segment_sum(weights, sequence, count)
        means = tf.math.unsorted_segment_sum(outputs * weights[:, tf.newaxis], sequence, count) / sums[:, tf.newaxis]
        return tf.gather(means, tf.gather(sequence, at))


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


def read_out(
    attention: AttentionReadout | None, readout: str, outputs: tf.Tensor, sequence: tf.Tensor, at: tf.Tensor
) -> tf.Tensor:
    """What is read of each sequence, float32 (P, R): by attention where there is one, or pooled.

    Args:
        attention: the layer, or None.
        readout: of `pool`.
        outputs: float32 (N, D), of flat steps.
        sequence: see `pool`.
        at: see `pool`.
    """
    return pool(readout, outputs, sequence, at) if attention is None else attention(outputs, sequence, at)
