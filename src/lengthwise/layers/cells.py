"""Recurrent cells: one step of each recurrent network of the field, also of those that TensorFlow lost with its addons.

A cell is in two parts: what the input adds to the gates, for all time steps at once (`project`), and what the state
adds, step by step (`step`). Called, it does both, so that it serves in `keras.layers.RNN` too.

Notation: x_t input (D), h_t output (U), c_t the LSTM's memory (U); W kernels (D, U), R recurrent kernels (U, U), b and
d biases; sigma the logistic function, f the `activation`, * the product of elements, LN layer normalization with its
own gain and offset. Weights of several gates stand side by side in the order given.
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


@keras.saving.register_keras_serializable("lengthwise")
class SimpleCell(Cell):
    """The simple recurrent network (Elman, 1990): `h_t = f(x_t W + h_{t-1} R + b)`.

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.SimpleCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """See `Cell.step`."""
        return [self.activation(projected + ops.matmul(states[0], self.recurrent_kernel))]


@keras.saving.register_keras_serializable("lengthwise")
class LayerNormSimpleCell(Cell):
    """The simple network, its sum normalized, as in the source notes (002): `h_t = f(LN(x_t W + h_{t-1} R + b))`.

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.LayerNormSimpleCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """See `Cell.build`."""
        super().build(input_shape)
        self.normalization = self._normalization("normalization", self.units)

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """See `Cell.step`."""
        return [self.activation(self.normalization(projected + ops.matmul(states[0], self.recurrent_kernel)))]


@keras.saving.register_keras_serializable("lengthwise")
class LSTMCell(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with forget gate (Gers et al., 2000).

    Gates i, f, g, o; states h, c; weights as in the Keras layer:

        i_t = sigma(x_t W_i + h_{t-1} R_i + b_i)      c_t = f_t * c_{t-1} + i_t * g_t
        f_t = sigma(x_t W_f + h_{t-1} R_f + b_f)      h_t = o_t * f(c_t)
        g_t =     f(x_t W_g + h_{t-1} R_g + b_g)
        o_t = sigma(x_t W_o + h_{t-1} R_o + b_o)

    The bias of the forget gate begins at 1 (Jozefowicz et al., 2015).

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.LSTMCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    gates = 4
    states = 2

    def _first_bias(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        parts = [ops.zeros(self.units, dtype), ops.ones(self.units, dtype), ops.zeros(shape[0] - 2 * self.units, dtype)]
        return ops.concatenate(parts)

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """See `Cell.step`."""
        return self._remember(projected + ops.matmul(states[0], self.recurrent_kernel), states[1])

    def _remember(self, gates: tf.Tensor, memory: tf.Tensor) -> list[tf.Tensor]:
        """Gate inputs (B, 4 U) and the memory to the new states."""
        i, f, g, o = ops.split(gates, 4, axis=-1)
        memory = ops.sigmoid(f) * memory + ops.sigmoid(i) * self.activation(g)
        return [ops.sigmoid(o) * self.activation(self._shown(memory)), memory]

    def _shown(self, memory: tf.Tensor) -> tf.Tensor:
        """The memory as the output sees it."""
        return memory


@keras.saving.register_keras_serializable("lengthwise")
class PeepholeLSTMCell(LSTMCell):
    """The LSTM whose gates see the memory (Gers and Schmidhuber, 2000).

    With trained vectors p, and all else as in `LSTMCell`:

        i_t = sigma(... + p_i * c_{t-1})      f_t = sigma(... + p_f * c_{t-1})      o_t = sigma(... + p_o * c_t)

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.PeepholeLSTMCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """See `Cell.build`."""
        super().build(input_shape)
        self.peepholes = self.add_weight(shape=(3, self.units), initializer="glorot_uniform", name="peepholes")

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """See `Cell.step`."""
        hidden, memory = states
        i, f, g, o = ops.split(projected + ops.matmul(hidden, self.recurrent_kernel), 4, axis=-1)
        i, f = (ops.sigmoid(gate + self.peepholes[k] * memory) for k, gate in enumerate((i, f)))
        memory = f * memory + i * self.activation(g)
        return [ops.sigmoid(o + self.peepholes[2] * memory) * self.activation(memory), memory]


