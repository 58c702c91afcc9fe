"""A network of two levels: it reads sequences, and a second recurrent layer what it says of a group's sequences.

Yang et al. (2016): words make sentences, sentences make a document; here, an author. Shapes: P sequences, G groups, M
sequences of the largest group, U units, C classes.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import tensorflow as tf

from lengthwise.core.names import ATTENTION_READOUTS
from lengthwise.core.nested import PLACE
from lengthwise.layers.dropout import Dropout
from lengthwise.layers.two_level import OuterSteps
from lengthwise.models.inputs import Inputs
from lengthwise.models.network import Network, States
from lengthwise.models.readout import AttentionReadout, pool


class GroupNetwork(Network):
    """Predicts the class of each group, end to end from the tokens of some of its sequences.

    What it reads of a batch are the sequences of G groups, and among the columns `place`, int32 (G, M): which of the P
    sequences stands there, -1 for none.

    Args:
        config: what it is made of; `outer` says what is read of the second layer.
        kernel: see `Network`.
        name: what its weights are named after.

    Raises:
        KernelError: the kernel is `native`, which cannot be built here, or does not compute this cell.
    """

    def _extend(self) -> None:
        config = self.config
        self.outer_steps = OuterSteps(name="outer_steps")
        self.outer = self._recurrent("outer")
        self.outer_dropout = Dropout(config.dropout, native=self.kernel == "native", name="outer_dropout")
        self.outer_attention = (
            AttentionReadout(config.outer == "gated", name="outer_readout")
            if config.outer in ATTENTION_READOUTS
            else None
        )

    @property
    def column_specs(self) -> dict[str, tf.TensorSpec]:
        """What it reads beside tokens, by name, and where the sequences of groups are."""
        return {**super().column_specs, PLACE: tf.TensorSpec((None, None), tf.int32, PLACE)}

    @property
    def states_signature(self) -> tuple[tf.TensorSpec, ...]:
        """No states: it reads whole sequences and whole rows of them."""
        return ()

    @property
    def reads_flat_batches(self) -> bool:
        """Not of groups."""
        return False

    def call(
        self, inputs: Inputs, states: States | None = None, training: bool = False
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Predict.

        Args:
            inputs: what to read, and where each sequence is read.
            states: none.
            training: whether to drop outputs.

        Returns:
            Logits, float32 (G, C), and no states.
        """
        return self.read_outer(self.read_inner(inputs, training), inputs.columns[PLACE], training), ()

    def read_inner(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """What is said of each sequence: float32 (P, D)."""
        inputs = inputs._replace(tokens=self.word_dropout(inputs.tokens, training=training))
        return self._run(inputs, None, training)[0]

    def read_outer(self, said: tf.Tensor, place: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits of groups, float32 (G, C), of what is said of their sequences (P, D)."""
        mask, count = place >= 0, tf.shape(place)[1]
        resets = tf.broadcast_to(tf.range(count) == 0, tf.shape(mask))
        outputs = self.outer(self.outer_steps([said, place]), resets=resets, mask=mask, training=training)[0]
        outputs = tf.reshape(outputs, [-1, outputs.shape[-1]])
        rows = tf.range(tf.shape(place)[0])
        at = rows * count + tf.reduce_sum(tf.cast(mask, tf.int32), axis=1) - 1
        if self.config.outer == "last":
            read = tf.gather(outputs, at)
        else:
            group = tf.reshape(tf.where(mask, rows[:, tf.newaxis], -1), [-1])
            pooled = self.outer_attention or (lambda *of: pool(self.config.outer, *of))
            read = pooled(outputs, group, at)
        return self.softmax(self.outer_dropout(read, training=training))

    @cached_property
    def _inner_function(self) -> Callable[[Inputs], tf.Tensor]:
        return tf.function(self.read_inner, input_signature=(self._inner_signature,), autograph=False)

    @cached_property
    def _outer_function(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        said = tf.TensorSpec((None, self.said_size), tf.float32)
        signature = (said, tf.TensorSpec((None, None), tf.int32))
        return tf.function(self.read_outer, input_signature=signature, autograph=False)

    @property
    def _inner_signature(self) -> Inputs:
        signature = self.inputs_signature
        return signature._replace(columns={name: of for name, of in signature.columns.items() if name != PLACE})

    @property
    def said_size(self) -> int:
        """Numbers that are said of a sequence."""
        return self.config.read_features

    def say(self, inputs: Inputs) -> np.ndarray:
        """What is said of whole sequences, by a function that is traced once: float32 (P, D)."""
        return self._inner_function(inputs).numpy()

    def judge(self, said: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Logits of groups of which sequences were read, by a function that is traced once: float32 (G, C)."""
        return self._outer_function(tf.constant(said), tf.constant(place)).numpy()
