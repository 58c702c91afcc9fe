"""What a model is given of each batch: inputs, targets and weights, asked for by the names of columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import tensorflow as tf

from lengthwise.batching.fields import SCALES, Field, TargetField, WeightScale, input_field, target_field
from lengthwise.batching.grid import Grid
from lengthwise.batching.parts import Part, Wanted, WantedInputs, checked_inputs, filled, specs
from lengthwise.batching.placed import Placed
from lengthwise.batching.plan import Strategy
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError

WantedTargets = Wanted | Mapping[str, Wanted]
ClassWeights = Mapping[int | str, float]


@dataclass(frozen=True)
class Asked:
    """What is asked for; see `lengthwise.batching.fit.fit_data` for all of it."""

    strategy: Strategy
    inputs: WantedInputs
    targets: WantedTargets | None
    weights: str | Mapping[str, str] | None
    class_weights: ClassWeights | Mapping[str, ClassWeights] | None
    padding: str
    scale: WeightScale

    def of(self, sequences: Sequences) -> "Examples":
        """How batches of these sequences are filled.

        Raises:
            ArgumentError: they have no such column, or the strategy needs others; it is a `ValueError`.
        """
        named, alone = checked_inputs(self.strategy, self.inputs, self.padding)
        if self.scale not in SCALES:
            raise ArgumentError("scale", f"got {self.scale!r}; expected {' or '.join(SCALES)}")
        fields = {name: input_field(sequences, self.strategy, wanted) for name, wanted in named.items()}
        outputs = self._outputs(sequences)
        parts: list[Part] = [next(iter(fields.values())) if alone else fields]
        if outputs:
            several = isinstance(self.targets, Mapping)
            parts.append({name: field.target for name, field in outputs.items()} if several else outputs[""].target)
            if any(field.weights for field in outputs.values()):
                weighing = {name: field.weights or _ones() for name, field in outputs.items()}
                parts.append(weighing if several else weighing[""])
        return Examples(tuple(parts))

    def _outputs(self, sequences: Sequences) -> dict[str, TargetField]:
        """By the name of the output, which is empty for one target that has none."""
        strategy, targets, weights, scale = self.strategy, self.targets, self.weights, self.scale
        if targets is None:
            if weights is not None or self.class_weights is not None:
                raise ArgumentError("targets", "got None with weights; expected a target that they weigh")
            return {}
        if isinstance(targets, str | Placed):
            if isinstance(weights, Mapping):
                raise ArgumentError("weights", "got a dict for one target; expected the name of a column")
            # Of one target they are by class, see `fit_data`.
            by_class = cast("ClassWeights | None", self.class_weights)
            return {"": target_field(sequences, strategy, targets, weights, by_class, scale)}
        if not isinstance(targets, Mapping) or not targets:
            raise ArgumentError(
                "targets", f"got {targets!r:.80}; expected a column, one placed at steps, or a dict of them"
            )
        by_output = cast("Mapping[str, ClassWeights]", self.class_weights or {})
        for argument, given in {"weights": weights, "class_weights": by_output}.items():
            if not isinstance(given, Mapping):
                continue
            if unknown := given.keys() - targets.keys():
                raise ArgumentError(
                    argument, f"got {min(map(str, unknown))!r}; expected names of targets, {', '.join(targets)}"
                )
        return {
            name: target_field(
                sequences,
                strategy,
                wanted,
                weights.get(name) if isinstance(weights, Mapping) else weights,
                by_output.get(name),
                scale,
            )
            for name, wanted in targets.items()
        }


@dataclass(frozen=True)
class Examples:
    """How batches are filled: the arrays of x, then of y, then of the weights, where there are any."""

    parts: tuple[Part, ...]

    @property
    def specs(self) -> tuple[Any, ...]:
        """What the arrays are in every batch, nested as they are given to the model."""
        return tuple(specs(part) for part in self.parts)

    def arrays(self, grid: Grid) -> list[np.ndarray]:
        """The arrays of one batch, one after another."""
        return [array for part in self.parts for array in tf.nest.flatten(filled(part, grid))]


def _ones() -> Field:
    """Weights of rows that count alike."""
    return Field(np.dtype(np.float32), (None,), lambda grid: np.ones(grid.shape[0], np.float32))
