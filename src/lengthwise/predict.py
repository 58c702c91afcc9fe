"""A trained network on any text: whole, or token by token as it comes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from lengthwise.errors import FormatError
from lengthwise.evaluation.predict import predict_split
from lengthwise.labels import joint_class_names
from lengthwise.models.ensemble import Ensemble, log_probabilities_of
from lengthwise.models.network import INPUTS_SIGNATURE, Inputs, Network, States
from lengthwise.models.saved import load_network
from lengthwise.ragged import offsets_of
from lengthwise.shards.reader import Sequences
from lengthwise.vocabulary import Vocabulary, read_vocabulary


class Predictor:
    """A network with its vocabulary and its tokenizer.

    Args:
        network: trained.
        vocabulary: what it was trained with.
        tokenize: a text's tokens, as the stage tokens makes them.

    Raises:
        FormatError: the vocabulary is not the network's.
    """

    def __init__(
        self, network: Network | Ensemble, vocabulary: Vocabulary, tokenize: Callable[[str], list[str]]
    ) -> None:
        if len(vocabulary) != network.config.vocabulary_size:
            raise FormatError(
                f"vocabulary: has {len(vocabulary)} entries; expected {network.config.vocabulary_size}, as the network "
                "was trained with; give that one, or train again"
            )
        self.network, self.vocabulary, self.tokenize = network, vocabulary, tokenize

    @classmethod
    def load(cls, model: Path, vocabulary: Path, tokenize: Callable[[str], list[str]]) -> "Predictor":
        """Read a folder that the stage train wrote, and a vocabulary.

        Raises:
            FormatError: one of them is absent or damaged, or they do not belong together.
        """
        return cls(load_network(model), read_vocabulary(vocabulary), tokenize)

    @property
    def classes(self) -> list[str]:
        """The names of the C classes."""
        return joint_class_names(self.network.config.factors)

    def whole(self, texts: Sequence[list[str]]) -> np.ndarray:
        """What the network says of whole texts, at the last token of each.

        Args:
            texts: S lists of tokens, each of one at least, of any length, whatever the lengths in training were.

        Returns:
            float32 (S, C), each row adds up to 1.
        """
        encoded = [np.zeros(0, np.int32), *(self.vocabulary.encode(tokens) for tokens in texts)]
        number = np.arange(len(texts), dtype=np.int32)
        offsets = offsets_of(np.array([len(tokens) for tokens in texts], np.int64))
        # The labels are not known and not looked at.
        sequences = Sequences(np.concatenate(encoded), offsets, np.zeros(len(texts), np.int16), number, number, number)
        return np.exp(predict_split(self.network, sequences).log_probabilities)

    def stream(self) -> "Stream":
        """A reader that says something after every token.

        Raises:
            FormatError: the network has to see tokens that are still to come.
        """
        return Stream(self.network, self.vocabulary)


class Stream:
    """Reads a text token by token and carries the state on, so that nothing is read twice; see `Predictor.stream`."""

    def __init__(self, network: Network | Ensemble, vocabulary: Vocabulary) -> None:
        config = network.config
        if config.bidirectional or config.front_end != "none":
            raise FormatError(
                f"model: has bidirectional={config.bidirectional} and front_end={config.front_end}, so it needs tokens "
                "still to come; expected a network that reads forwards only; predict whole texts, or train another"
            )
        if config.pooled:
            raise FormatError(
                f"model: has readout={config.readout}, so it needs all outputs of a text; expected one that reads the "
                "last; predict whole texts, or train another"
            )
        self._network, self._vocabulary = network, vocabulary
        self._forward = tf.function(self._step, input_signature=(INPUTS_SIGNATURE, network.states_signature))
        self.restart()

    def restart(self) -> None:
        """The next token begins a text."""
        self._states: States = self._network.zero_states(1)
        self._begins = True

    def push(self, token: str) -> np.ndarray:
        """Read one more token.

        Returns:
            The class probabilities after it: float32 (C,).
        """
        inputs = Inputs(
            tokens=self._vocabulary.encode([token])[np.newaxis],
            mask=np.ones((1, 1), bool),
            resets=np.full((1, 1), self._begins),
            positions=np.zeros((1, 2), np.int32),
        )
        probabilities, self._states = self._forward(inputs, self._states)
        self._begins = False
        return probabilities.numpy()[0]

    def _step(self, inputs: Inputs, states: States) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        logits, after = self._network(inputs, states)
        return tf.exp(log_probabilities_of(logits)), after
