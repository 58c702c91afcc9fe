"""A convolution in front of a recurrent layer that knows which steps are padding."""

from collections.abc import Sequence
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from lengthwise.core.names import CONV_PADDINGS
from lengthwise.layers.weight_options import Option, WithWeightOptions
from lengthwise.native.convolution import convolution_steps, shared_products, sum_rows
from lengthwise.native.ops import RaggedLayout


def output_lengths(lengths: np.ndarray, kernel_size: int, stride: int, padding: str) -> np.ndarray:
    """Steps that a convolution makes of sequences of these lengths, each at least 1.

    `same` and `causal`: the length through the stride, rounded up. `valid`: only where the whole kernel is within the
    sequence; a sequence shorter than the kernel is filled up with zeros and makes one step.

    >>> output_lengths(np.array([3, 4, 5, 6]), kernel_size=4, stride=2, padding="valid").tolist()
    [1, 1, 1, 2]
    >>> output_lengths(np.array([3, 4, 5, 6]), kernel_size=4, stride=2, padding="same").tolist()
    [2, 2, 3, 3]
    """
    if padding == "valid":
        return (np.maximum(lengths, kernel_size) - kernel_size) // stride + 1
    return -(-lengths // stride)


def behind_convolution(layout: RaggedLayout, kernel_size: int, stride: int, padding: str) -> RaggedLayout:
    """How the steps stand flat that a convolution makes of flat ones; the rows, a sequence each, stay in their order.

    Args:
        layout: of the steps before it.
        kernel_size: steps under the kernel.
        stride: steps from one place of the kernel to the next.
        padding: see `output_lengths`, which says how many steps each row has.

    >>> rows = RaggedLayout(order=tf.range(3), active=tf.constant([3, 3, 2, 2, 1, 1]), begins=None)
    >>> behind_convolution(rows, kernel_size=4, stride=2, padding="valid").active.numpy().tolist()
    [3, 1]
    """
    active = layout.active[::stride]
    if padding == "valid":
        # A place of the kernel counts if its last step does, and the first place always.
        active = tf.concat([layout.active[:1], layout.active[kernel_size - 1 + stride :: stride]], axis=0)
    return RaggedLayout(layout.order, active, tf.range(tf.reduce_sum(active)) < active[:1])


def steps_at(layout: RaggedLayout, positions: tf.Tensor) -> tf.Tensor:
    """Which flat steps stand at some positions.

    Args:
        layout: of rows whose steps are counted from 0.
        positions: int32 (P, 2), row and step.

    Returns:
        int32 (P,).
    """
    place_of_row = tf.math.invert_permutation(layout.order)
    begin_of_time = tf.cumsum(layout.active, exclusive=True)
    return tf.gather(begin_of_time, positions[:, 1]) + tf.gather(place_of_row, positions[:, 0])


@keras.saving.register_keras_serializable("lengthwise")
class MaskedConv1D(WithWeightOptions):
    """A convolution over time whose result does not depend on padding, with the mask of what it makes.

    The stock `Conv1D` loses the mask, reads whatever stands at padded steps, and with `same` and a stride begins
    elsewhere when a batch gets wider. Here padded steps are zeros, and the kernel begins at the same place always:

        kernel_size 3, stride 2, sequence a b c d e
        same      0 a b   b c d   d e 0        causal   0 0 a   a b c   c d e        valid   a b c   c d e

    Args:
        filters: F, features of the output.
        kernel_size: steps under the kernel.
        stride: steps from one place of the kernel to the next.
        padding: `same`, `causal` (no step sees a later one) or `valid`.
        activation: of the output; linear as in the source notes (002).
        use_bias: whether there is a bias.
        **options: `kernel_initializer`, `kernel_regularizer`, `kernel_constraint`, the same with `bias_`, as those of
            Keras's layer; and those of any Keras layer.

    Inputs float32 (B, T, D) and a mask bool (B, T), true where there is a step; outputs float32 (B, T', F):

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.MaskedConv1D(4, kernel_size=3, stride=2)(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 3, 4)

    Raises:
        ValueError: a size is below 1, or there is no such padding.
    """

    initialized_by: ClassVar = {"kernel": "glorot_uniform", "bias": "zeros"}

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: str = "same",
        activation: str | None = None,
        use_bias: bool = True,
        **options: Option,
    ) -> None:
        super().__init__(**options)
        for name, size in (("filters", filters), ("kernel_size", kernel_size), ("stride", stride)):
            if size < 1:
                raise ValueError(f"{name}: got {size}; expected at least 1")
        if padding not in CONV_PADDINGS:
            raise ValueError(f"padding: got {padding!r}; expected one of {', '.join(CONV_PADDINGS)}")
        self.filters, self.kernel_size, self.stride, self.padding = filters, kernel_size, stride, padding
        self.activation, self.use_bias = keras.activations.get(activation), use_bias
        self.supports_masking = True

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the kernel (kernel_size, D, F) and the bias.

        Raises:
            ValueError: the inputs are no rows of steps of so many features.
        """
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(f"inputs: got the shape {tuple(input_shape)}; expected (B, T, D), with D features known")
        self.kernel = self._weight("kernel", (self.kernel_size, input_shape[-1], self.filters), "kernel")
        self.bias = self._weight("bias", (self.filters,), "bias") if self.use_bias else None
        self.built = True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Convolve.

        Args:
            inputs: float32 (B, T, D).
            mask: bool (B, T), true up to each row's length; without it all T steps count.

        Returns:
            float32 (B, T', F), where T' is `output_lengths` of T.
        """
        if mask is not None:
            inputs = tf.where(tf.cast(mask, tf.bool)[..., tf.newaxis], inputs, tf.zeros((), inputs.dtype))
        width = tf.shape(inputs)[1]
        after = tf.maximum(0, (self._steps(width) - 1) * self.stride + self.kernel_size - self._before - width)
        padded = tf.pad(inputs, [[0, 0], [self._before, after], [0, 0]])
        outputs = tf.nn.conv1d(padded, tf.convert_to_tensor(self.kernel), self.stride, "VALID")[:, : self._steps(width)]
        return self.activation(outputs if self.bias is None else outputs + self.bias)

    def over(
        self, items: tf.Tensor | None, index: tf.Tensor | None, layout: RaggedLayout
    ) -> tuple[tf.Tensor, RaggedLayout]:
        """Convolve by the native kernel steps that are laid out flat, one sequence a row; the same to 1e-5 as `call`.

        What an item gives to a tap of the kernel is computed once, however many steps read it.

        Args:
            items: float32 (M, D), see `lengthwise.native.ops.ragged_recurrent`; None: the D vectors with a single one,
                in their order.
            index: int32 (N,), the item that each step reads; None: its own.
            layout: of the N steps.

        Returns:
            The outputs, float32 (N', F), and the layout of these N' steps.

        Raises:
            tf.errors.InvalidArgumentError: shapes do not fit, or an index is out of range.
        """
        kernel = tf.convert_to_tensor(self.kernel)
        taps, features, filters = self.kernel.shape
        behind = behind_convolution(layout, taps, self.stride, self.padding)
        steps = convolution_steps(
            layout.active, behind.active, kernel_size=taps, stride=self.stride, before=self._before
        )
        if index is None:
            read = sum_rows(items, tf.reshape(steps, [-1, 1]))
            outputs = tf.matmul(tf.reshape(read, [-1, taps * features]), tf.reshape(kernel, [-1, filters]))
        else:
            read, place = shared_products(steps, index, features if items is None else tf.shape(items)[0])
            if items is None:
                # The product of such a vector and a tap is a row of the tap.
                rows = tf.where(read < 0, -1, read + features * tf.range(taps)[:, tf.newaxis])
                products = sum_rows(tf.reshape(kernel, [-1, filters]), tf.reshape(rows, [-1, 1]))
            else:
                read = tf.reshape(sum_rows(items, tf.reshape(read, [-1, 1])), [taps, -1, features])
                products = tf.reshape(tf.matmul(read, kernel), [-1, filters])
            outputs = sum_rows(products, place)
        return self.activation(outputs if self.bias is None else outputs + self.bias), behind

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """The shape (B, T', F) for inputs of the shape (B, T, D)."""
        rows, width = input_shape[:2]
        steps = (
            None if width is None else int(output_lengths(np.array(width), self.kernel_size, self.stride, self.padding))
        )
        return (rows, steps, self.filters)

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor | None:
        """Which of the T' steps are no padding: bool (B, T')."""
        del inputs
        if mask is None or self.padding != "valid":
            return None if mask is None else mask[:, :: self.stride]
        # A place of the kernel counts if its last step does, and the first place always.
        later = mask[:, self.kernel_size - 1 + self.stride :: self.stride]
        return keras.ops.concatenate([mask[:, :1], later], axis=1)

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        names = ("filters", "kernel_size", "stride", "padding", "use_bias")
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "activation": activation}

    @property
    def _before(self) -> int:
        """Steps under the kernel before a sequence's first one."""
        return {"same": (self.kernel_size - 1) // 2, "causal": self.kernel_size - 1, "valid": 0}[self.padding]

    def _steps(self, length: tf.Tensor) -> tf.Tensor:
        """`output_lengths` in the graph."""
        if self.padding == "valid":
            return (tf.maximum(length, self.kernel_size) - self.kernel_size) // self.stride + 1
        return (length + self.stride - 1) // self.stride
