"""Steps to features, recurrent layers, dropout, a last layer: the network of the source article, and its variants."""

from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from lengthwise.core.sequences import NUMBERS, Sequences
from lengthwise.layers.cells import CELLS
from lengthwise.layers.dropout import Dropout
from lengthwise.layers.front_end import MaskedConv1D, steps_at
from lengthwise.layers.recurrent import Recurrent
from lengthwise.layers.row_table import RowTable
from lengthwise.layers.sequence_ends import sequence_ends
from lengthwise.layers.word_dropout import WordDropout
from lengthwise.models.config import NetworkConfig
from lengthwise.models.inputs import INPUTS_SIGNATURE, Inputs
from lengthwise.models.outputs import traced_prediction
from lengthwise.models.readout import AttentionReadout, flat_sequences, padded_sequences, read_out
from lengthwise.models.step_features import NumberScale, StepFeatures, column_specs, reads_columns
from lengthwise.models.tasks import read_columns
from lengthwise.native.ops import FlatBatch, RaggedLayout, mirrored_layout, ragged_layout

States = Sequence[np.ndarray | tf.Tensor]
# What flat steps read, see `Recurrent.over`: the items, the item of each step, the layout.
FlatItems = tuple[tf.Tensor | None, tf.Tensor, RaggedLayout]


