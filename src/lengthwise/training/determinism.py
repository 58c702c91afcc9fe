"""The start of a training: seeds, determinism, and who has which threads."""

from contextlib import suppress

import keras
import tensorflow as tf


def start_tensorflow(seed: int, kernel: str, shard_threads: int | None = None) -> None:
    """Seed everything, let TensorFlow take deterministic ops only, which switches XLA off, and share out its threads.

    The native kernel computes with all of them. Threads that look for another operation to run meanwhile take the
    processors from those that are to help, a sixth of a step's time: so operations run one at a time. Where TensorFlow
    has begun already, its threads stay as they are.

    Args:
        seed: of weights and dropout.
        kernel: what computes the recurrent layers, `native` or `keras`.
        shard_threads: how many logical shards are computed at a time, each in one thread, so that no sum depends on the
            number; None where there are none.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    if shard_threads is not None:
        with suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(shard_threads)
    elif kernel == "native":
        with suppress(RuntimeError):
            tf.config.threading.set_inter_op_parallelism_threads(1)
