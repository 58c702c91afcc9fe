"""Embedding, GRU, dropout, softmax: the network of the source article."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from lengthwise.errors import FormatError
from lengthwise.files import replacing_folder, write_json
from lengthwise.labels import LabelFactor, joint_class_names
from lengthwise.layers.initial_state import LearnedInitialState
from lengthwise.models.tasks import TASKS

VERSION = 1
INITIAL_STATES = ("learned", "zeros")
# The shapes of the inputs, for `tf.function`: traced once, whatever the rows and widths.
TOKENS = tf.TensorSpec((None, None), tf.int32, "tokens")  # (B, T)
POSITIONS = tf.TensorSpec((None, 2), tf.int32, "positions")  # (P, 2)
CONFIG_NAME, WEIGHTS_NAME = "config.json", "weights.safetensors"


@dataclass(frozen=True)
class NetworkConfig:
    """What a network is made of.

    Attributes:
        task: a name in `TASKS`.
        vocabulary_size: ids that the embedding knows.
        factors: the label factors, for the joint classes.
        embedding: features of a token.
        units: units of the GRU.
        initial_state: `learned` or `zeros`.
        dropout: share of the GRU's outputs that training drops, in [0, 1).
        version: of the format of a saved network.
    """

    task: str
    vocabulary_size: int
    factors: tuple[LabelFactor, ...]
    embedding: int
    units: int
    initial_state: str
    dropout: float
    version: int = VERSION

    def __post_init__(self) -> None:
        sizes = min(self.vocabulary_size, self.embedding, self.units)
        if sizes < 1 or not 0 <= self.dropout < 1 or self.initial_state not in INITIAL_STATES or self.task not in TASKS:
            raise ValueError(f"no network has these settings: {self}")

    @property
    def classes(self) -> int:
        """Joint classes."""
        return len(joint_class_names(self.factors))


class Network(keras.Model):
    """Reads rows of tokens and predicts the joint class at the positions asked for.

    Rows are filled up at their ends, and a GRU's output does not depend on later steps: so no mask is needed,
    and no padded step is ever read.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(name="network")
        self.config = config
        self.embedding = keras.layers.Embedding(
            config.vocabulary_size,
            config.embedding,
            embeddings_initializer="glorot_uniform",
            name="embedding",
        )
        self.recurrent = keras.layers.GRU(config.units, return_sequences=True, name="gru")
        self.initial_state = (
            LearnedInitialState(config.units, name="initial_state") if config.initial_state == "learned" else None
        )
        self.dropout = keras.layers.Dropout(config.dropout, name="dropout")
        self.softmax = keras.layers.Dense(config.classes, name="softmax")
        # Keras builds a layer at its first call; saving and resuming need all weights before that.
        self(tf.zeros((1, 1), tf.int32), tf.zeros((1, 2), tf.int32))

    def call(self, tokens: tf.Tensor, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Predict.

        Args:
            tokens: int32 (B, T).
            positions: int32 (P, 2), row and step of each prediction.
            training: whether to drop outputs.

        Returns:
            Logits, float32 (P, C).
        """
        state = None if self.initial_state is None else self.initial_state(tokens)
        outputs = self.recurrent(self.embedding(tokens), initial_state=state)
        return self.softmax(self.dropout(tf.gather_nd(outputs, positions), training=training))


def save_network(network: Network, folder: Path) -> None:
    """Write a network as `config.json` and `weights.safetensors`: no code, no pickle, no time stamp."""
    with replacing_folder(folder) as out:
        save_file(_arrays(network.trainable_variables), out / WEIGHTS_NAME)
        write_json(out / CONFIG_NAME, asdict(network.config))


def load_network(folder: Path) -> Network:
    """Read a network back.

    Raises:
        FormatError: a file is absent, damaged, of another version, or does not fit the other.
    """
    remedy = "run the stage train again"
    path = folder / CONFIG_NAME
    try:
        config = TypeAdapter(NetworkConfig).validate_json(path.read_bytes())
    except OSError as error:
        raise FormatError(f"{folder}: is no saved network ({error}); {remedy}") from error
    except ValidationError as error:
        raise FormatError(f"{path}: is damaged ({error.errors()[0]['msg']}); {remedy}") from None
    if config.version != VERSION:
        raise FormatError(f"{path}: has version {config.version}; expected {VERSION}; {remedy}")
    path = folder / WEIGHTS_NAME
    try:
        arrays = load_file(path)
    except (OSError, SafetensorError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {remedy}") from error
    network = Network(config)
    expected = {variable.path: tuple(variable.shape) for variable in network.trainable_variables}
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected:
        raise FormatError(f"{path}: has weights {found}; expected {expected}; {remedy}")
    for variable in network.trainable_variables:
        variable.assign(arrays[variable.path])
    return network


def _arrays(variables: Sequence[keras.Variable]) -> dict[str, np.ndarray]:
    return {variable.path: variable.numpy() for variable in variables}