class Network(keras.Model):
    """Reads rows of steps and predicts at the positions asked for: the joint class, or what else its task says.

    A sequence's predictions depend on its own steps alone: not on padding, on its neighbours in the row, or on where a
    window cut it, as long as the states of a window are given to the next. A classifier that pools all outputs needs
    whole sequences.

    Args:
        config: what it is made of.
        kernel: who computes the recurrent layers, see `lengthwise.native.choice`. No prediction depends on it.
        name: what its weights are named after.

    Raises:
        KernelError: the kernel is `native`, which cannot be built here, or does not compute this cell.
    """

    def __init__(self, config: NetworkConfig, kernel: str = "auto", name: str = "network") -> None:
        super().__init__(name=name)
        self.config, self._kernel = config, kernel
        self.embedding = (
            RowTable(config.vocabulary_size, config.embedding, name="embedding")
            if config.input == "embedding" and config.tokens
            else None
        )
        self.step_features = StepFeatures(config, name="step_features") if reads_columns(config) else None
        self.front_end = (
            MaskedConv1D(
                config.filters, config.kernel, stride=config.stride, padding=config.conv_padding, name="front_end"
            )
            if config.front_end == "conv1d"
            else None
        )
        self.forwards = [self._recurrent(f"forward_{number}") for number in range(config.layers)]
        self.backwards = [
            self._recurrent(f"backward_{number}", reverse=True)
            for number in range(config.layers * config.bidirectional)
        ]
        native = self.kernel == "native"
        self.dropouts = [Dropout(config.dropout, native=native, name=f"dropout_{n}") for n in range(config.layers)]
        self.attention = AttentionReadout(config.readout == "gated") if config.attends else None
        # Its logits are turned into probabilities by the loss.
        self.softmax = keras.layers.Dense(config.outputs, name="softmax")
        self._extend()
        # What numbers are predicted in: their means and their spreads in training.
        self.target_scale = (
            NumberScale(len(config.numbers), name="target_scale") if config.task == "regressor" else None
        )
        self.word_dropout = WordDropout(config.word_dropout, name="word_dropout")
        # Keras builds a layer at its first call; saving and resuming need all weights before that.
        self._run = self._run_padded
        step = tf.ones((1, 1), tf.bool)
        columns = {name: tf.zeros((1, 1, *spec.shape[2:]), spec.dtype) for name, spec in self.column_specs.items()}
        self(Inputs(tf.zeros((1, 1), tf.int32), step, step, tf.zeros((1, 2), tf.int32), columns))
        if native:
            self._run = self._run_flat
        self._predict = traced_prediction(self)

    def _extend(self) -> None:
        """Make what a network has beside, before it is built."""

    def _recurrent(self, name: str, reverse: bool = False) -> Recurrent:
        config = self.config
        cell = CELLS[config.cell](config.units, config.activation, name="cell")
        return Recurrent(
            cell,
            return_state=True,
            reverse=reverse,
            initial_state=config.initial_state,
            kernel=self._kernel,
            name=name,
        )

    @property
    def kernel(self) -> str:
        """Who computes the recurrent layers: `native` or `keras`."""
        return "native" if self.forwards[0].native else "keras"

    @property
    def members(self) -> list["Network"]:
        """The networks that learn each for itself, as those of an ensemble do: this one."""
        return [self]

    @property
    def column_specs(self) -> dict[str, tf.TensorSpec]:
        """What it reads beside tokens, by name, in rows."""
        return column_specs(self.config)

    @property
    def inputs_signature(self) -> Inputs:
        """What it takes, for `tf.function`."""
        return INPUTS_SIGNATURE._replace(columns=self.column_specs)

    @property
    def saved_variables(self) -> list[keras.Variable]:
        """All that its predictions depend on: what is trained, and the scales of what it reads and predicts."""
        scales = [layer for layer in (self.step_features, self.target_scale) if layer is not None]
        return [*self.trainable_variables, *(weight for layer in scales for weight in layer.non_trainable_variables)]

    def adapt(self, parts: Iterable[Sequences]) -> None:
        """Take the scales of features and of numbers to predict from the training sequences.

        Args:
            parts: all of them, in any parts; they are read once for each scale.
        """
        if self.step_features is not None and self.step_features.scale is not None:
            self.step_features.scale.adapt(read_columns(self.config, part)["features"] for part in parts)
        if self.target_scale is not None:
            self.target_scale.adapt(part[NUMBERS] for part in parts)

    @property
    def states_signature(self) -> tuple[tf.TensorSpec, ...]:
        """The states that go from a window to the next: float32 (B, U) each."""
        sizes = [size for layer in self.forwards for size in layer.state_sizes]
        return tuple(tf.TensorSpec((None, size), tf.float32) for size in sizes)

    def zero_states(self, rows: int) -> States:
        """States for rows that all begin with a reset, which makes the initial states of them."""
        return tuple(np.zeros((rows, spec.shape[1]), np.float32) for spec in self.states_signature)

    def build(self, _inputs_shape: object = None) -> None:
        """Leave it to the first call to build all layers: Keras would trace one to find them, and then call."""
        self.built = True

    def call(
        self, inputs: Inputs, states: States | None = None, training: bool = False
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Predict.

        Args:
            inputs: what to read, and where to predict.
            states: of the window before, see `states_signature`; without them a row begins with the initial ones.
            training: whether to drop outputs.

        Returns:
            Logits or scaled numbers, float32 (P, C), and the states after the last step.
        """
        inputs = inputs._replace(tokens=self.word_dropout(inputs.tokens, training=training))
        features, after = self._run(inputs, states, training)
        return self.softmax(features), tuple(after)

    def predict_batch(self, inputs: Inputs) -> np.ndarray:
        """What it says of whole sequences, by a function that is traced once: see `together`, float32 (P, C)."""
        return self._predict(inputs).numpy()

    def _states_of(self, number: int, states: States | None) -> States | None:
        """The states of one layer."""
        size = len(self.forwards[number].state_sizes)
        return None if states is None else states[number * size : (number + 1) * size]

    def _run_padded(self, inputs: Inputs, states: States | None, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The layers over rows (B, T): what is read at the positions (P, D), and the states."""
        features, mask, resets = self._features(inputs)
        here = {"resets": resets, "mask": mask if self.config.masking else None}
        after: list[tf.Tensor] = []
        for number, (forward, dropout) in enumerate(zip(self.forwards, self.dropouts, strict=True)):
            outputs, *last = forward(features, states=self._states_of(number, states), training=training, **here)
            after += last
            if self.backwards:
                back = {"ends": sequence_ends(resets, mask), "mask": here["mask"]}
                outputs = tf.concat([outputs, self.backwards[number](features, **back)[0]], axis=-1)
            if number == self.config.layers - 1:
                # Only what is read is dropped and classified.
                outputs = self._read_padded(outputs, mask, resets, inputs.positions)
            features = dropout(outputs, training=training)
        return features, after

    def _run_flat(self, inputs: Inputs, states: States | None, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The same by the native kernel, from the first layer to the last without padding."""
        layout, places = ragged_layout(inputs.mask, inputs.resets)

        def flat(padded: tf.Tensor) -> tf.Tensor:
            return tf.gather(tf.reshape(padded, [-1, *padded.shape[2:]]), places.steps)

        columns = {name: flat(inputs.columns[name]) for name in column_specs(self.config)}
        below = self._flat_items(flat(inputs.tokens), columns, layout)
        at = inputs.positions
        at = tf.gather_nd(places.place, at) if self.front_end is None else steps_at(below[-1], at)
        return self._layers_over(below, states, training, None, at)

    @property
    def reads_flat_batches(self) -> bool:
        """Whether `over` takes its batches: the native kernel computes all between tokens and predictions."""
        return self.kernel == "native"

    def over(
        self,
        batch: FlatBatch,
        states: States | None = None,
        training: bool = False,
        columns: Mapping[str, tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Predict, as `call` does, from a batch without padding; see `reads_flat_batches`.

        Args:
            batch: what to read, and where to predict.
            states: of the window before.
            training: whether to drop outputs.
            columns: what is read beside tokens, as in `Inputs`, of flat steps: (N, ...).

        Returns:
            Logits or scaled numbers, float32 (P, C), at the steps that the batch reads, and the states after the last.
        """
        ids = self.word_dropout(batch.ids, training=training)
        # Of what is pooled all is read.
        read, at = (None, batch.read) if self.config.pooled else (batch.read, None)
        below = self._flat_items(ids, columns or {}, batch.layout)
        features, after = self._layers_over(below, states, training, read, at)
        return self.softmax(features), tuple(after)

    def _flat_items(self, ids: tf.Tensor, columns: Mapping[str, tf.Tensor], layout: RaggedLayout) -> FlatItems:
        """What the flat steps below the recurrent layers read, see `Recurrent.over`, and their layout."""
        items, index = None if self.embedding is None else self.embedding.rows, ids
        if self.step_features is not None:
            items, index = self._of_tokens_and_columns(ids, columns), None
        if self.front_end is not None:
            (items, layout), index = self.front_end.over(items, index, layout), None
        return items, tf.range(tf.shape(items)[0]) if index is None else index, layout

    def _layers_over(
        self, below: FlatItems, states: States | None, training: bool, read: tf.Tensor | None, at: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The layers over flat steps: of the outputs of the steps `read`, each once, what is read `at`; None: all."""
        items, index, layout = below
        back, mirror = mirrored_layout(layout) if self.backwards else (layout, None)
        after: list[tf.Tensor] = []
        for number, (forward, dropout) in enumerate(zip(self.forwards, self.dropouts, strict=True)):
            is_last = number == self.config.layers - 1
            wanted = read if is_last else None
            outputs, last = forward.over(items, index, layout, self._states_of(number, states), training, wanted)
            after += last
            if mirror is not None:
                wanted = mirror if wanted is None else tf.gather(mirror, wanted)
                behind, _ = self.backwards[number].over(items, tf.gather(index, mirror), back, None, training, wanted)
                outputs = tf.concat([outputs, behind], axis=-1)
            if is_last and at is not None:
                outputs = self._read_flat(outputs, layout, at)
            items, index = dropout(outputs, training=training), tf.range(tf.size(index))
        return items, after

    def _read_padded(self, outputs: tf.Tensor, mask: tf.Tensor, resets: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """What is read (P, R) of the last layer's outputs (B, T, D)."""
        if not self.config.pooled:
            return tf.gather_nd(outputs, positions)
        at = positions[:, 0] * tf.shape(outputs)[1] + positions[:, 1]
        steps = tf.reshape(outputs, [-1, outputs.shape[-1]])
        return read_out(self.attention, self.config.readout, steps, padded_sequences(mask, resets), at)

    def _read_flat(self, outputs: tf.Tensor, layout: RaggedLayout, at: tf.Tensor) -> tf.Tensor:
        """The same of flat steps (N, D)."""
        if not self.config.pooled:
            return tf.gather(outputs, at)
        return read_out(self.attention, self.config.readout, outputs, flat_sequences(layout), at)

    def _of_tokens_and_columns(self, tokens: tf.Tensor, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The features of steps, float32 (..., D), in rows or flat."""
        parts = [] if self.step_features is None else self.step_features(columns)
        if self.embedding is not None:
            parts = [self.embedding(tokens), *parts]
        elif self.config.tokens:
            parts = [tf.one_hot(tokens, self.config.vocabulary_size), *parts]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)

    def _features(self, inputs: Inputs) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Features (B, T, D), and the mask and the resets of their steps."""
        features = self._of_tokens_and_columns(inputs.tokens, inputs.columns)
        if self.front_end is None:
            return features, inputs.mask, inputs.resets
        mask = self.front_end.compute_mask(features, inputs.mask)
        # One sequence a row: it begins at the first step.
        resets = tf.broadcast_to(tf.range(tf.shape(mask)[1]) == 0, tf.shape(mask))
        return self.front_end(features, mask=inputs.mask), mask, resets
