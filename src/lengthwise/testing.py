"""For the tests of your own model: whether it says the same of a sequence in every batch.

A model that does not is trained on what its batches happen to look like: it reads padding, or the neighbour in a packed
row, or forgets at the cut between two windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from lengthwise.batching.bucketed import Bucketed
from lengthwise.batching.exact import Exact
from lengthwise.batching.fields import input_field
from lengthwise.batching.grid import grid_of
from lengthwise.batching.in_order import AT, At, outputs_in_order
from lengthwise.batching.packed import Packed
from lengthwise.batching.padded import Padded
from lengthwise.batching.parts import Part, WantedInputs, checked_inputs
from lengthwise.batching.plan import Plan, Strategy, batches_in_order, epoch_rng
from lengthwise.batching.truncated import Truncated
from lengthwise.core.names import PADDINGS
from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.errors import ArgumentError

# Each sequence in a batch of its own.
ALONE = Padded(1)
# Rows of a batch, by default: so few that a handful of sequences makes several batches.
ROWS = 3
NEIGHBOUR, CUT, PADDING, BATCH = (
    "a neighbour in its row (do the layers read resets?)",
    "a cut between two windows (do the layers carry their states?)",
    "the padding of its row (does every layer read and keep the mask?)",
    "other rows of its batch",
)


@dataclass(frozen=True)
class Checked:
    """What was found under one strategy.

    Attributes:
        strategy: how sequences were batched.
        padding: `post` or `pre`.
        differing: how many sequences had other outputs than alone.
        difference: the largest difference, as a share of the largest output; infinite if an output is no number.
        sequence: which one had it, or None where all agree.
        step: at which of its steps, or None where the model has one output a sequence.
        cause: what all sequences that differ have in common, and none that agrees has to lack.
    """

    strategy: Strategy
    padding: str
    differing: int
    difference: float
    sequence: int | None = None
    step: int | None = None
    cause: str = ""


@dataclass(frozen=True)
class BatchingReport:
    """Under which strategies a model's outputs are those of each sequence alone; true if under all of them.

    Attributes:
        count: of the sequences.
        checked: of each strategy and padding.
    """

    count: int
    checked: tuple[Checked, ...]

    def __bool__(self) -> bool:
        return not any(checked.differing for checked in self.checked)

    def __str__(self) -> str:
        lines = []
        for checked in self.checked:
            name = f"{checked.strategy}, padding {checked.padding}"
            if not checked.differing:
                lines.append(f"{name}: agrees (largest difference {checked.difference:.1e})")
                continue
            place = f"sequence {checked.sequence}" + ("" if checked.step is None else f", step {checked.step}")
            lines.append(
                f"{name}: {checked.differing} of {self.count} sequences differ, "
                f"by {checked.difference:.1e} at {place}; it depends on {checked.cause}"
            )
        return "\n".join(lines)


def check_batching(
    model: keras.Model,
    sequences: Sequences,
    strategies: Sequence[Strategy] | None = None,
    *,
    inputs: WantedInputs = (TOKENS,),
    at: At = "sequence",
    tolerance: float = 1e-5,
) -> BatchingReport:
    """Compare what a model says of sequences in batches with what it says of each alone.

    >>> import keras, lengthwise as lw
    >>> from lengthwise.testing import check_batching
    >>> sequences = lw.from_arrays([[4, 2, 7, 1], [5], [3, 3], [1, 2, 3]])
    >>> layers = [keras.layers.Embedding(10, 4), keras.layers.GlobalAveragePooling1D()]
    >>> report = check_batching(keras.Sequential(layers), sequences, [lw.Padded(4), lw.Exact(4)])
    >>> bool(report), [checked.differing for checked in report.checked]
    (False, [3, 3, 0, 0])
    >>> report.checked[0].cause
    'the padding of its row (does every layer read and keep the mask?)'

    Args:
        model: any Keras model; it is called with `training=False`.
        sequences: S of different lengths, a few dozen; a model of N steps is called S times for them alone.
        strategies: how to batch; by default padded, bucketed and of equal lengths, and, unless `at` is `sequence`,
            packed and truncated.
        inputs: see `fit_data`. `resets` may be missing: a model that does not read them is what is looked for.
        at: `sequence`, the model has an output for each row, (B, ...); `last_step` or `every_step`, one for each step,
            (B, T, ...).
        tolerance: relative to the largest output.

    Returns:
        What was found under each strategy, with padding behind a row's steps and before them.

    Raises:
        ArgumentError: there is no such input, no sequence, or outputs are not where they are wanted; it is a
            `ValueError`.
    """
    if at not in AT:
        raise ArgumentError("at", f"got {at!r}; expected one of {', '.join(AT)}")
    if not len(sequences):
        raise ArgumentError("sequences", "got none; expected some of different lengths")
    asked = _Probe(model, inputs, at)
    expected = asked.alone(sequences)
    found = []
    for strategy in _default(sequences.lengths, at) if strategies is None else strategies:
        plan = strategy.plan(sequences.lengths, epoch_rng(0, 0))
        for padding in PADDINGS[:1] if strategy.cuts else PADDINGS:
            differences = _differences(asked.outputs(sequences, plan, padding), expected)
            found.append(_checked(sequences, (strategy, plan, padding), differences, at, tolerance))
    return BatchingReport(len(sequences), tuple(found))


def assert_batching(
    model: keras.Model,
    sequences: Sequences,
    strategies: Sequence[Strategy] | None = None,
    **options: Any,  # noqa: ANN401 - of one of several types.
) -> None:
    """Raise an `AssertionError` with the report of `check_batching`, whose arguments it takes, unless all agree.

    >>> import keras, lengthwise as lw
    >>> from lengthwise.testing import assert_batching
    >>> layers = [keras.layers.Embedding(10, 4, mask_zero=True), lw.GRU(3)]
    >>> assert_batching(keras.Sequential(layers), lw.from_arrays([[4, 2, 7, 1], [5], [3, 3]]))

    Args:
        model: any Keras model.
        sequences: S of different lengths.
        strategies: how to batch.
        **options: see `check_batching`.

    Raises:
        AssertionError: outputs (S, ...) or (N, ...) differ under a strategy.
        ArgumentError: see `check_batching`; it is a `ValueError`.
    """
    report = check_batching(model, sequences, strategies, **options)
    if not report:
        raise AssertionError(f"the model does not say the same of a sequence in every batch:\n{report}")


def _default(lengths: np.ndarray, at: At) -> list[Strategy]:
    longest = int(lengths.max())
    one_in_a_row: list[Strategy] = [Padded(ROWS), Bucketed(ROWS, 2), Exact(ROWS)]
    if at == "sequence":
        return one_in_a_row
    return [*one_in_a_row, Packed(ROWS, 2 * longest), Truncated(ROWS, max(1, longest // 2))]


@dataclass(frozen=True)
class _Probe:
    """A model, what it reads and where its outputs are; see `check_batching`."""

    model: keras.Model
    inputs: WantedInputs
    at: At

    def outputs(self, sequences: Sequences, plan: Plan, padding: str) -> list[np.ndarray]:
        """What the model says in the order of the sequences; it carries nothing from before."""
        for layer in self._carrying:
            layer.reset_state()
        # One row a sequence: what a strategy needs besides is not asked for, since it may be what is missing.
        named, single = checked_inputs(ALONE, self.inputs, padding)
        fields = {name: input_field(sequences, ALONE, wanted) for name, wanted in named.items()}
        part: Part = next(iter(fields.values())) if single else fields
        made = outputs_in_order(self.model, sequences, (plan, part, padding), self.at)
        return [np.asarray(values, np.float64) for values in keras.tree.flatten(made)]

    def alone(self, sequences: Sequences) -> list[np.ndarray]:
        """The same of each by itself."""
        whole = self.outputs(sequences, _one_by_one(sequences), "post")
        if not self._carrying:
            return whole
        # What a layer carries must not go from one to the next.
        each = [sequences.take([number]) for number in range(len(sequences))]
        parts = [self.outputs(one, _one_by_one(one), "post") for one in each]
        return [np.concatenate(values) for values in zip(*parts, strict=True)]

    @property
    def _carrying(self) -> list[Any]:
        return [layer for layer in self.model._flatten_layers() if getattr(layer, "stateful", False) and layer.built]


def _one_by_one(sequences: Sequences) -> Plan:
    return batches_in_order(sequences.lengths, np.arange(len(sequences)), 1)


def _differences(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> np.ndarray:
    """The largest of each sequence, or step, as a share of the largest output."""
    worst = np.zeros(len(found[0]))
    for one, other in zip(found, expected, strict=True):
        scale = max(float(np.abs(other).max(initial=0)), np.finfo(np.float32).tiny)
        with np.errstate(invalid="ignore"):
            difference = np.abs(one - other).reshape(len(one), -1).max(axis=1, initial=0) / scale
        worst = np.maximum(worst, np.where(np.isfinite(difference), difference, np.inf))
    return worst


def _checked(
    sequences: Sequences, batches: tuple[Strategy, Plan, str], differences: np.ndarray, at: At, tolerance: float
) -> Checked:
    strategy, plan, padding = batches
    by_sequence = np.maximum.reduceat(differences, sequences.offsets[:-1]) if at == "every_step" else differences
    wrong = by_sequence > tolerance
    largest = float(by_sequence.max())
    if not wrong.any():
        return Checked(strategy, padding, 0, largest)
    sequence = int(by_sequence.argmax())
    steps = differences[slice(*sequences.offsets[sequence : sequence + 2])]
    step = int(steps.argmax()) if at == "every_step" else None
    cause = _cause(sequences, plan, padding, wrong)
    return Checked(strategy, padding, int(wrong.sum()), largest, sequence, step, cause)


def _cause(sequences: Sequences, plan: Plan, padding: str, wrong: np.ndarray) -> str:
    """What all sequences that differ have about their places in the batches."""
    has = {cause: np.zeros(len(sequences), bool) for cause in (NEIGHBOUR, CUT, PADDING)}
    for number in range(len(plan)):
        grid = grid_of(plan, number, sequences.offsets, padding)
        has[NEIGHBOUR][grid.sequence] |= np.bincount(grid.row, minlength=grid.shape[0])[grid.row] > 1
        has[CUT][grid.sequence] |= (grid.start > 0) | ~grid.finished
        has[PADDING][grid.sequence] |= np.bincount(grid.row, grid.count)[grid.row] < grid.shape[1]
    common = [cause for cause, places in has.items() if places[wrong].all()]
    # Of several, the one that fewest sequences have which agree.
    return min(common, key=lambda cause: int(has[cause][~wrong].sum()), default=BATCH)
