"""A look-up of rows by id, as embeddings are."""

import keras
import tensorflow as tf


class RowTable(keras.layers.Embedding):
    """Keras's embedding for ids that are never negative: to make room for those it takes ten times as many operations.

    >>> import numpy as np
    >>> tuple(RowTable(20, 3)(np.array([[4, 0], [4, 1]])).shape)
    (2, 2, 3)

    Args:
        rows: V, so many ids there are.
        size: D, numbers of a row.
    """

    def __init__(self, rows: int, size: int, **options: object) -> None:
        super().__init__(rows, size, embeddings_initializer="glorot_uniform", **options)

    @property
    def rows(self) -> tf.Tensor:
        """All of them, float32 (V, D)."""
        return tf.convert_to_tensor(self.embeddings)

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """The rows of ids (...), float32 (..., D).

        Args:
            ids: whole numbers, from 0 to V - 1.
        """
        return tf.gather(self.rows, ids)
