"""What a network reads of a step beside its token: numbers of its letters, and features; and the scales of numbers."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np
import tensorflow as tf

from lengthwise.core.affixes import BUCKETS, PER_TOKEN
from lengthwise.layers.row_table import RowTable
from lengthwise.models.config import NetworkConfig, Purpose

# A feature that is the same at every step has no spread: it is only shifted.
LEAST_SPREAD = 1e-6


def reads_columns(purpose: Purpose) -> bool:
    """Whether a network reads anything beside tokens."""
    return purpose.affixes is not None or purpose.features > 0


def column_specs(purpose: Purpose) -> dict[str, tf.TensorSpec]:
    """What a network reads beside tokens, by name, in rows (B, T, ...)."""
    specs = {}
    if purpose.affixes is not None:
        specs["affixes"] = tf.TensorSpec((None, None, PER_TOKEN), tf.int32, "affixes")
    if purpose.features:
        specs["features"] = tf.TensorSpec((None, None, purpose.features), tf.float32, "features")
    return specs


class NumberScale(keras.layers.Layer):
    """Shifts and scales numbers to a mean of 0 and a variance of 1 in training, and back again.

    Args:
        size: how many numbers there are.
        name: what its weights are named after.
    """

    def __init__(self, size: int, name: str) -> None:
        super().__init__(name=name)
        self.mean = self.add_weight(shape=(size,), initializer="zeros", trainable=False, name="mean")
        self.spread = self.add_weight(shape=(size,), initializer="ones", trainable=False, name="spread")
        self.built = True

    def adapt(self, parts: Iterable[np.ndarray]) -> None:
        """Take mean and spread from numbers (N, D) in some parts; by the rule of Chan, Golub and LeVeque (1983)."""
        count, mean, variance = 0, np.zeros(self.mean.shape), np.zeros(self.mean.shape)
        for values in filter(len, parts):
            more = len(values)
            share = more / (count + more)
            apart = values.mean(axis=0, dtype=np.float64) - mean
            # Exactly those of the one part where there is one.
            mean = mean + share * apart
            within = variance + share * (values.var(axis=0, dtype=np.float64) - variance)
            variance = within + share * (1 - share) * apart**2
            count += more
        spread = np.sqrt(variance)
        self.mean.assign(mean.astype(np.float32))
        self.spread.assign(np.where(spread > LEAST_SPREAD, spread, 1.0).astype(np.float32))

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Numbers of one scale, (..., D)."""
        return (values - tf.convert_to_tensor(self.mean)) / tf.convert_to_tensor(self.spread)

    def restore(self, scaled: tf.Tensor) -> tf.Tensor:
        """The inverse of `call`."""
        return scaled * tf.convert_to_tensor(self.spread) + tf.convert_to_tensor(self.mean)


class StepFeatures(keras.layers.Layer):
    """The features of steps that do not come from their tokens' ids.

    The affixes of a token have as many features together as the token, to the next multiple of `PER_TOKEN`.

    Args:
        config: of the network.
        name: what its weights are named after.
    """

    def __init__(self, config: NetworkConfig, name: str) -> None:
        super().__init__(name=name)
        self.affixes = None
        if config.affixes is not None:
            each = -(-config.embedding // PER_TOKEN)
            self.affixes = RowTable(BUCKETS, each, name="affixes")
            self.affixes.build()
        self.scale = NumberScale(config.features, name="scale") if config.features else None
        self.built = True

    def call(self, columns: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """The features of each column: float32 (..., D)."""
        parts = []
        if self.affixes is not None:
            found = self.affixes(columns["affixes"])
            width = PER_TOKEN * self.affixes.output_dim
            parts.append(tf.reshape(found, tf.concat([tf.shape(found)[:-2], [width]], axis=0)))
            parts[-1].set_shape([*found.shape[:-2], width])
        if self.scale is not None:
            parts.append(self.scale(columns["features"]))
        return parts
