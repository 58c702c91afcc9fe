"""Several networks that learn side by side, and what they predict together."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.models.config import NetworkConfig
from lengthwise.models.group_network import GroupNetwork
from lengthwise.models.inputs import Inputs
from lengthwise.models.network import Network, States
from lengthwise.models.outputs import traced_prediction
from lengthwise.models.step_features import NumberScale
from lengthwise.native.ops import FlatBatch


class Ensemble:
    """Networks of the same settings that begin with other weights; it is used as a `Network` is.

    Each learns as if it were alone, from the same batches in the same order. Together they predict the mean of their
    log-probabilities, made a distribution again (an ensemble; Hansen and Salamon, 1990).

    Args:
        config: what each is made of; its `ensemble` says how many they are.
        kernel: who computes the recurrent layers, see `lengthwise.native.choice`. No prediction depends on it.

    Raises:
        KernelError: the kernel is `native`, which cannot be built here, or does not compute this cell.
    """

    def __init__(self, config: NetworkConfig, kernel: str = "auto") -> None:
        self.config = config
        alone = replace(config, ensemble=1)
        self.members = [Network(alone, kernel, name=f"network_{number}") for number in range(config.ensemble)]
        self._predict = traced_prediction(self)

    @property
    def kernel(self) -> str:
        """Who computes the recurrent layers: `native` or `keras`."""
        return self.members[0].kernel

    @property
    def reads_flat_batches(self) -> bool:
        """Whether `over` takes its batches."""
        return self.members[0].reads_flat_batches

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The weights of all members, one member after the other."""
        return [variable for member in self.members for variable in member.trainable_variables]

    @property
    def variables(self) -> list[keras.Variable]:
        """The same with the states of dropout."""
        return [variable for member in self.members for variable in member.variables]

    @property
    def saved_variables(self) -> list[keras.Variable]:
        """All that their predictions depend on, one member after the other."""
        return [variable for member in self.members for variable in member.saved_variables]

    @property
    def target_scale(self) -> NumberScale | None:
        """What numbers are predicted in: the same for all members."""
        return self.members[0].target_scale

    @property
    def inputs_signature(self) -> Inputs:
        """What they take, for `tf.function`."""
        return self.members[0].inputs_signature

    def adapt(self, parts: Iterable[Sequences]) -> None:
        """Take the scales of features and of numbers to predict from the training sequences, in any parts."""
        for member in self.members:
            member.adapt(parts)

    @property
    def states_signature(self) -> tuple[tf.TensorSpec, ...]:
        """The states that go from a window to the next, one member after the other: float32 (B, U) each."""
        return tuple(spec for member in self.members for spec in member.states_signature)

    def zero_states(self, rows: int) -> States:
        """States for rows that all begin with a reset."""
        return tuple(state for member in self.members for state in member.zero_states(rows))

    def __call__(
        self, inputs: Inputs, states: States | None = None, training: bool = False
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """What each member predicts: logits, float32 (M, P, C), and the states after the last step."""
        return self._joined(
            [member(inputs, of_member, training=training) for member, of_member in self._with_states(states)]
        )

    def over(
        self,
        batch: FlatBatch,
        states: States | None = None,
        training: bool = False,
        columns: Mapping[str, tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """The same from a batch without padding, see `Network.over`."""
        return self._joined(
            [member.over(batch, of_member, training, columns) for member, of_member in self._with_states(states)]
        )

    def predict_batch(self, inputs: Inputs) -> np.ndarray:
        """What they say of whole sequences together, see `Network.predict_batch`."""
        return self._predict(inputs).numpy()

    def _with_states(self, states: States | None) -> list[tuple[Network, States | None]]:
        size = len(self.members[0].states_signature)
        return [
            (member, None if states is None else states[number * size : (number + 1) * size])
            for number, member in enumerate(self.members)
        ]

    @staticmethod
    def _joined(
        predicted: list[tuple[tf.Tensor, tuple[tf.Tensor, ...]]],
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        return tf.stack([logits for logits, _ in predicted]), tuple(state for _, after in predicted for state in after)


def make_network(config: NetworkConfig, kernel: str = "auto") -> Network | Ensemble:
    """A network, or as many as the settings say.

    Raises:
        KernelError: the kernel is `native`, which cannot be built here, or does not compute this cell.
        ArgumentError: several networks are to read groups; it is a `ValueError`.
    """
    if config.outer != "none":
        if config.ensemble > 1:
            raise ArgumentError("ensemble", f"got {config.ensemble} networks of groups; expected 1")
        return GroupNetwork(config, kernel)
    return Network(config, kernel) if config.ensemble == 1 else Ensemble(config, kernel)
