"""`GRU`, `LSTM`, `SimpleRNN` and `RNN` of Keras, with its arguments, weights and results, that compute no padding.

Each is the layer of Keras but for one thing: where the native kernel computes the cell, it goes over the steps that the
mask leaves, and over no others. Where it does not, the layer of Keras does what it does, but that it never sees what
stands in the padding. So weights, configurations and saved files go from the one to the other.
"""

import inspect
from typing import Any

import keras
import tensorflow as tf

from lengthwise.layers.by_kernel import ComputedByKernel
from lengthwise.layers.flat import at_padded_steps, flat_rows, run_flat
from lengthwise.layers.native_cell import described
from lengthwise.layers.states import Nested
from lengthwise.native.choice import choose_kernel


class WithoutPadding(ComputedByKernel, keras.layers.RNN):
    """What the four layers share: how all steps are taken; stands before the layer of Keras among the bases."""

    def inner_loop(
        self,
        sequences: tf.Tensor,
        initial_state: Nested,
        mask: Nested,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor, Nested]:
        """Take all steps, as Keras's method of this name."""
        mask = mask[0] if keras.tree.is_nested(mask) else mask
        if not self._computes_natively() or (mask is not None and len(mask.shape) != 2):
            # What stands in the padding is no number, perhaps: no gradient that is zero may be multiplied by it.
            return super().inner_loop(_without(mask, sequences), initial_state, mask, training=training)
        return self._run_flat(sequences, initial_state, mask, training)

    def get_config(self) -> dict[str, Any]:
        """Keras's, so that its layer reads it too; the kernel is in it where it was chosen."""
        return {**super().get_config(), **({} if self.kernel == "auto" else {"kernel": self.kernel})}

    @property
    def _cells(self) -> list[keras.layers.Layer]:
        stack = isinstance(self.cell, keras.layers.StackedRNNCells)
        return list(self.cell.cells) if stack else [self.cell]

    def _chosen(self) -> str:
        """`native` or `keras`, by all cells, and by what asks for the loop of Keras."""
        if self.kernel == "auto" and (self.unroll or getattr(self, "use_cudnn", None) is True):
            return "keras"
        kernels = {choose_kernel(self.kernel, *described(cell, self)) for cell in self._cells}
        return "native" if kernels == {"native"} else "keras"

    def _run_flat(
        self,
        inputs: tf.Tensor,
        states: Nested,
        mask: tf.Tensor | None,
        training: bool,
    ) -> tuple[tf.Tensor, tf.Tensor, Nested]:
        cells = self._cells
        by_cell = list(states) if isinstance(self.cell, keras.layers.StackedRNNCells) else [states]
        nested = [list(state) if keras.tree.is_nested(state) else [state] for state in by_cell]
        # No step resets, so what it would reset to is not looked at.
        initial = [[tf.zeros([1, state.shape[-1]], state.dtype) for state in before] for before in nested]
        rows = flat_rows(tf.cast(inputs, self.compute_dtype), mask, reverse=self.go_backwards)
        flat, last = run_flat(cells, rows, nested, initial, training=training, every_step=self.return_sequences)
        said = last[-1][0]
        nothing = tf.zeros_like(said)
        if mask is not None:
            # In Keras a row is silent, not in its first state, before its first step.
            said = tf.where(tf.reduce_any(tf.cast(mask, tf.bool), axis=1, keepdims=True), said, nothing)
            if self.zero_output_for_mask:
                end = mask[:, :1] if self.go_backwards else mask[:, -1:]
                said = tf.where(tf.cast(end, tf.bool), said, nothing)
        outputs = said[:, tf.newaxis]
        if self.return_sequences:
            outputs = at_padded_steps(flat, rows.places.place, nothing)
            if mask is not None and self.zero_output_for_mask:
                outputs = tf.where(tf.cast(mask, tf.bool)[..., tf.newaxis], outputs, tf.zeros((), outputs.dtype))
            outputs.set_shape((inputs.shape[0], inputs.shape[1], said.shape[1]))
            outputs = tf.reverse(outputs, [1]) if self.go_backwards else outputs
        made = [
            after if keras.tree.is_nested(before) else after[0] for after, before in zip(last, by_cell, strict=True)
        ]
        return said, outputs, made if isinstance(self.cell, keras.layers.StackedRNNCells) else made[0]


def _as_in_keras(kind: type) -> type:
    """Give a class the constructor of the layer that it stands for, with `kernel` besides."""
    # Those before it have no constructor of their own.
    stock: Any = next(base for base in kind.__mro__ if base.__module__.startswith("keras."))

    def construct(self: WithoutPadding, *args: object, kernel: str = "auto", **options: object) -> None:
        stock.__init__(self, *args, **options)
        self.kernel = kernel

    *arguments, options = inspect.signature(stock.__init__).parameters.values()
    kernel = inspect.Parameter("kernel", inspect.Parameter.KEYWORD_ONLY, default="auto", annotation=str)
    # Keras, too, reads it.
    construct.__signature__ = inspect.Signature([*arguments, kernel, options])  # type: ignore[attr-defined]
    construct.__name__, construct.__qualname__ = "__init__", f"{kind.__qualname__}.__init__"
    construct.__doc__ = None
    kind.__init__ = construct  # type: ignore[misc]
    return kind


