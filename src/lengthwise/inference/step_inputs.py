"""What a network reads of steps before any recurrent layer: tokens, affixes, features, a convolution of them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lengthwise.core.ragged import offsets_of, ranges


class StepInputs(NamedTuple):
    """The features of N steps; those of tokens may be one-hot and are not written out then.

    Attributes:
        hot: int32 (N,), the place of the one among the first V features; None where tokens are not one-hot.
        dense: float32 (N, D), all other features; None where there are none.
        width: V, or 0.
    """

    hot: np.ndarray | None
    dense: np.ndarray | None
    width: int

    def product(self, weight: np.ndarray) -> np.ndarray:
        """Their product with a matrix (V + D, F): float32 (N, F)."""
        if self.dense is None:
            return weight[self.hot]
        product: np.ndarray = self.dense @ weight[self.width :]
        return product if self.hot is None else product + weight[self.hot]


def inputs_of(ids: np.ndarray | None, table: np.ndarray | None, size: int, parts: list[np.ndarray]) -> StepInputs:
    """The features of steps.

    Args:
        ids: int32 (N,), of their tokens; None where they have none.
        table: float32 (V, E), the embeddings; None where tokens are one-hot.
        size: V.
        parts: float32 (N, D) each, what is read beside tokens.
    """
    is_hot = ids is not None and table is None
    if ids is not None and table is not None:
        parts = [table[ids], *parts]
    dense = None if not parts else parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    return StepInputs(ids if is_hot else None, dense, size if is_hot else 0)


def column_parts(columns: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The features of affixes and of other columns, float32 (N, D) each.

    Args:
        columns: `affixes` int32 (N, 4) and `features` float32 (N, D), where they are read.
        weights: of the network, by name.
    """
    parts = []
    if "affixes" in columns:
        found = weights["affixes/embeddings"][columns["affixes"]]
        parts.append(found.reshape(len(found), -1))
    if "features" in columns:
        parts.append((columns["features"] - weights["scale/mean"]) / weights["scale/spread"])
    return parts


class Convolution(NamedTuple):
    """A convolution over each sequence by itself, as `lengthwise.layers.front_end.MaskedConv1D` has it.

    Attributes:
        kernel: float32 (K, D, F).
        bias: float32 (F,).
        stride: steps from one place of the kernel to the next.
        padding: `same`, `causal` or `valid`.
    """

    kernel: np.ndarray
    bias: np.ndarray
    stride: int
    padding: str

    def __call__(self, inputs: StepInputs, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Convolve.

        Args:
            inputs: of N steps.
            offsets: int64 (B + 1,), where each sequence begins and ends.

        Returns:
            float32 (N', F), and where the sequences of the N' steps begin and end.
        """
        size, lengths = len(self.kernel), np.diff(offsets)
        if self.padding == "valid":
            made = (np.maximum(lengths, size) - size) // self.stride + 1
        else:
            made = -(-lengths // self.stride)
        before = {"same": (size - 1) // 2, "causal": size - 1, "valid": 0}[self.padding]
        starts, limits = np.repeat(offsets[:-1], made), np.repeat(lengths, made)
        first = ranges(np.zeros_like(made), made) * self.stride - before
        outputs = np.repeat(self.bias[np.newaxis], len(first), axis=0)
        for place in range(size):
            at = first + place
            # Outside of the sequence there are zeros.
            inside = np.flatnonzero((at >= 0) & (at < limits))
            outputs[inside] += inputs.product(self.kernel[place])[(starts + at)[inside]]
        return outputs, offsets_of(made)
