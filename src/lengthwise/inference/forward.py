"""A saved network's predictions without TensorFlow: those of `lengthwise.models.network.Network`, to rounding.

Shapes: S sequences, N steps, C outputs, U units, P predictions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from lengthwise.batching.for_evaluation import EVALUATION_STEPS
from lengthwise.core.names import NATIVE_CELLS
from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.errors import FormatError
from lengthwise.inference.cell_steps import FORWARD_CELLS, sigmoid
from lengthwise.inference.lone_network import LayerStates, LoneNetwork, ReadSteps
from lengthwise.inference.weight_shapes import weight_shapes
from lengthwise.models.config import NetworkConfig
from lengthwise.models.saved_folder import CONFIG_NAME, read_arrays, read_config
from lengthwise.models.tasks import read_columns
from lengthwise.native.forward_library import loads_forward


class ForwardNetwork:
    """A trained network, or several that predict together.

    Args:
        config: what it is made of.
        arrays: its weights, by the names that they have in its folder.
        native: whether the native kernel computes what it can; without a compiler NumPy does, and it is said once.
    """

    def __init__(self, config: NetworkConfig, arrays: Mapping[str, np.ndarray], *, native: bool = True) -> None:
        self.config = config
        by_kernel = native and config.cell in NATIVE_CELLS and config.activation == "tanh" and loads_forward()
        self.kernel = "native" if by_kernel else "numpy"
        names = ["network"] if config.ensemble == 1 else [f"network_{number}" for number in range(config.ensemble)]
        alone = replace(config, ensemble=1)
        self._members = [LoneNetwork(alone, _own(arrays, name), native=by_kernel) for name in names]

    @classmethod
    def load(cls, folder: Path) -> "ForwardNetwork":
        """Read a network from its folder.

        Raises:
            FormatError: see `lengthwise.models.saved_folder.read_config`; or the weights are not those of such a
                network, or its cell is not one of this package.
        """
        config = read_config(folder).network
        if config.outer != "none":
            raise FormatError(
                f"{folder / CONFIG_NAME}: outer: got {config.outer!r}, a network over the sequences of groups; "
                "expected none, since sequences are predicted here each by itself; take lengthwise.load_keras"
            )
        if config.cell not in FORWARD_CELLS:
            raise FormatError(
                f"{folder / CONFIG_NAME}: cell: got {config.cell!r}, of which no forward pass is here; expected one of "
                f"{', '.join(FORWARD_CELLS)}; take lengthwise.load_keras"
            )
        return cls(config, read_arrays(folder, weight_shapes(config)))

    def predict(self, sequences: Sequences) -> np.ndarray:
        """What it says of each sequence at its last step: float32 (S, C).

        Of classes probabilities, each row adds up to 1; of several labels the probability of each; of numbers they.

        Args:
            sequences: of one step at least each, with the columns that it reads.
        """
        made = np.empty((len(sequences), self.config.outputs), np.float32)
        for rows in _batches(sequences.lengths):
            steps = self._steps(sequences.take(rows))
            made[rows] = self._together([member.at_ends(steps) for member in self._members])
        return made

    def predict_steps(self, sequences: Sequences) -> np.ndarray:
        """What it says of each step: probabilities, float32 (N, C).

        Args:
            sequences: see `predict`; the network has no front end.
        """
        made = np.empty((int(sequences.offsets[-1]), self.config.outputs), np.float32)
        for rows in _batches(sequences.lengths):
            steps = self._steps(sequences.take(rows))
            said = self._together([member.at_every_step(steps) for member in self._members])
            shifts = np.repeat(sequences.offsets[rows] - steps.offsets[:-1], np.diff(steps.offsets))
            made[shifts + np.arange(len(shifts))] = said
        return made

    def first_states(self) -> list[LayerStates]:
        """The states before a sequence, of each member and layer."""
        return [member.first_states() for member in self._members]

    def read_on(
        self, ids: np.ndarray, columns: Mapping[str, np.ndarray], states: list[LayerStates]
    ) -> tuple[np.ndarray, list[LayerStates]]:
        """Read more steps of one sequence; for networks that read forwards only.

        Args:
            ids: int32 (N,), the tokens.
            columns: what is read beside them, by name, (N, ...).
            states: after the steps before, or `first_states`.

        Returns:
            What it says at the last of them, float32 (C,), and the states after it.
        """
        steps = ReadSteps(np.array([0, len(ids)]), ids, columns)
        found = [member.read_on(steps, before) for member, before in zip(self._members, states, strict=True)]
        return self._together([logits for logits, _ in found])[0], [after for _, after in found]

    def _steps(self, sequences: Sequences) -> ReadSteps:
        ids = sequences[TOKENS] if self.config.tokens else None
        return ReadSteps(sequences.offsets, ids, read_columns(self.config, sequences))

    def _together(self, logits: list[np.ndarray]) -> np.ndarray:
        """What all members say as one, (P, C): of classes the mean of log-probabilities, made a distribution again."""
        if self.config.predicts == "classes":
            scores = [_log_softmax(own) for own in logits]
            return np.exp(scores[0] if len(scores) == 1 else _log_softmax(np.mean(scores, axis=0)))
        mean = logits[0] if len(logits) == 1 else np.mean(logits, axis=0)
        return sigmoid(mean) if self.config.predicts == "several" else self._members[0].restored(mean)


def _own(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The weights of a member by their names in it: Keras leaves the network's out where a layer is made early."""
    own = {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}
    if name == "network":
        own |= {key: array for key, array in arrays.items() if not key.startswith("network/")}
    return own


def _batches(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Numbers of sequences that have steps, by rising length, about `EVALUATION_STEPS` steps at a time."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    batch = np.cumsum(lengths[order]) // EVALUATION_STEPS
    yield from np.split(order, np.flatnonzero(np.diff(batch)) + 1) if len(order) else []


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    scores: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return scores