def _without(mask: tf.Tensor | None, sequences: tf.Tensor) -> tf.Tensor:
    """The steps (B, T, ...), zeros where the mask says padding."""
    if mask is None:
        return sequences
    mask = tf.cast(tf.convert_to_tensor(mask), tf.bool)
    mask = tf.reshape(mask, tf.concat([tf.shape(mask)[:2], tf.ones(len(sequences.shape) - 2, tf.int32)], axis=0))
    return tf.where(mask, sequences, tf.zeros((), sequences.dtype))


@keras.saving.register_keras_serializable("lengthwise")
@_as_in_keras
class RNN(WithoutPadding):
    """`keras.layers.RNN`, without padding where the kernel computes the cell, or each cell of a stack.

    Inputs float32 (B, T, D) and a mask bool (B, T); outputs float32 (B, U), or (B, T, U) of every step; all else as of
    Keras's layer.

    >>> import keras
    >>> import numpy as np
    >>> import lengthwise as lw
    >>> layer = lw.RNN([keras.layers.LSTMCell(4), keras.layers.GRUCell(3)], return_sequences=True)
    >>> tuple(layer(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 5, 3)

    Args:
        cell: a cell, of `lengthwise.layers.cells`, of Keras or your own, or a list of cells.
        *args: those of Keras's layer.
        kernel: see `Recurrent`. With `unroll` Keras computes it, unless you say `native`.
        **options: those of Keras's layer.

    Raises:
        KernelError: `native`, which cannot be built here, or does not compute this cell.
        ValueError: what Keras's layer does not allow.
    """


@keras.saving.register_keras_serializable("lengthwise")
@_as_in_keras
class GRU(WithoutPadding, keras.layers.GRU):
    """`keras.layers.GRU`, without padding.

    The kernel computes it with `tanh`, `sigmoid`, `reset_after` and without `recurrent_dropout`, as cuDNN would; else
    Keras does. Inputs float32 (B, T, D) and a mask bool (B, T); outputs float32 (B, U), or (B, T, U) of every step.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> layer = lw.GRU(4, return_sequences=True)
    >>> tuple(layer(np.zeros((2, 5, 3), np.float32), mask=np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], bool)).shape)
    (2, 5, 4)

    Args:
        units: U, features of the output.
        *args: those of Keras's layer.
        kernel: see `Recurrent`. With `unroll` or `use_cudnn=True` Keras computes it, unless you say `native`.
        **options: those of Keras's layer.

    Raises:
        KernelError: `native`, which cannot be built here, or does not compute what is asked for.
        ValueError: what Keras's layer does not allow.
    """


@keras.saving.register_keras_serializable("lengthwise")
@_as_in_keras
class LSTM(WithoutPadding, keras.layers.LSTM):
    """`keras.layers.LSTM`, without padding.

    The kernel computes it with `tanh`, `sigmoid` and without `recurrent_dropout`, as cuDNN would; else Keras does.
    Inputs float32 (B, T, D) and a mask bool (B, T); outputs float32 (B, U), or (B, T, U) of every step.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> layer = lw.LSTM(4, return_state=True)
    >>> outputs, hidden, memory = layer(np.zeros((2, 5, 3), np.float32))
    >>> tuple(outputs.shape), tuple(memory.shape)
    ((2, 4), (2, 4))

    Args:
        units: U, features of the output.
        *args: those of Keras's layer.
        kernel: see `Recurrent`. With `unroll` or `use_cudnn=True` Keras computes it, unless you say `native`.
        **options: those of Keras's layer.

    Raises:
        KernelError: `native`, which cannot be built here, or does not compute what is asked for.
        ValueError: what Keras's layer does not allow.
    """


@keras.saving.register_keras_serializable("lengthwise")
@_as_in_keras
class SimpleRNN(WithoutPadding, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, without padding.

    The kernel computes it with `tanh` and without `recurrent_dropout`; else Keras does. Inputs float32 (B, T, D) and a
    mask bool (B, T); outputs float32 (B, U), or (B, T, U) of every step.

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tuple(lw.SimpleRNN(4)(np.zeros((2, 5, 3), np.float32)).shape)
    (2, 4)

    Args:
        units: U, features of the output.
        *args: those of Keras's layer.
        kernel: see `Recurrent`. With `unroll` Keras computes it, unless you say `native`.
        **options: those of Keras's layer.

    Raises:
        KernelError: `native`, which cannot be built here, or does not compute what is asked for.
        ValueError: what Keras's layer does not allow.
    """
