"""What the machine can do at most: the rate of a large matrix product."""

from peers.data import Data
from peers.processes import Stopwatch

SIZE = 2048
PRODUCT_FLOP = 2.0 * SIZE**3


def run(_data: Data, stopwatch: Stopwatch) -> None:
    """Multiply two float32 matrices, large enough for all threads, again and again."""
    # Not above: the parent reads the constants, and needs no TensorFlow.
    import tensorflow as tf

    left, right = (tf.random.stateless_uniform((SIZE, SIZE), (1, number)) for number in range(2))
    product = tf.function(tf.matmul)
    while True:
        product(left, right)
        stopwatch.tick(0, 0)
