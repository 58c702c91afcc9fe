"""A recurrent layer over sequences that stand one after another, without padding.

Shapes: B sequences, N steps, D features of a step, U units, S states of the cell, G gates, L steps of the longest.
"""

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from lengthwise.inference.cell_steps import CellSteps
from lengthwise.inference.weight_shapes import STATES
from lengthwise.native.forward_library import CellArrays, FlatLayout, NativeForward
from lengthwise.native.unit_vectors import vector_names


def flat_layout(offsets: np.ndarray, *, reverse: bool = False) -> FlatLayout:
    """Lay sequences out time-major.

    >>> flat_layout(np.array([0, 3, 4, 6])).steps.tolist()
    [0, 4, 3, 1, 5, 2]

    Args:
        offsets: int64 (B + 1,), where each sequence begins and ends; each has one step at least.
        reverse: whether they go from the last step to the first.
    """
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    # A step t has the sequences that are longer than t.
    active = len(lengths) - np.searchsorted(lengths[order[::-1]], np.arange(lengths.max(initial=0)), side="right")
    time = np.repeat(np.arange(len(active)), active)
    rank = np.arange(len(time)) - np.repeat(np.cumsum(active) - active, active)
    which = order[rank]
    steps = offsets[which + 1] - 1 - time if reverse else offsets[which] + time
    return FlatLayout(order.astype(np.int32), active.astype(np.int32), time == 0, steps)


class Recurrence:
    """One layer in one direction.

    Args:
        cell: a name in `CELL_PLACES`.
        activation: a name in `ACTIVATIONS`.
        weights: of the layer, by the names that they have in it, such as `cell/kernel`.
        native: whether the native kernel computes it.
    """

    def __init__(self, cell: str, activation: str, weights: Mapping[str, np.ndarray], *, native: bool) -> None:
        of_cell = {name.removeprefix("cell/"): array for name, array in weights.items() if name.startswith("cell/")}
        self._cell, self._native = cell, native
        self._steps = CellSteps(cell, activation, of_cell)
        self.kernel, recurrent_kernel = of_cell["kernel"], of_cell["recurrent_kernel"]
        units = len(recurrent_kernel)
        states = STATES[self._steps.kind]
        learned = [weights.get(f"initial_state_{state}/state") for state in range(states)]
        self.initial = np.zeros((states, units), np.float32)
        for state, array in enumerate(learned):
            if array is not None:
                self.initial[state] = array[0]
        own = [of_cell[name].reshape(-1, units) for name in vector_names(cell)]
        vectors = np.concatenate(own) if own else np.zeros((0, units), np.float32)
        self._arrays = CellArrays(self.kernel, recurrent_kernel, of_cell["bias"], vectors, self.initial)

    @cached_property
    def _by_features(self) -> NativeForward:
        return NativeForward(self._cell, self._arrays, projected=False)

    @cached_property
    def _by_products(self) -> NativeForward:
        return NativeForward(self._cell, self._arrays, projected=True)

    def __call__(
        self,
        items: np.ndarray,
        index: np.ndarray,
        layout: FlatLayout,
        states: np.ndarray | None = None,
        *,
        projected: bool = False,
        read: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run over all steps.

        Args:
            items: float32 (M, D); or (M, G U), their products with the kernel.
            index: int (N,), the item that each flat step reads.
            layout: of the N steps.
            states: float32 (S, B, U), before the first step of each sequence; None where all of them begin.
            projected: whether the items are products.
            read: int (N,), where a flat step stands among the P that are wanted, or -1; None: all, in their order.

        Returns:
            The outputs, float32 (P, U) or (N, U), and the last states, (S, B, U).
        """
        if states is None:
            states = np.repeat(self.initial[:, np.newaxis], len(layout.order), axis=1)
        if self._native:
            return (self._by_products if projected else self._by_features)(items, index, layout, states, read)
        outputs, last = self._by_numpy(items[index] if projected else items[index] @ self.kernel, layout, states)
        if read is None:
            return outputs, last
        wanted = np.empty((int(read.max(initial=-1)) + 1, outputs.shape[1]), np.float32)
        wanted[read[read >= 0]] = outputs[read >= 0]
        return wanted, last

    def _by_numpy(self, products: np.ndarray, layout: FlatLayout, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        projected = self._steps.add_bias(products)
        now = [state[layout.order] for state in states]
        outputs = np.empty((len(projected), states.shape[2]), np.float32)
        begin = 0
        for count in layout.active.tolist():
            here = slice(begin, begin + count)
            begins = layout.begins[here, np.newaxis]
            before = [np.where(begins, first, state[:count]) for first, state in zip(self.initial, now, strict=True)]
            after = self._steps.step(projected[here], before)
            for state, new in zip(now, after, strict=True):
                state[:count] = new
            outputs[here] = after[0]
            begin += count
        last = np.empty_like(states)
        last[:, layout.order] = now
        return outputs, last