@keras.saving.register_keras_serializable("lengthwise")
class LayerNormLSTMCell(LSTMCell):
    """The LSTM with layer normalization (Ba, Kiros and Hinton, 2016, eq. 20 to 22).

    All else as in `LSTMCell`:

        (i, f, g, o) = LN(x_t W) + LN(h_{t-1} R) + b      h_t = sigma(o) * f(LN(c_t))

    Each of the first two normalizes all four gates' inputs together.

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.LayerNormLSTMCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """See `Cell.build`."""
        super().build(input_shape)
        width = self.gates * self.units
        self.input_normalization = self._normalization("input_normalization", width)
        self.state_normalization = self._normalization("state_normalization", width)
        self.memory_normalization = self._normalization("memory_normalization", self.units)

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        """See `Cell.project`."""
        return self.input_normalization(ops.matmul(inputs, self.kernel)) + self.bias

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """See `Cell.step`."""
        recurrent = self.state_normalization(ops.matmul(states[0], self.recurrent_kernel))
        return self._remember(projected + recurrent, states[1])

    def _shown(self, memory: tf.Tensor) -> tf.Tensor:
        return self.memory_normalization(memory)


@keras.saving.register_keras_serializable("lengthwise")
class GRUCell(Cell):
    """The gated recurrent unit (Cho et al., 2014), reset after the product, as cuDNN and Keras have it.

    Gates z, r, g; weights as in the Keras layer, its bias (2, 3 U) being `bias` b and `recurrent_bias` d:

        z_t = sigma(x_t W_z + b_z + h_{t-1} R_z + d_z)      g_t = f(x_t W_g + b_g + r_t * (h_{t-1} R_g + d_g))
        r_t = sigma(x_t W_r + b_r + h_{t-1} R_r + d_r)      h_t = z_t * h_{t-1} + (1 - z_t) * g_t

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.GRUCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    gates = 3

    def build(self, input_shape: Sequence[int | None]) -> None:
        """See `Cell.build`."""
        super().build(input_shape)
        self.recurrent_bias = self.add_weight(shape=(3 * self.units,), initializer="zeros", name="recurrent_bias")

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """See `Cell.step`."""
        return self._gate(projected, ops.matmul(states[0], self.recurrent_kernel) + self.recurrent_bias, states[0])

    def _gate(self, projected: tf.Tensor, recurrent: tf.Tensor, hidden: tf.Tensor) -> list[tf.Tensor]:
        """The input's and the state's parts of the gates, each (B, 3 U), to the new state."""
        input_z, input_r, input_g = ops.split(projected, 3, axis=-1)
        state_z, state_r, state_g = ops.split(recurrent, 3, axis=-1)
        z, r = ops.sigmoid(input_z + state_z), ops.sigmoid(input_r + state_r)
        return [z * hidden + (1 - z) * self.activation(input_g + r * state_g)]


@keras.saving.register_keras_serializable("lengthwise")
class LayerNormGRUCell(GRUCell):
    """The GRU with layer normalization (Ba, Kiros and Hinton, 2016, their supplement).

    All else as in `GRUCell`, but LN(x_t W) stands for x_t W, and LN(h_{t-1} R) for h_{t-1} R; the gates z and r are
    normalized together, the candidate by itself.

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.LayerNormGRUCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """See `Cell.build`."""
        super().build(input_shape)
        parts = {"gates": 2 * self.units, "candidate": self.units}
        self.input_normalizations = [self._normalization(f"input_{name}", size) for name, size in parts.items()]
        self.state_normalizations = [self._normalization(f"state_{name}", size) for name, size in parts.items()]

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        """See `Cell.project`."""
        return self._normalize(self.input_normalizations, ops.matmul(inputs, self.kernel)) + self.bias

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """See `Cell.step`."""
        recurrent = self._normalize(self.state_normalizations, ops.matmul(states[0], self.recurrent_kernel))
        return self._gate(projected, recurrent + self.recurrent_bias, states[0])

    def _normalize(self, layers: list[keras.layers.LayerNormalization], values: tf.Tensor) -> tf.Tensor:
        gated = 2 * self.units
        return ops.concatenate([layers[0](values[..., :gated]), layers[1](values[..., gated:])], axis=-1)


CELLS: dict[str, type[Cell]] = {
    "gru": GRUCell,
    "layer_norm_gru": LayerNormGRUCell,
    "layer_norm_lstm": LayerNormLSTMCell,
    "layer_norm_simple": LayerNormSimpleCell,
    "lstm": LSTMCell,
    "peephole_lstm": PeepholeLSTMCell,
    "simple": SimpleCell,
}
