"""Dropout whose mask is drawn by the native kernel."""

import keras
import tensorflow as tf

from lengthwise.layers.chance import drawn_by_place, next_seed
from lengthwise.native.ops import dropout


@keras.saving.register_keras_serializable("lengthwise")
class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout`, in one operation and no mask in memory where `native` is set.

    The two draw different masks from the same seeds.

    Args:
        rate: the share that is dropped, in [0, 1).
        native: whether the native kernel computes it.
        **kwargs: as Keras's; `noise_shape` does not go with `native`.

    Raises:
        ValueError: `native` with a `noise_shape`.
    """

    def __init__(self, rate: float, *, native: bool = False, **kwargs: object) -> None:
        super().__init__(rate, **kwargs)
        self.native = native
        if native and self.noise_shape is not None:
            raise ValueError(f"noise_shape: got {self.noise_shape!r}; expected None with the native kernel")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop, while training.

        Args:
            inputs: float32, of any shape.
            training: whether to.
        """
        if not (training and self.rate > 0 and (self.native or drawn_by_place())):
            return super().call(inputs, training=training)
        seed = next_seed(self.seed_generator)
        if self.native:
            return dropout(inputs, seed, self.rate)
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed, noise_shape=self.noise_shape)

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        return {**super().get_config(), "native": self.native}
