"""Batches of sequences of sequences for `fit` and `evaluate` of a Keras model of two levels, and its predictions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args

import keras
import numpy as np
import tensorflow as tf

from lengthwise.batching.checking import check, check_layers
from lengthwise.batching.epochs import is_count
from lengthwise.batching.examples import Asked, ClassWeights, WantedTargets
from lengthwise.batching.fields import Field
from lengthwise.batching.fit_epoch import FitEpoch
from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.batching.in_order import At, outputs_in_order, predict
from lengthwise.batching.packed import Packed
from lengthwise.batching.padded import Padded
from lengthwise.batching.parts import Wanted, WantedInputs, filled
from lengthwise.batching.passes import Passes, dataset_of
from lengthwise.batching.plan import Strategy, epoch_rng
from lengthwise.batching.sampled import NestedPlan, Sampled
from lengthwise.core.nested import OUTER, PLACE, ROWS, STEPS, NestedSequences
from lengthwise.core.sequences import LABEL, TOKENS, Sequences
from lengthwise.errors import ArgumentError

# Where the model of the inner sequences says something of each: of its row, or at its last step.
InnerAt = Literal["sequence", "last_step"]
PLACE_SPEC = tf.TensorSpec((None, None), tf.int32)
# What the outer rows have in any case.
MASK = "mask"


class ReadsTwoLevels(Protocol):
    """What a model of two levels has, such as `TwoLevel`."""

    inner: keras.layers.Layer
    outer: keras.layers.Layer
    outer_inputs: tuple[str, ...]
    read_outer: Callable[..., Any]


def fit_nested(
    nested: NestedSequences,
    sampled: Sampled,
    *,
    inputs: WantedInputs = (TOKENS,),
    outer_inputs: Sequence[str] = (),
    targets: WantedTargets | None = LABEL,
    weights: str | Mapping[str, str] | None = None,
    class_weights: ClassWeights | Mapping[str, ClassWeights] | None = None,
    at: InnerAt = "sequence",
    padding: str = "post",
    seed: int = 0,
    epoch: int | FitEpoch = 0,
    model: ReadsTwoLevels | None = None,
) -> tf.data.Dataset:
    """A dataset for a model of two levels, see `TwoLevel`; each pass draws and plans anew.

    Every outer sequence is in a pass once, with as many of its inner sequences as are sampled. What a pass reads is a
    function of seed and epoch alone, so that a `FitEpoch` goes on with the batches of a training that was stopped.

    >>> import lengthwise as lw
    >>> columns = {"author": [0, 0, 1, 0], "label": [1, 1, 0, 1]}
    >>> sentences = lw.from_arrays([[4, 2], [5], [3, 3], [7]], per_sequence=columns)
    >>> nested = lw.nest(sentences, by="author", shared=["label"])
    >>> for x, y in lw.fit_nested(nested, lw.Sampled(lw.PaddedToLongest(batch_size=2), sample=2)):
    ...     print(x["rows"].shape, x["outer"]["mask"].numpy().sum(axis=1).tolist(), sorted(y.numpy().tolist()))
    (3, 2) [2, 1] [0, 1]

    Args:
        nested: sequences of sequences.
        sampled: how batches are made.
        inputs: what the inner model reads of inner sequences, see `fit_data`.
        outer_inputs: what the outer model reads beside: columns of outer sequences and of their steps, and what a batch
            knows by itself, such as `resets`. A mask there is in any case.
        targets: what is right of outer sequences or at their steps, see `fit_data`.
        weights: how much each of them counts, see `fit_data`.
        class_weights: how much each class counts, see `fit_data`.
        at: where the inner model says something: `sequence`, of each row, (P, D); `last_step`, at the last step of each
            sequence, of outputs (R, T, D).
        padding: `post` or `pre`, on both levels.
        seed: of what is drawn and of the order, with the number of the epoch.
        epoch: the number of the first pass, or a `FitEpoch`, see `fit_data`.
        model: that is going to be fitted: both of its models are checked against how rows are made, see `check`.

    Returns:
        A dataset of (x, y), or (x, y, weights): x is a dict of `rows`, what the inner model reads, and `outer`, a dict
        of `place`, `mask` and the other inputs of the outer model.

    Raises:
        ArgumentError: there is no such column, or something contradicts something else; it is a `ValueError`.
    """
    _check_nested(nested, sampled, outer_inputs, at)
    if not is_count(seed):
        raise ArgumentError("seed", f"got {seed!r}; expected a whole number from 0")
    if model is not None:
        _check_models(model, sampled, padding)
    rows = Asked(inner_strategy(sampled), inputs, None, None, None, padding, "loss").of(nested.inner)
    named = _outer_named(outer_inputs)
    examples = Asked(sampled.strategy, named, targets, weights, class_weights, padding, "loss").of(nested.outer)

    def arrays(plan: NestedPlan, number: int) -> list[np.ndarray]:
        batch = plan.batch(number, nested.inner.offsets, padding)
        of_outer: Any
        of_outer, *right = (filled(part, batch.outer) for part in examples.parts)
        place = batch.place if at == "sequence" else batch.last
        x = {ROWS: filled(rows.parts[0], batch.inner), OUTER: {PLACE: place, **of_outer}}
        return [array for part in (x, *right) for array in tf.nest.flatten(part)]

    def plan_of(number: int) -> NestedPlan:
        return sampled.plan(nested.outer.lengths, nested.inner.lengths, epoch_rng(seed, number))

    of_outer, *right = examples.specs
    x_spec = {ROWS: rows.specs[0], OUTER: {PLACE: PLACE_SPEC, **of_outer}}
    return dataset_of(Passes(plan_of, epoch), (x_spec, *right), arrays)


def _outer_named(names: Sequence[str]) -> dict[str, Wanted]:
    return {name: name for name in dict.fromkeys((MASK, *names))}


def _check_nested(nested: NestedSequences, sampled: Sampled, outer_inputs: Sequence[str], at: str) -> None:
    """Refuse what is no such thing."""
    _check_is_nested(nested)
    if not isinstance(sampled, Sampled):
        got = f"got {sampled!r:.80}"
        raise ArgumentError("sampled", f"{got}; expected one, such as Sampled(Padded(batch_size=8), sample=32)")
    if at not in get_args(InnerAt):
        raise ArgumentError("at", f"got {at!r}; expected {' or '.join(get_args(InnerAt))}")
    if at == "sequence" and sampled.window is not None:
        raise ArgumentError("at", f"got {at!r} with {sampled}; expected last_step, since rows hold several sequences")
    if isinstance(outer_inputs, str) or PLACE in outer_inputs:
        raise ArgumentError("outer_inputs", f"got {outer_inputs!r}; expected a list of names, without {PLACE!r}")


def _check_is_nested(nested: NestedSequences) -> None:
    if not isinstance(nested, NestedSequences):
        raise ArgumentError("nested", f"got {type(nested).__name__}; expected NestedSequences", "make them by nest")


def inner_strategy(sampled: Sampled) -> Strategy:
    """A strategy that makes rows as those of inner sequences are made."""
    return Padded(batch_size=2) if sampled.window is None else Packed(batch_size=2, window=sampled.window)


def _check_models(model: ReadsTwoLevels, sampled: Sampled, padding: str) -> None:
    if not hasattr(model, "read_outer"):
        raise ArgumentError("model", f"got {model!r:.80}; expected a TwoLevel")
    check(model.inner, inner_strategy(sampled), padding=padding)
    # `OuterSteps` brings a mask.
    check_layers(model.outer, sampled.strategy, padding, masked=True)


def predict_nested(
    model: ReadsTwoLevels,
    nested: NestedSequences,
    strategy: Strategy | None = None,
    *,
    inputs: WantedInputs = (TOKENS,),
    at: InnerAt = "sequence",
    outer_at: At = "sequence",
) -> Any:  # noqa: ANN401 - as the outer model's outputs.
    """What a model of two levels says of outer sequences, or of their steps, in their order, each read whole.

    Inner sequences are read in batches of about 32,768 steps, whoever they belong to, and then what was said of them:
    memory does not grow with the longest outer sequence, but for that.

    >>> import keras
    >>> import lengthwise as lw
    >>> nested = lw.nest(lw.from_arrays([[4, 2], [5], [3]], per_sequence={"author": [0, 1, 0]}), by="author")
    >>> inner = keras.Sequential([keras.layers.Embedding(10, 4, mask_zero=True), keras.layers.GRU(4)])
    >>> model = lw.TwoLevel(inner, keras.layers.GRU(3))
    >>> lw.predict_nested(model, nested).shape
    (2, 3)

    Args:
        model: of two levels, such as `TwoLevel`.
        nested: sequences of sequences.
        strategy: how to batch outer sequences; by default by rising length, where padding is least.
        inputs: what the inner model reads, see `fit_data`.
        at: where the inner model says something, see `fit_nested`.
        outer_at: where the outer model does, see `predict`.

    Returns:
        (A, ...) for each outer sequence, or, at every step, (S, ...) for each inner one.

    Raises:
        ArgumentError: there is no such column, outputs are not where they are wanted, or predictions would depend on
            the batches; it is a `ValueError`.
    """
    _check_is_nested(nested)
    batching = Padded(batch_size=2) if strategy is None else strategy
    check_layers(model.outer, batching, "post", masked=True)
    said = predict(model.inner, nested.inner, inputs=inputs, at=at)
    outer = nested.outer
    steps = Sequences(outer.offsets, {**outer.per_step, STEPS: said}, outer.per_sequence, outer.classes)
    named = _outer_named((STEPS, *model.outer_inputs))
    asked: Any = Asked(batching, named, None, None, None, "post", "loss").of(steps).parts[0]
    part = {**asked, PLACE: _IN_PLACE}
    lengths = outer.lengths
    plan = evaluation_plan(lengths) if strategy is None else strategy.plan(lengths)

    def read(x: Mapping[str, Any], training: bool = False) -> Any:  # noqa: ANN401
        columns = {name: value for name, value in x.items() if name != STEPS}
        return model.read_outer(x[STEPS], columns, training=training)

    return outputs_in_order(read, steps, (plan, part, "post"), outer_at)


# Steps that stand in outer rows already, as entries of those.
_IN_PLACE = Field(
    np.dtype(np.int32),
    (None, None),
    lambda grid: np.where(grid.mask, np.arange(grid.mask.size, dtype=np.int32).reshape(grid.shape), np.int32(-1)),
)
