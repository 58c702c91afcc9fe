"""What all recurrent cells share: two parts of a step, so that the first is computed for all steps at once.

What the input adds to the gates is computed for all time steps at once (`project`), what the state adds, step by step
(`step`). A cell that is called does both, so it serves in `keras.layers.RNN` too.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

EPSILON = 1e-3


class Cell(keras.layers.Layer):
    """What all cells share: `units`, `activation`, a kernel, a recurrent kernel and a bias.

    Args:
        units: U, features of the output.
        activation: f; those that do not saturate (relu) let states and gradients grow without bound.

    Raises:
        ValueError: `units` is below 1.
    """

    # Blocks of U gate inputs, and state vectors.
    gates = 1
    states = 1

    def __init__(self, units: int, activation: str = "tanh", **kwargs: object) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"units: got {units}; expected at least 1")
        self.units = units
        self.activation = keras.activations.get(activation)

    @property
    def state_size(self) -> list[int]:
        """Features of each state; the first state is the output."""
        return [self.units] * self.states

    @property
    def output_size(self) -> int:
        """Features of the output."""
        return self.units

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights for inputs (..., D)."""
        width = self.gates * self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], width), initializer="glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width), initializer="orthogonal", name="recurrent_kernel"
        )
        # An initializer, since what is assigned to a weight is lost where Keras builds a layer within a graph.
        self.bias = self.add_weight(shape=(width,), initializer=self._first_bias, name="bias")
        self.built = True

    def _first_bias(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        """What training begins with."""
        return ops.zeros(shape, dtype)

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        """What the inputs add to the gates.

        Args:
            inputs: float32 (..., D).

        Returns:
            float32 (..., gates * U).
        """
        return ops.matmul(inputs, self.kernel) + self.bias

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Go one step on.

        Args:
            projected: float32 (B, gates * U), of this step's inputs.
            states: `states` times float32 (B, U).

        Returns:
            The new states, the output first.
        """
        raise NotImplementedError

    def call(
        self, inputs: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One step as `keras.layers.RNN` asks for it: inputs float32 (B, D) to the output and the new states."""
        del training
        new = self.step(self.project(inputs), list(states))
        return new[0], new

    def get_initial_state(self, batch_size: int | None = None) -> list[tf.Tensor]:
        """Zeros."""
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in self.state_size]

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "activation": activation}

    def _normalization(self, name: str, features: int) -> keras.layers.LayerNormalization:
        """A layer normalization (Ba, Kiros and Hinton, 2016, eq. 4) over so many features, built."""
        layer = keras.layers.LayerNormalization(epsilon=EPSILON, name=name, dtype=self.dtype_policy)
        layer.build((None, features))
        return layer
