"""The arrays of a batch that have names: inputs, and targets with their weights, filled from columns.

A weight scales a loss. Keras divides the sum of weighted losses by the number of weights (`sum_over_batch_size`, which
it takes if nobody says otherwise) or by their sum (`mean_with_sample_weight`). So weights are scaled until they are 1
on average: then both are the weighted mean over what counts, whatever the shape of the batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lengthwise.batching.grid import Grid
from lengthwise.batching.placed import Placed
from lengthwise.batching.plan import Strategy
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError

WeightScale = Literal["loss", "metrics"]
SCALES: tuple[WeightScale, ...] = ("loss", "metrics")

# What a batch knows by itself, and the shape of it, T where it has a value per step.
OF_THE_BATCH: dict[str, tuple[np.dtype, bool, Callable[[Grid], np.ndarray]]] = {
    "mask": (np.dtype(bool), True, lambda grid: grid.mask),
    "resets": (np.dtype(bool), True, lambda grid: grid.resets),
    "ends": (np.dtype(bool), True, lambda grid: grid.ends),
    "positions": (np.dtype(np.int32), True, lambda grid: grid.positions),
    "sequence": (np.dtype(np.int32), True, lambda grid: grid.sequences),
    "lengths": (np.dtype(np.int32), False, lambda grid: grid.lengths),
}


@dataclass(frozen=True)
class Field:
    """An array of every batch.

    Attributes:
        dtype: of it.
        shape: with None for what differs from batch to batch, (B, ...) or (B, T, ...).
        fill: the array of a batch.
    """

    dtype: np.dtype
    shape: tuple[int | None, ...]
    fill: Callable[[Grid], np.ndarray]


@dataclass(frozen=True)
class TargetField:
    """What is right, and how much it counts.

    Attributes:
        target: what is right.
        weights: float32, of the first axes of it; None if each row counts alike.
    """

    target: Field
    weights: Field | None


def input_field(sequences: Sequences, strategy: Strategy, wanted: str | Placed) -> Field:
    """An input: a column, or what the batch knows by itself.

    Raises:
        ArgumentError: there is no such input, or rows hold several sequences and it has a value for each.
    """
    if isinstance(wanted, str) and wanted in OF_THE_BATCH:
        if wanted in sequences.names:
            raise ArgumentError("inputs", f"got {wanted!r}, which is a column too; expected one meaning", "rename it")
        dtype, stepwise, fill = OF_THE_BATCH[wanted]
        return Field(dtype, (None, None) if stepwise else (None,), fill)
    if isinstance(wanted, Placed) and wanted.at != "every":
        raise ArgumentError(
            "inputs", f"got {wanted.at}_step({wanted.column!r}); expected a column, or every_step of it"
        )
    return _column_field(sequences, strategy, wanted, "inputs", (*OF_THE_BATCH,))


def target_field(
    sequences: Sequences,
    strategy: Strategy,
    wanted: str | Placed,
    weights: str | None,
    class_weights: Mapping[int | str, float] | None,
    scale: WeightScale,
) -> TargetField:
    """A target and its weights.

    Args:
        sequences: with the columns.
        strategy: rows that hold several sequences have no target of their own.
        wanted: a column per sequence gives a target a row; a column per step, or one placed at steps, one a step.
        weights: a column of numbers that are not negative, per sequence or per step.
        class_weights: by class, its number or its name, a factor; those left out have 1.
        scale: `loss`, until weights are 1 on average; `metrics`, as they are, times T at steps.

    Raises:
        ArgumentError: a column does not exist or does not fit.
    """
    field = _column_field(sequences, strategy, wanted, "targets", ())
    name = wanted if isinstance(wanted, str) else wanted.column
    stepwise = not isinstance(wanted, str) or wanted in sequences.per_step
    factors = [_weight_factor(sequences, weights, stepwise)] if weights is not None else []
    if class_weights is not None:
        factors.append(_class_factor(field, _factor_by_class(sequences, name, class_weights)))
    if stepwise and len(field.shape) == 2:
        # Keras drops the last axis of outputs (B, T, 1) where targets have none, and takes the mean over steps. Losses
        # of classes drop the axis of the targets.
        field = Field(field.dtype, (*field.shape, 1), _with_axis(field.fill))
    if not stepwise and not factors:
        return TargetField(field, None)
    counts = _counts(wanted) if stepwise else _every_row
    axes = 2 if stepwise else 1

    def fill(grid: Grid) -> np.ndarray:
        counted = counts(grid).astype(np.float64)
        for factor in factors:
            counted = counted * factor(grid)
        total = counted.sum()
        if scale == "loss":
            return (counted * (counted.size / total if total else 0.0)).astype(np.float32)
        # Keras takes the mean over steps before it adds up `weighted_metrics`: without T narrow batches weighed more.
        return (counted * (grid.shape[1] if stepwise else 1)).astype(np.float32)

    return TargetField(field, Field(np.dtype(np.float32), (None,) * axes, fill))


def _column_field(
    sequences: Sequences, strategy: Strategy, wanted: str | Placed, argument: str, others: tuple[str, ...]
) -> Field:
    name = wanted if isinstance(wanted, str) else wanted.column
    if not isinstance(name, str) or name not in sequences.names:
        known = ", ".join((*sequences.names, *others))
        raise ArgumentError(argument, f"got {name!r}; expected a column or one of {known}")
    values = sequences[name]
    if values.dtype.kind not in "biufc":
        raise ArgumentError(
            argument, f"got {name!r} of {values.dtype}; expected numbers", "from_arrays makes classes of strings"
        )
    inner = values.shape[1:]
    if name in sequences.per_step:
        if isinstance(wanted, Placed) and wanted.at == "next":
            return Field(values.dtype, (None, None, *inner), _next_of(values))
        return Field(values.dtype, (None, None, *inner), lambda grid: grid.of_steps(values))
    if isinstance(wanted, Placed):
        if wanted.at == "next":
            raise ArgumentError(argument, f"got next_step({name!r}); expected a column per step")
        return Field(values.dtype, (None, None, *inner), lambda grid: grid.of_sequences(values))
    if strategy.packs or strategy.cuts:
        instead = "every_step" if argument == "inputs" else "last_step"
        raise ArgumentError(
            argument,
            f"got {name!r}, a value a sequence; expected one a step, such as {instead}({name!r}), since a row of "
            f"{type(strategy).__name__} holds several sequences",
        )
    return Field(values.dtype, (None, *inner), lambda grid: values[grid.sequence])


def _next_of(values: np.ndarray) -> Callable[[Grid], np.ndarray]:
    def fill(grid: Grid) -> np.ndarray:
        # The last step of a sequence has none; what stands there, 0, does not count.
        following = np.minimum(grid.steps + 1, max(0, len(values) - 1))
        filled = grid.fill(values.take(following, axis=0))
        filled[grid.ends] = 0
        return filled

    return fill


def _with_axis(fill: Callable[[Grid], np.ndarray]) -> Callable[[Grid], np.ndarray]:
    return lambda grid: fill(grid)[..., np.newaxis]


def _every_row(grid: Grid) -> np.ndarray:
    return np.ones(grid.shape[0], bool)


def _counts(wanted: str | Placed) -> Callable[[Grid], np.ndarray]:
    """The steps that count: bool (B, T)."""
    at = "every" if isinstance(wanted, str) else wanted.at
    if at == "last":
        return lambda grid: grid.ends
    if at == "next":
        return lambda grid: grid.mask & ~grid.ends
    return lambda grid: grid.mask


def _weight_factor(sequences: Sequences, name: str, stepwise: bool) -> Callable[[Grid], np.ndarray]:
    values = sequences[name] if name in sequences.names else None
    if values is None or values.ndim > 1 or values.dtype.kind not in "iuf":
        known = ", ".join(sequences.names)
        raise ArgumentError("weights", f"got {name!r}; expected a column with one number for each, one of {known}")
    if not np.isfinite(values).all() or values.min(initial=0) < 0:
        wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))[0]
        raise ArgumentError("weights", f"got {values[wrong]} in {name!r}; expected numbers from 0")
    if name in sequences.per_sequence:
        return (lambda grid: grid.of_sequences(values)) if stepwise else (lambda grid: values[grid.sequence])
    if not stepwise:
        raise ArgumentError("weights", f"got {name!r}, a weight a step; expected one a sequence, as the target has")
    return lambda grid: grid.of_steps(values)


def _factor_by_class(sequences: Sequences, name: str, class_weights: Mapping[int | str, float]) -> np.ndarray:
    """The factor of each class: float64 (C,)."""
    values = sequences[name]
    if values.dtype.kind not in "iu" or values.ndim > 1:
        raise ArgumentError("class_weights", f"got targets {name!r} of {values.dtype}; expected numbers of classes")
    names = sequences.classes.get(name, ())
    numbers = {known: number for number, known in enumerate(names)}
    factors = np.ones(max(len(names), int(values.max(initial=0)) + 1))
    for key, factor in class_weights.items():
        number = numbers.get(key, -1) if isinstance(key, str) else key
        if not 0 <= number < len(factors):
            expected = f"one of {', '.join(names)}" if isinstance(key, str) and names else f"0 to {len(factors) - 1}"
            raise ArgumentError("class_weights", f"got the class {key!r}; expected {expected}")
        if not (np.isfinite(factor) and factor >= 0):
            raise ArgumentError("class_weights", f"got {factor!r} for {key!r}; expected a number from 0")
        factors[number] = factor
    if values.min(initial=0) < 0:
        raise ArgumentError("class_weights", f"got targets {name!r} of {values.min()}; expected numbers from 0")
    return factors


def _class_factor(field: Field, factors: np.ndarray) -> Callable[[Grid], np.ndarray]:
    return lambda grid: factors[field.fill(grid)]
