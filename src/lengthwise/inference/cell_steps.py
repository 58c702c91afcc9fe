"""One step of each recurrent cell in NumPy: the equations of `lengthwise.layers.cells`, where their letters are told.

They serve where the native kernel has not the cell or its activation, or cannot be built.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from lengthwise.core.names import NATIVE_CELLS
from lengthwise.inference.weight_shapes import kind_of

# As of Keras's layer normalization in `lengthwise.layers.cell`.
EPSILON = 1e-3
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

Function = Callable[[np.ndarray], np.ndarray]
# The input's part of the gates, and the states before, to the states after.
Step = Callable[[np.ndarray, list[np.ndarray]], list[np.ndarray]]


def sigmoid(values: np.ndarray) -> np.ndarray:
    """The logistic function, by the hyperbolic tangent, which overflows nowhere."""
    return 0.5 * np.tanh(0.5 * values) + 0.5


def _elu(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.expm1(np.minimum(values, 0)))


def _gelu(values: np.ndarray) -> np.ndarray:
    error = np.vectorize(math.erf, otypes=[np.float32])(values * math.sqrt(0.5)) if values.size else values
    return 0.5 * values * (1 + error)


FUNCTIONS: Mapping[str, Function] = {
    "elu": _elu,
    "gelu": _gelu,
    "linear": lambda values: values,
    "relu": lambda values: np.maximum(values, 0),
    "selu": lambda values: SELU_SCALE * np.where(values > 0, values, SELU_ALPHA * np.expm1(np.minimum(values, 0))),
    "sigmoid": sigmoid,
    "softsign": lambda values: values / (1 + np.abs(values)),
    "tanh": np.tanh,
}

# Those of which the equations are here: the package's own.
FORWARD_CELLS = NATIVE_CELLS


class CellSteps:
    """A cell by its weights.

    Args:
        cell: a name in `CELL_PLACES`.
        activation: a name in `ACTIVATIONS`.
        weights: of the cell, by the names that they have in it.
    """

    def __init__(self, cell: str, activation: str, weights: Mapping[str, np.ndarray]) -> None:
        self._weights, self._activation = weights, FUNCTIONS[activation]
        self._is_normalized, self._has_peepholes = cell.startswith("layer_norm"), cell.startswith("peephole")
        steps: dict[str, Step] = {"gru": self._gru, "lstm": self._lstm, "simple": self._simple}
        self.kind = kind_of(cell)
        self.step = steps[self.kind]

    def add_bias(self, products: np.ndarray) -> np.ndarray:
        """What the inputs add to the gates, (N, G U), of their products with the kernel."""
        bias = self._weights["bias"]
        if self._is_normalized and self.kind == "lstm":
            products = self._normalize("input_normalization", products)
        if self._is_normalized and self.kind == "gru":
            products = self._normalize_gates("input", products)
        return products + (bias[0] if bias.ndim == 2 else bias)

    def _simple(self, projected: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        total = projected + self._recurred(states[0])
        return [self._activation(self._normalize("normalization", total) if self._is_normalized else total)]

    def _lstm(self, projected: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        hidden, memory = states
        recurrent = self._recurred(hidden)
        if self._is_normalized:
            recurrent = self._normalize("state_normalization", recurrent)
        i, f, g, o = np.split(projected + recurrent, 4, axis=1)
        seen = self._weights["peepholes"] if self._has_peepholes else None
        if seen is not None:
            i, f = i + seen[0] * memory, f + seen[1] * memory
        memory = sigmoid(f) * memory + sigmoid(i) * self._activation(g)
        if seen is not None:
            o = o + seen[2] * memory
        shown = self._normalize("memory_normalization", memory) if self._is_normalized else memory
        return [sigmoid(o) * self._activation(shown), memory]

    def _gru(self, projected: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        (hidden,) = states
        recurrent = self._recurred(hidden)
        if self._is_normalized:
            recurrent = self._normalize_gates("state", recurrent)
        recurrent = recurrent + self._weights["bias"][1]
        gated = 2 * hidden.shape[1]
        z, r = np.split(sigmoid(projected[:, :gated] + recurrent[:, :gated]), 2, axis=1)
        candidate = self._activation(projected[:, gated:] + r * recurrent[:, gated:])
        return [z * hidden + (1 - z) * candidate]

    def _recurred(self, hidden: np.ndarray) -> np.ndarray:
        product: np.ndarray = hidden @ self._weights["recurrent_kernel"]
        return product

    def _normalize(self, name: str, values: np.ndarray) -> np.ndarray:
        away = values - values.mean(axis=1, keepdims=True)
        scaled = away / np.sqrt((away * away).mean(axis=1, keepdims=True) + EPSILON)
        normalized: np.ndarray = scaled * self._weights[f"{name}/gamma"] + self._weights[f"{name}/beta"]
        return normalized

    def _normalize_gates(self, of: str, values: np.ndarray) -> np.ndarray:
        """The gates z and r together, the candidate by itself."""
        gated = 2 * values.shape[1] // 3
        parts = {"gates": values[:, :gated], "candidate": values[:, gated:]}
        return np.concatenate([self._normalize(f"{of}_{name}", part) for name, part in parts.items()], axis=1)
