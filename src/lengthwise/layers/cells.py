"""Recurrent cells: one step of each recurrent network of the field, also of those that TensorFlow lost with its addons.

Notation: x_t input (D), h_t output (U), c_t the LSTM's memory (U); W kernels (D, U), R recurrent kernels (U, U), b and
d biases; sigma the logistic function, f the `activation`, * the product of elements, LN layer normalization with its
own gain and offset. Weights of several gates stand side by side in the order given.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from lengthwise.core.names import CELL_PLACES
from lengthwise.layers.cell import Cell, GatedCell
from lengthwise.layers.placed_cells import PlacedCells
from lengthwise.layers.weight_options import Option


@keras.saving.register_keras_serializable("lengthwise")
class SimpleCell(Cell):
    """The simple recurrent network (Elman, 1990): `h_t = f(x_t W + h_{t-1} R + b)`.

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.SimpleCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """See `Cell.step`."""
        return [self.activation(projected + self._recurred(states[0], training))]


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

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """See `Cell.step`."""
        return [self.activation(self.normalization(projected + self._recurred(states[0], training)))]


@keras.saving.register_keras_serializable("lengthwise")
class LSTMCell(GatedCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with forget gate (Gers et al., 2000).

    Gates i, f, g, o; states h, c; weights as in the Keras layer:

        i_t = sigma(x_t W_i + h_{t-1} R_i + b_i)      c_t = f_t * c_{t-1} + i_t * g_t
        f_t = sigma(x_t W_f + h_{t-1} R_f + b_f)      h_t = o_t * f(c_t)
        g_t =     f(x_t W_g + h_{t-1} R_g + b_g)
        o_t = sigma(x_t W_o + h_{t-1} R_o + b_o)

    The bias of the forget gate begins at 1 (Jozefowicz et al., 2015), unless `unit_forget_bias` is false.

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.LSTMCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    gates = 4
    states = 2

    def __init__(
        self, units: int, activation: str = "tanh", *, unit_forget_bias: bool = True, **options: Option
    ) -> None:
        super().__init__(units, activation, **options)
        self.unit_forget_bias = unit_forget_bias

    def _first_bias(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        if not self.unit_forget_bias:
            return super()._first_bias(shape, dtype)
        first = super()._first_bias
        forget = ops.ones((self.units,), dtype)
        return ops.concatenate([first((self.units,), dtype), forget, first((2 * self.units,), dtype)])

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """See `Cell.step`."""
        return self._remember(projected + self._recurred(states[0], training), states[1])

    def _remember(self, gates: tf.Tensor, memory: tf.Tensor) -> list[tf.Tensor]:
        """Gate inputs (B, 4 U) and the memory to the new states."""
        i, f, g, o = ops.split(gates, 4, axis=-1)
        memory = self.recurrent_activation(f) * memory + self.recurrent_activation(i) * self.activation(g)
        return [self.recurrent_activation(o) * self.activation(self._shown(memory)), memory]

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
        # Regularized and constrained as the other weights that a state goes through.
        self.peepholes = self._weight("peepholes", (3, self.units), "recurrent", "glorot_uniform")

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """See `Cell.step`."""
        hidden, memory = states
        i, f, g, o = ops.split(projected + self._recurred(hidden, training), 4, axis=-1)
        i, f = (self.recurrent_activation(gate + self.peepholes[k] * memory) for k, gate in enumerate((i, f)))
        memory = f * memory + i * self.activation(g)
        return [self.recurrent_activation(o + self.peepholes[2] * memory) * self.activation(memory), memory]


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

    def project(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See `Cell.project`."""
        return self._with_bias(self.input_normalization(self._projected(inputs, training)))

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """See `Cell.step`."""
        recurrent = self.state_normalization(self._recurred(states[0], training))
        return self._remember(projected + recurrent, states[1])

    def _shown(self, memory: tf.Tensor) -> tf.Tensor:
        return self.memory_normalization(memory)


@keras.saving.register_keras_serializable("lengthwise")
class GRUCell(GatedCell):
    """The gated recurrent unit (Cho et al., 2014), reset after the product, as cuDNN and Keras have it.

    Gates z, r, g; weights as in the Keras layer, its bias (2, 3 U) being b and d:

        z_t = sigma(x_t W_z + b_z + h_{t-1} R_z + d_z)      g_t = f(x_t W_g + b_g + r_t * (h_{t-1} R_g + d_g))
        r_t = sigma(x_t W_r + b_r + h_{t-1} R_r + d_r)      h_t = z_t * h_{t-1} + (1 - z_t) * g_t

    Inputs (B, D), states and outputs float32 (B, U); arguments and errors as of `Cell`.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.Recurrent(lw.GRUCell(4))(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 4)
    """

    gates = 3

    def __init__(self, units: int, activation: str = "tanh", *, reset_after: bool = True, **options: Option) -> None:
        if not reset_after:
            raise ValueError("reset_after: got False; expected True; take keras.layers.GRUCell(reset_after=False)")
        super().__init__(units, activation, **options)

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, super()._bias_shape()[0])

    def _with_bias(self, projected: tf.Tensor) -> tf.Tensor:
        return projected if self.bias is None else projected + self.bias[0]

    def _with_recurrent_bias(self, recurrent: tf.Tensor) -> tf.Tensor:
        return recurrent if self.bias is None else recurrent + self.bias[1]

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """See `Cell.step`."""
        return self._gate(projected, self._with_recurrent_bias(self._recurred(states[0], training)), states[0])

    def _gate(self, projected: tf.Tensor, recurrent: tf.Tensor, hidden: tf.Tensor) -> list[tf.Tensor]:
        """The input's and the state's parts of the gates, each (B, 3 U), to the new state."""
        input_z, input_r, input_g = ops.split(projected, 3, axis=-1)
        state_z, state_r, state_g = ops.split(recurrent, 3, axis=-1)
        z, r = self.recurrent_activation(input_z + state_z), self.recurrent_activation(input_r + state_r)
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

    def project(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See `Cell.project`."""
        return self._with_bias(self._normalize(self.input_normalizations, self._projected(inputs, training)))

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """See `Cell.step`."""
        recurrent = self._normalize(self.state_normalizations, self._recurred(states[0], training))
        return self._gate(projected, self._with_recurrent_bias(recurrent), states[0])

    def _normalize(self, layers: list[keras.layers.LayerNormalization], values: tf.Tensor) -> tf.Tensor:
        gated = 2 * self.units
        return ops.concatenate([layers[0](values[..., :gated]), layers[1](values[..., gated:])], axis=-1)


# The classes by name, as `lengthwise.core.names` places them.
CELLS = PlacedCells(CELL_PLACES)
