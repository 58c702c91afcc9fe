"""One network's forward pass over sequences that stand one after another, from what it reads to its logits.

Shapes: S sequences, N steps, C outputs, U units.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lengthwise.inference.recurrence import Recurrence, flat_layout
from lengthwise.inference.step_inputs import Convolution, StepInputs, column_parts, inputs_of
from lengthwise.models.config import NetworkConfig
from lengthwise.native.forward_library import FlatLayout

# Of each layer float32 (states of its cell, S, U).
LayerStates = list[np.ndarray]


class ReadSteps(NamedTuple):
    """What a network reads of sequences.

    Attributes:
        offsets: int64 (S + 1,), where each sequence begins and ends; each has one step at least.
        ids: int32 (N,), of the tokens, or None.
        columns: what is read beside them, by name, (N, ...).
    """

    offsets: np.ndarray
    ids: np.ndarray | None
    columns: Mapping[str, np.ndarray]


class _LayerInputs(NamedTuple):
    """What a layer reads: features of the steps, or of items of which each step reads one.

    Attributes:
        items: float32 (M, D); or features of the steps themselves; None for one-hot tokens alone.
        item_of: (N,), the item of each step; None where the items are the steps.
    """

    items: np.ndarray | StepInputs | None
    item_of: np.ndarray | None

    def into(self, layer: Recurrence) -> tuple[np.ndarray, bool]:
        """The items for a layer, and whether they are products with its kernel."""
        if self.items is None:
            # The product of a one-hot vector and the kernel is a row of it.
            return layer.kernel, True
        return (self.items.product(layer.kernel), True) if isinstance(self.items, StepInputs) else (self.items, False)


class LoneNetwork:
    """One network.

    Args:
        config: what it is made of.
        weights: by their names in it, such as `forward_0/cell/kernel`.
        native: whether the native kernel computes its layers.
    """

    def __init__(self, config: NetworkConfig, weights: Mapping[str, np.ndarray], *, native: bool) -> None:
        self._config, self._weights = config, weights
        self._table = weights.get("embedding/embeddings")
        self._convolution = None
        if config.front_end == "conv1d":
            kernel, bias = weights["front_end/kernel"], weights["front_end/bias"]
            self._convolution = Convolution(kernel, bias, config.stride, config.conv_padding)

        def layers(direction: str, count: int) -> list[Recurrence]:
            own = (_under(weights, f"{direction}_{number}/") for number in range(count))
            return [Recurrence(config.cell, config.activation, of_layer, native=native) for of_layer in own]

        self._forwards = layers("forward", config.layers)
        self._backwards = layers("backward", config.layers * config.bidirectional)

    def at_ends(self, steps: ReadSteps) -> np.ndarray:
        """Logits at the last step of each sequence: float32 (S, C)."""
        if not self._config.pooled:
            return self._classified(self._run(steps, at_ends=True)[0])
        outputs, offsets, _ = self._run(steps, at_ends=False)
        if self._config.attends:
            weighted = outputs * self._attention(outputs, offsets)[:, np.newaxis]
            return self._classified(np.add.reduceat(weighted, offsets[:-1]))
        return self._classified(_pooled(self._config.readout, outputs, offsets))

    def _attention(self, outputs: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """The weight of each step in the mean of its sequence, float32 (N,): see `lengthwise.models.readout`."""
        hidden = np.tanh(outputs @ self._weights["readout/kernel"] + self._weights["readout/bias"])
        if self._config.readout == "gated":
            gate = outputs @ self._weights["readout/gate_kernel"] + self._weights["readout/gate_bias"]
            # The sigmoid, which never overflows so.
            hidden *= (1 + np.tanh(gate / 2)) / 2
        scores = (hidden @ self._weights["readout/context"])[:, 0]
        begins, counts = offsets[:-1], np.diff(offsets)
        weights = np.exp(scores - np.repeat(np.maximum.reduceat(scores, begins), counts))
        shares: np.ndarray = weights / np.repeat(np.add.reduceat(weights, begins), counts)
        return shares

    def at_every_step(self, steps: ReadSteps) -> np.ndarray:
        """Logits at each step: float32 (N, C)."""
        return self._classified(self._run(steps, at_ends=False)[0])

    def first_states(self) -> LayerStates:
        """The states before a sequence."""
        return [layer.initial[:, np.newaxis].copy() for layer in self._forwards]

    def read_on(self, steps: ReadSteps, states: LayerStates) -> tuple[np.ndarray, LayerStates]:
        """Logits at the last of some steps of one sequence, (1, C), and the states after it."""
        outputs, _, after = self._run(steps, at_ends=True, states=states)
        return self._classified(outputs), after

    def restored(self, scaled: np.ndarray) -> np.ndarray:
        """Numbers in their own scales."""
        restored: np.ndarray = scaled * self._weights["target_scale/spread"] + self._weights["target_scale/mean"]
        return restored

    def _classified(self, outputs: np.ndarray) -> np.ndarray:
        logits: np.ndarray = outputs @ self._weights["softmax/kernel"] + self._weights["softmax/bias"]
        return logits

    def _run(
        self, steps: ReadSteps, *, at_ends: bool, states: LayerStates | None = None
    ) -> tuple[np.ndarray, np.ndarray, LayerStates]:
        """All layers.

        Returns:
            The last layer's outputs, of the sequences' last steps or of all steps in their order; where the sequences
            of its steps begin and end; and the states after them.
        """
        inputs, offsets = self._inputs(steps)
        there = flat_layout(offsets) if states is None else _of_one(offsets)
        back = flat_layout(offsets, reverse=True) if self._backwards else there
        # Of each flat step, where it stands among the last steps; or -1.
        ends = np.full(len(there.steps), -1, np.int32)
        ends[offsets[1:] - 1] = np.arange(len(offsets) - 1, dtype=np.int32)
        after: LayerStates = []
        outputs = np.empty(0, np.float32)
        for number, forward in enumerate(self._forwards):
            reads_ends = at_ends and not self._backwards and number == len(self._forwards) - 1
            read = ends[there.steps] if reads_ends else None
            outputs, last = _over(forward, inputs, there, None if states is None else states[number], read)
            after.append(last)
            if reads_ends:
                return outputs, offsets, after
            outputs = _in_order(outputs, there)
            if self._backwards:
                behind, _ = _over(self._backwards[number], inputs, back, None, None)
                outputs = np.concatenate([outputs, _in_order(behind, back)], axis=1)
            inputs = _LayerInputs(outputs, None)
        return outputs[offsets[1:] - 1] if at_ends else outputs, offsets, after

    def _inputs(self, steps: ReadSteps) -> tuple[_LayerInputs, np.ndarray]:
        """What the first layers read, and where the sequences of its steps begin and end."""
        if steps.ids is not None and not steps.columns and self._convolution is None:
            return _LayerInputs(self._table, steps.ids), steps.offsets
        parts = column_parts(steps.columns, self._weights)
        inputs = inputs_of(steps.ids, self._table, self._config.vocabulary_size, parts)
        if self._convolution is None:
            return _LayerInputs(
                inputs if inputs.dense is None or inputs.hot is not None else inputs.dense, None
            ), steps.offsets
        convolved, offsets = self._convolution(inputs, steps.offsets)
        return _LayerInputs(convolved, None), offsets


def _pooled(readout: str, outputs: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """What is read of the outputs (N, D) of each sequence: its mean, its maximum, or both side by side."""
    parts = []
    if readout in ("mean", "mean_max"):
        counts = np.diff(offsets)[:, np.newaxis].astype(np.float32)
        parts.append(np.add.reduceat(outputs, offsets[:-1]) / counts)
    if readout in ("max", "mean_max"):
        parts.append(np.maximum.reduceat(outputs, offsets[:-1]))
    return np.concatenate(parts, axis=1)


def _over(
    layer: Recurrence, inputs: _LayerInputs, layout: FlatLayout, states: np.ndarray | None, read: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    items, projected = inputs.into(layer)
    index = layout.steps if inputs.item_of is None else inputs.item_of[layout.steps]
    return layer(items, index, layout, states, projected=projected, read=read)


def _of_one(offsets: np.ndarray) -> FlatLayout:
    """The layout of one sequence that goes on."""
    count = int(offsets[-1])
    return FlatLayout(np.zeros(1, np.int32), np.ones(count, np.int32), np.zeros(count, bool), np.arange(count))


def _in_order(outputs: np.ndarray, layout: FlatLayout) -> np.ndarray:
    """The outputs of flat steps where the steps stand one sequence after another."""
    ordered = np.empty_like(outputs)
    ordered[layout.steps] = outputs
    return ordered


def _under(weights: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
