"""A recurrent layer that resets its state within a row and carries it from batch to batch."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from lengthwise.core.names import INITIAL_STATES
from lengthwise.layers.by_kernel import ComputedByKernel
from lengthwise.layers.flat import at_padded_steps, flat_rows, run_flat
from lengthwise.layers.initial_state import LearnedInitialState
from lengthwise.layers.native_cell import KINDS, described, native_weights
from lengthwise.layers.scan import PaddedSteps, draw_masks, forget_masks, scan
from lengthwise.layers.states import CarriedStates, for_rows, given_states, state_sizes
from lengthwise.native.choice import choose_kernel
from lengthwise.native.ops import RaggedLayout, ragged_recurrent


@keras.saving.register_keras_serializable("lengthwise")
class Recurrent(ComputedByKernel):
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
        reverse: whether to go from the last step to the first; outputs stay where their steps are.
        go_backwards: the same as in Keras: outputs stand in the order in which they are computed, the last step first.
            `keras.layers.Bidirectional` asks for it.
        zero_output_for_mask: whether outputs are 0 where the mask is false, not those of the step before.
        initial_state: `zeros`, or `learned`: trained with the weights.
        carried_rows: the rows of a batch, for a layer that carries states from a batch to the next: row i goes on from
            row i. A batch of fewer rows leaves the others' states as they are, and one of more makes room for more.
            None: nothing is carried. What is carried is no weight, and is not saved.
        kernel: `native`, `keras` or `auto`, see `lengthwise.native.choice`. The native kernel computes no step that the
            mask leaves out; within XLA (`jit_compile=True`) choose `keras`.

    Raises:
        KernelError: `native`, which cannot be built here, or does not compute this cell.
        ValueError: there is no such initial state, `carried_rows` is below 1 or does not go with `reverse`, or what is
            given is no cell, or a stack of cells.
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        *,
        return_sequences: bool = True,
        return_state: bool = False,
        reverse: bool = False,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        initial_state: str = "zeros",
        carried_rows: int | None = None,
        kernel: str = "auto",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if initial_state not in INITIAL_STATES:
            raise ValueError(f"initial_state: got {initial_state!r}; expected one of {', '.join(INITIAL_STATES)}")
        if carried_rows is not None and (carried_rows < 1 or reverse or go_backwards):
            raise ValueError(
                f"carried_rows: got {carried_rows}, reverse={reverse or go_backwards}; expected at least 1 and "
                "reverse=False, since no state comes from a batch that is still to come"
            )
        if reverse and go_backwards:
            raise ValueError("go_backwards: got True with reverse=True; expected one of the two")
        self.state_sizes = state_sizes(cell)
        self.cell = cell
        self.return_sequences, self.return_state, self.reverse = return_sequences, return_state, reverse
        self.go_backwards, self.zero_output_for_mask = go_backwards, zero_output_for_mask
        self.initial_state, self.carried_rows = initial_state, carried_rows
        self.supports_masking = True
        self.output_size = getattr(cell, "output_size", None) or self.state_sizes[0]
        self.initial_states: list[LearnedInitialState | None] = []
        self._states: CarriedStates | None = None
        self.kernel = kernel

    @property
    def stateful(self) -> bool:
        """Whether states are carried from batch to batch, under Keras's name."""
        return self.carried_rows is not None

    @property
    def carried(self) -> list[tf.Variable]:
        """What is carried, float32 (rows, U) each; nothing before the layer is built, or if it carries nothing."""
        return [] if self._states is None else self._states.variables

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the cell's weights, the learned initial states and the carried ones.

        Raises:
            ValueError: the inputs are no rows of steps of so many features.
        """
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(f"inputs: got the shape {tuple(input_shape)}; expected (B, T, D), with D features known")
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
        if self.carried_rows is not None:
            self._states = CarriedStates(self.carried_rows, self.state_sizes, self.variable_dtype)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        resets: tf.Tensor | None = None,
        mask: tf.Tensor | None = None,
        states: Sequence[tf.Tensor] | None = None,
        training: bool = False,
        initial_state: Sequence[tf.Tensor] | None = None,
        ends: tf.Tensor | None = None,
        inputs_mask: tf.Tensor | None = None,
    ) -> tf.Tensor | tuple[tf.Tensor, ...]:
        """Run.

        Args:
            inputs: float32 (B, T, D).
            resets: bool (B, T), where sequences begin, or None. One that the mask leaves out is for the row's next step
                that it does not.
            mask: bool (B, T): where it is false the state and the output stay as they were. Without it padded steps are
                computed like others; what comes of them reaches no step that has a token and resets or comes earlier.
            states: float32 (B, U) each, before the first step; without them the carried or the initial ones.
            training: what a cell that drops inputs or states is told.
            initial_state: `states` under Keras's name.
            ends: bool (B, T), where sequences end, which is where a layer that goes backwards resets, in the place of
                `resets`; see `sequence_ends`.
            inputs_mask: what Keras calls the mask that the inputs bring along, once other tensors are given too.

        Returns:
            The outputs, float32 (B, T, U) or (B, U), and with `return_state` the last states after them.

        Raises:
            ValueError: states of other numbers than the cell has, or `resets` backwards, or `ends` forwards.
        """
        backwards = self.reverse or self.go_backwards
        if (resets if backwards else ends) is not None:
            wrong, right = ("resets", "ends") if backwards else ("ends", "resets")
            raise ValueError(
                f"{wrong}: got them with reverse={backwards}; expected {right}, where a layer of this direction resets"
            )
        mask = inputs_mask if mask is None else mask
        rows = tf.shape(inputs)[0]
        initial = self._initial()
        given = given_states(states, initial_state, self.state_sizes)
        if given is None:
            given = initial if self._states is None else self._states.before(initial, rows)
        before = [
            tf.broadcast_to(tf.cast(state, self.compute_dtype), [rows, size])
            for state, size in zip(given, self.state_sizes, strict=True)
        ]
        run = self._run_flat if self._computes_natively() else self._run_padded
        outputs, said, last = run(PaddedSteps(inputs, ends if backwards else resets, mask, before, initial), training)
        if self._states is not None:
            self._states.keep(last)
        if mask is not None and self.zero_output_for_mask and self.return_sequences:
            outputs = tf.where(tf.cast(mask, tf.bool)[..., tf.newaxis], outputs, tf.zeros((), outputs.dtype))
        if self.return_sequences:
            said = tf.reverse(outputs, [1]) if self.go_backwards else outputs
        return (said, *last) if self.return_state else said

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
        initial = self._initial()
        if states is None:
            states = [for_rows(state, tf.size(layout.order)) for state in initial]
        weights = native_weights(self.cell)
        if items is None:
            # The product of such a vector and the kernel is a row of it.
            items, weights = weights.kernel, weights._replace(kernel=None)
        outputs, last = ragged_recurrent(
            KINDS[type(self.cell)],
            weights,
            items,
            index,
            layout,
            tf.stack(states),
            tf.concat(initial, axis=0),
            read=read,
            save=bool(training),
        )
        return outputs, tf.unstack(last, len(self.state_sizes))

    def reset_state(self) -> None:
        """Forget what was carried: every row begins with the initial state, as Keras calls it."""
        if self._states is not None:
            self._states.forget(self._initial())

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[Any, ...]:
        """The shape of what is returned, for inputs of the shape (B, T, D)."""
        rows, steps = input_shape[:2]
        outputs = (rows, steps, self.output_size) if self.return_sequences else (rows, self.output_size)
        return (outputs, *((rows, size) for size in self.state_sizes)) if self.return_state else outputs

    def compute_mask(self, _inputs: tf.Tensor, mask: tf.Tensor | None = None) -> Any:  # noqa: ANN401 - one or a list.
        """Outputs of every step have the mask of the inputs; states have none."""
        mask = mask if self.return_sequences else None
        return [mask, *(None for _ in self.state_sizes)] if self.return_state else mask

    def get_config(self) -> dict[str, object]:
        """What `from_config` needs."""
        names = ["return_sequences", "return_state", "reverse", "go_backwards", "zero_output_for_mask"]
        names += ["initial_state", "carried_rows", "kernel"]
        cell = keras.saving.serialize_keras_object(self.cell)
        return {**super().get_config(), "cell": cell, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Recurrent":
        """A layer of this configuration, which stays as it is."""
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})

    def _chosen(self) -> str:
        return choose_kernel(self.kernel, *described(self.cell, self))

    def _initial(self) -> list[tf.Tensor]:
        """The states that every row begins with, (1, U) each."""
        return [
            tf.zeros((1, size), self.compute_dtype) if state is None else tf.convert_to_tensor(state.state)
            for state, size in zip(self.initial_states, self.state_sizes, strict=True)
        ]

    def _run_flat(self, rows: PaddedSteps, training: bool) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """All steps by the native kernel: the outputs (B, T, U) if they are returned, the last one, the last states."""
        inputs = tf.cast(rows.inputs, self.compute_dtype)
        flat = flat_rows(inputs, rows.mask, rows.resets, reverse=self.reverse or self.go_backwards)
        draw_masks(self.cell, inputs, rows.states)
        outputs, (last,) = run_flat(
            [self.cell], flat, [rows.states], [rows.initial], training=training, every_step=self.return_sequences
        )
        forget_masks(self.cell)
        if self.return_sequences:
            # Where a row has come to no step yet, its output is the state before it.
            outputs = at_padded_steps(outputs, flat.places.place, rows.states[0])
            outputs.set_shape((inputs.shape[0], inputs.shape[1], self.output_size))
        return outputs, last[0], last

    def _run_padded(self, rows: PaddedSteps, training: bool) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """The same by TensorFlow's operations."""
        return scan(
            self.cell, rows, self.output_size, reverse=self.reverse or self.go_backwards, training=bool(training)
        )
