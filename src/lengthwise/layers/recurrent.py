"""A recurrent layer that resets its state within a row and carries it from batch to batch."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from lengthwise.layers.cells import CELLS
from lengthwise.layers.initial_state import LearnedInitialState
from lengthwise.layers.scan import PaddedSteps, scan
from lengthwise.names import INITIAL_STATES
from lengthwise.native.choice import choose_kernel
from lengthwise.native.ops import CellWeights, RaggedLayout, ragged_layout, ragged_recurrent


@keras.saving.register_keras_serializable("lengthwise")
class Recurrent(keras.layers.Layer):
    """Runs a cell over rows of steps, as `keras.layers.RNN` does, and obeys `resets`.

    Where `resets` is true the state before that step is the initial one, whatever came before: so one row can hold
    several sequences, and a window of a long one goes on where the window before stopped.

        resets   1 0 0 1 0      a sequence of three steps, then another
        resets   0 0 1 0 0      goes on from the batch before; a sequence begins at the third step

    Without `resets` every row is one sequence, which begins at its first step, or goes on if the layer carries states.

    Inputs float32 (B, T, D), `resets` and the mask bool (B, T); outputs float32 (B, T, U). One row of two sequences
    gives what the two would give alone:

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> layer = lw.Recurrent(lw.GRUCell(4))
    >>> steps = np.random.default_rng(0).normal(size=(1, 5, 3)).astype(np.float32)
    >>> packed = layer(steps, resets=np.array([[True, False, False, True, False]]))
    >>> bool(np.allclose(packed[:, 3:], layer(steps[:, 3:]), atol=1e-6))
    True

    Args:
        cell: one of `lengthwise.layers.cells`, or any other Keras cell (`keras.layers.LSTMCell(64)`).
        return_sequences: whether to return the output of every step, or of the last alone.
        return_state: whether to return the last states too.
        reverse: whether to go from the last step to the first; a sequence then begins at its end, so `resets` is
            true at last steps.
        initial_state: `zeros`, or `learned`: trained with the weights.
        carried_rows: the most rows of a batch, for a layer that carries states from a batch to the next: row i goes on
            from row i. A batch of fewer rows leaves the others' states as they are. Null: nothing is carried.
        kernel: `native`, `keras` or `auto`, see `lengthwise.native.choice`. The native kernel computes no step that the
            mask leaves out; within XLA (`jit_compile=True`) choose `keras`.

    Raises:
        KernelError: `native`, which cannot be built here, or does not compute this cell.
        ValueError: there is no such initial state, `carried_rows` is below 1 or does not go with `reverse`, or the
            cell is a stack of cells.
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        *,
        return_sequences: bool = True,
        return_state: bool = False,
        reverse: bool = False,
        initial_state: str = "zeros",
        carried_rows: int | None = None,
        kernel: str = "auto",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if initial_state not in INITIAL_STATES:
            raise ValueError(f"initial_state: got {initial_state!r}; expected one of {', '.join(INITIAL_STATES)}")
        if carried_rows is not None and (carried_rows < 1 or reverse):
            raise ValueError(
                f"carried_rows: got {carried_rows}, reverse={reverse}; expected at least 1 and reverse=False, since "
                "no state comes from a batch that is still to come"
            )
        sizes = cell.state_size
        self.state_sizes = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
        if isinstance(cell, keras.layers.StackedRNNCells) or not all(
            isinstance(size, int) for size in self.state_sizes
        ):
            raise ValueError(
                f"cell: got {type(cell).__name__}, a stack of cells; expected one cell; stack layers instead"
            )
        self.cell = cell
        self._cell_name = next((name for name, kind in CELLS.items() if type(cell) is kind), type(cell).__name__)
        self.kernel, self.native = kernel, choose_kernel(kernel, *self._described()) == "native"
        self.supports_jit = not self.native
        self.return_sequences, self.return_state, self.reverse = return_sequences, return_state, reverse
        self.initial_state, self.carried_rows = initial_state, carried_rows
        self.supports_masking = True
        self.output_size = getattr(cell, "output_size", self.state_sizes[0])
        self.carried: list[keras.Variable] = []

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the cell's weights, the learned initial states and the carried ones."""
        if not self.cell.built:
            self.cell.build((input_shape[0], input_shape[-1]))
            self.cell.built = True
        self.initial_states = [
            LearnedInitialState(size, name=f"initial_state_{number}", dtype=self.dtype_policy)
            if self.initial_state == "learned"
            else None
            for number, size in enumerate(self.state_sizes)
        ]
        for state in self.initial_states:
            if state is not None:
                state.build()
        self.carried = [
            self.add_weight(
                shape=(self.carried_rows, size), initializer="zeros", trainable=False, name=f"carried_{number}"
            )
            for number, size in enumerate(self.state_sizes)
            if self.carried_rows is not None
        ]
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        resets: tf.Tensor | None = None,
        mask: tf.Tensor | None = None,
        states: Sequence[tf.Tensor] | None = None,
        training: bool = False,
    ) -> tf.Tensor | tuple[tf.Tensor, ...]:
        """Run.

        Args:
            inputs: float32 (B, T, D).
            resets: bool (B, T), or None. One that the mask leaves out is for the row's next step that it does not.
            mask: bool (B, T): where it is false the state and the output stay as they were. Without it padded steps are
                computed like others; what comes of them reaches no step that has a token and resets or comes earlier.
            states: float32 (B, U) each, before the first step; without them the carried or the initial ones.
            training: what a cell that drops inputs or states is told.

        Returns:
            The outputs, float32 (B, T, U) or (B, U), and with `return_state` the last states after them.
        """
        rows = tf.shape(inputs)[0]
        initial = [self._initial(number, rows) for number in range(len(self.state_sizes))]
        if states is None:
            states = [tf.convert_to_tensor(carried)[:rows] for carried in self.carried] if self.carried else initial
        states = [
            tf.broadcast_to(tf.cast(state, self.compute_dtype), [rows, size])
            for state, size in zip(states, self.state_sizes, strict=True)
        ]
        if self.native:
            outputs, last = self._run_flat(inputs, resets, mask, states, training)
            said = last[0]
        else:
            steps = PaddedSteps(inputs, resets, mask, states, initial)
            outputs, said, last = scan(self.cell, steps, self.output_size, reverse=self.reverse, training=training)
        for carried, state in zip(self.carried, last, strict=False):
            others = tf.convert_to_tensor(carried)[rows:]
            carried.assign(tf.cast(tf.concat([tf.stop_gradient(state), others], axis=0), carried.dtype))
        result = outputs if self.return_sequences else said
        return (result, *last) if self.return_state else result

    def over(
        self,
        items: tf.Tensor | None,
        index: tf.Tensor,
        layout: RaggedLayout,
        states: Sequence[tf.Tensor] | None = None,
        training: bool = False,
        read: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Run the native kernel over steps that are laid out flat; nothing is carried.

        Args:
            items: float32 (M, D), see `ragged_recurrent`; None: the D vectors with a single one, in their order.
            index: int32 (N,), the item that each step reads.
            layout: of the N steps.
            states: float32 (B, U) each, before the first steps; without them the initial ones.
            training: whether a gradient is going to be asked for; that it comes anyway only takes longer.
            read: int32 (P,), the steps whose outputs are wanted; None: all.

        Returns:
            The outputs, float32 (N, U) or (P, U), and the last states.
        """
        if states is None:
            states = [self._initial(number, tf.size(layout.order)) for number in range(len(self.state_sizes))]
        initial = tf.concat([self._initial(number, tf.constant(1)) for number in range(len(self.state_sizes))], axis=0)
        cell = self.cell
        kernel, recurrent_kernel, bias, recurrent_bias = (
            tf.zeros(0) if weight is None else tf.convert_to_tensor(weight)
            for weight in (cell.kernel, cell.recurrent_kernel, cell.bias, getattr(cell, "recurrent_bias", None))
        )
        if items is None:
            # The product of such a vector and the kernel is a row of it.
            items, kernel = kernel, None
        weights = CellWeights(kernel, recurrent_kernel, bias, recurrent_bias)
        outputs, last = ragged_recurrent(
            self._cell_name, weights, items, index, layout, tf.stack(states), initial, read=read, save=bool(training)
        )
        return outputs, tf.unstack(last, len(self.state_sizes))

    def reset_state(self) -> None:
        """Forget what was carried: every row begins with the initial state, as Keras calls it."""
        for number, carried in enumerate(self.carried):
            carried.assign(self._initial(number, tf.constant(self.carried_rows)))

    def compute_mask(self, _inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor | None:
        """Outputs of every step have the mask of the inputs."""
        return mask if self.return_sequences else None

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        names = ("return_sequences", "return_state", "reverse", "initial_state", "carried_rows", "kernel")
        cell = keras.saving.serialize_keras_object(self.cell)
        return {**super().get_config(), "cell": cell, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Recurrent":
        """A layer of this configuration."""
        return cls(cell=keras.saving.deserialize_keras_object(config.pop("cell")), **config)

    def _described(self) -> tuple[str, str]:
        """The cell's name and its activation, as `choose_kernel` knows them."""
        policies = [layer.dtype_policy for layer in (self, self.cell) if hasattr(layer, "dtype_policy")]
        single = all(policy.compute_dtype == policy.variable_dtype == "float32" for policy in policies)
        # By identity: another function may have the name.
        is_tanh = getattr(self.cell, "activation", None) is keras.activations.tanh
        name = self._cell_name if single else f"{self._cell_name} in {self.compute_dtype}"
        return name, "tanh" if is_tanh else "an activation of its own"

    def _initial(self, number: int, rows: tf.Tensor) -> tf.Tensor:
        state = self.initial_states[number]
        if state is None:
            return tf.zeros([rows, self.state_sizes[number]], self.compute_dtype)
        return tf.repeat(tf.convert_to_tensor(state.state), rows, axis=0)

    def _run_flat(
        self,
        inputs: tf.Tensor,
        resets: tf.Tensor | None,
        mask: tf.Tensor | None,
        states: list[tf.Tensor],
        training: bool,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """All steps by the native kernel: the outputs (B, T, U), and the last states."""
        shape = tf.shape(inputs)
        mask = tf.ones(shape[:2], tf.bool) if mask is None else tf.cast(mask, tf.bool)
        resets = tf.zeros(shape[:2], tf.bool) if resets is None else tf.cast(resets, tf.bool)
        layout, places = ragged_layout(mask, resets, reverse=self.reverse)
        inputs = tf.cast(inputs, self.compute_dtype)
        flat, last = self.over(tf.reshape(inputs, [-1, inputs.shape[2]]), places.steps, layout, states, training)
        # Where a row has come to no step yet, its output is the state before it.
        before = tf.shape(flat)[0] + tf.range(shape[0])[:, tf.newaxis]
        place = tf.where(places.place >= 0, places.place, before)
        outputs = tf.gather(tf.concat([flat, states[0]], axis=0), place)
        outputs.set_shape((inputs.shape[0], inputs.shape[1], self.output_size))
        return outputs, last


def sequence_ends(resets: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Where sequences end, which is where a layer that goes backwards has to reset.

        tokens   7 8 9 0      resets   1 0 1 0      ends   0 1 1 0

    Args:
        resets: bool (B, T), where sequences begin.
        mask: bool (B, T), where there is a token.

    Returns:
        bool (B, T).
    """
    goes_on = mask[:, 1:] & ~resets[:, 1:]
    return mask & ~tf.pad(goes_on, [[0, 0], [0, 1]])
