"""A convolution in front of a recurrent layer that knows which steps are padding."""

from collections.abc import Sequence
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from lengthwise.core.names import CONV_PADDINGS
from lengthwise.layers.weight_options import Option, WithWeightOptions


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
        before = {"same": (self.kernel_size - 1) // 2, "causal": self.kernel_size - 1, "valid": 0}[self.padding]
        after = tf.maximum(0, (self._steps(width) - 1) * self.stride + self.kernel_size - before - width)
        padded = tf.pad(inputs, [[0, 0], [before, after], [0, 0]])
        outputs = tf.nn.conv1d(padded, tf.convert_to_tensor(self.kernel), self.stride, "VALID")[:, : self._steps(width)]
        return self.activation(outputs if self.bias is None else outputs + self.bias)

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

    def _steps(self, length: tf.Tensor) -> tf.Tensor:
        """`output_lengths` in the graph."""
        if self.padding == "valid":
            return (tf.maximum(length, self.kernel_size) - self.kernel_size) // self.stride + 1
        return (length + self.stride - 1) // self.stride
