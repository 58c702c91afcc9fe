"""Tokens that training makes unknown, so that no prediction hangs on a single word."""

import keras
import tensorflow as tf

from lengthwise.core.sequences import UNK_ID
from lengthwise.layers.chance import drawn_by_place, next_seed


@keras.saving.register_keras_serializable("lengthwise")
class WordDropout(keras.layers.Layer):
    """Word dropout (Iyyer et al., 2015), by an unknown token in the dropped one's place (Bowman et al., 2016).

    A sequence keeps its length, so no batch is planned anew. Inputs and outputs are int32 (B, T), ids of tokens.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> ids = np.full((1, 1000), 7, np.int32)
    >>> np.unique(lw.WordDropout(0.5, seed=1)(ids, training=True)).tolist()  # 1 is the unknown token's id
    [1, 7]

    Args:
        rate: the share of tokens that is dropped, in [0, 1).
        seed: of the chance, or None for any.
        **kwargs: as those of any Keras layer.

    Raises:
        ValueError: there is no such rate.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate: got {rate!r}; expected a share in [0, 1)")
        self.rate, self.seed = rate, seed
        # As of Keras's dropout: no chance is drawn where nothing is dropped.
        self.seed_generator = keras.random.SeedGenerator(seed) if rate > 0 else None
        self.built = True

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Make tokens unknown, while training.

        Args:
            inputs: int32, ids of tokens, of any shape.
            training: whether to.
        """
        if self.seed_generator is None or not training:
            return inputs
        if drawn_by_place():
            chance = tf.random.stateless_uniform(tf.shape(inputs), next_seed(self.seed_generator))
        else:
            chance = keras.random.uniform(tf.shape(inputs), seed=self.seed_generator)
        return tf.where(chance < self.rate, UNK_ID, inputs)

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
