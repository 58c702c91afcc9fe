"""What all recurrent cells share: two parts of a step, so that the first is computed for all steps at once.

What the input adds to the gates is computed for all time steps at once (`project`), what the state adds, step by step
(`step`). A cell that is called does both, so it serves in `keras.layers.RNN` too.
"""

from collections.abc import Sequence
from typing import ClassVar

import keras
import tensorflow as tf
from keras import ops

# Keras does not export it; its own `RNN` knows by it which cells have masks to draw before the loop.
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from lengthwise.layers.weight_options import Option, WithWeightOptions

EPSILON = 1e-3


class Cell(DropoutRNNCell, WithWeightOptions):
    """What all cells share: `units`, `activation`, a kernel, a recurrent kernel and a bias.

    Args:
        units: U, features of the output.
        activation: f; those that do not saturate (relu) let states and gradients grow without bound.
        use_bias: whether there is a bias.
        dropout: the share of the inputs' features that is dropped while training, the same ones at every step (Gal and
            Ghahramani, 2016), in [0, 1).
        recurrent_dropout: the same of the state's features, for each gate other ones.
        seed: of the chance, or None for any.
        **options: as those of Keras's cells: `kernel_initializer`, `kernel_regularizer`, `kernel_constraint`, the same
            with `recurrent_` and `bias_`; and those of any Keras layer.

    Raises:
        ValueError: `units` is below 1, or there is no such share or option.
    """

    initialized_by: ClassVar = {"kernel": "glorot_uniform", "recurrent": "orthogonal", "bias": "zeros"}
    # Blocks of U gate inputs, and state vectors.
    gates = 1
    states = 1

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        *,
        use_bias: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **options: Option,
    ) -> None:
        super().__init__(**options)
        if units < 1:
            raise ValueError(f"units: got {units}; expected at least 1")
        for name, share in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= share < 1:
                raise ValueError(f"{name}: got {share!r}; expected a share in [0, 1)")
        self.units, self.use_bias, self.seed = units, use_bias, seed
        self.activation = keras.activations.get(activation)
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        # As of Keras's dropout: no chance is drawn where nothing is dropped.
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout > 0 or recurrent_dropout > 0 else None
        if recurrent_dropout > 0 and self.gates > 1:
            self.dropout_mask_count = self.gates

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
        self.kernel = self._weight("kernel", (input_shape[-1], width), "kernel")
        self.recurrent_kernel = self._weight("recurrent_kernel", (self.units, width), "recurrent")
        # An initializer, since what is assigned to a weight is lost where Keras builds a layer within a graph.
        self.bias = self._weight("bias", self._bias_shape(), "bias", self._first_bias) if self.use_bias else None
        self.built = True

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _first_bias(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        """What training begins with."""
        return keras.initializers.get(self.bias_initializer)(shape, dtype=dtype)

    def project(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """What the inputs add to the gates.

        Args:
            inputs: float32 (..., D); (B, D), or of all steps (T, B, D) once the masks of dropout are drawn.
            training: whether to drop features.

        Returns:
            float32 (..., gates * U).
        """
        return self._with_bias(self._projected(inputs, training))

    def _with_bias(self, projected: tf.Tensor) -> tf.Tensor:
        return projected if self.bias is None else projected + self.bias

    def _projected(self, inputs: tf.Tensor, training: bool) -> tf.Tensor:
        """The inputs through the kernel."""
        masks = self.get_dropout_mask(inputs) if training and self.dropout > 0 else None
        return self._product(inputs, self.kernel, masks)

    def _recurred(self, hidden: tf.Tensor, training: bool) -> tf.Tensor:
        """The state (B, U) through the recurrent kernel."""
        masks = self.get_recurrent_dropout_mask(hidden) if training and self.recurrent_dropout > 0 else None
        return self._product(hidden, self.recurrent_kernel, masks)

    def _product(self, values: tf.Tensor, kernel: tf.Tensor, masks: tf.Tensor | list[tf.Tensor] | None) -> tf.Tensor:
        if masks is None:
            return ops.matmul(values, kernel)
        if not isinstance(masks, list):
            return ops.matmul(values * masks, kernel)
        parts = zip(masks, ops.split(kernel, self.gates, axis=1), strict=True)
        return ops.concatenate([ops.matmul(values * mask, part) for mask, part in parts], axis=-1)

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """Go one step on.

        Args:
            projected: float32 (B, gates * U), of this step's inputs.
            states: `states` times float32 (B, U).
            training: whether to drop features of the state.

        Returns:
            The new states, the output first.
        """
        raise NotImplementedError

    def call(
        self, inputs: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One step as `keras.layers.RNN` asks for it: inputs float32 (B, D) to the output and the new states."""
        new = self.step(self.project(inputs, training), list(states), training)
        return new[0], new

    def get_initial_state(self, batch_size: int | None = None) -> list[tf.Tensor]:
        """Zeros."""
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in self.state_size]

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        names = ("units", "use_bias", "dropout", "recurrent_dropout", "seed")
        config = {**super().get_config(), **{name: getattr(self, name) for name in names}}
        config["activation"] = keras.activations.serialize(self.activation)
        return config

    def _normalization(self, name: str, features: int) -> keras.layers.LayerNormalization:
        """A layer normalization (Ba, Kiros and Hinton, 2016, eq. 4) over so many features, built."""
        layer = keras.layers.LayerNormalization(epsilon=EPSILON, name=name, dtype=self.dtype_policy)
        layer.build((None, features))
        return layer


class GatedCell(Cell):
    """What cells with gates share besides.

    Args:
        units: see `Cell`.
        activation: see `Cell`.
        recurrent_activation: of the gates.
        **options: see `Cell`.
    """

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        **options: Option,
    ) -> None:
        super().__init__(units, activation, **options)
        self.recurrent_activation = keras.activations.get(recurrent_activation)

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        return {**super().get_config(), "recurrent_activation": keras.activations.serialize(self.recurrent_activation)}
