"""Batches of any strategy for `fit` and `evaluate` of any Keras model."""

from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from lengthwise.batching.checking import check
from lengthwise.batching.epochs import is_count
from lengthwise.batching.examples import Asked, ClassWeights, WantedTargets
from lengthwise.batching.fields import WeightScale
from lengthwise.batching.fit_epoch import FitEpoch
from lengthwise.batching.grid import grid_of
from lengthwise.batching.limited_groups import LimitedGroups
from lengthwise.batching.parts import WantedInputs, check_sequences
from lengthwise.batching.passes import Passes, dataset_of
from lengthwise.batching.plan import Plan, Strategy, epoch_rng
from lengthwise.batching.streams import Stream, stream_data
from lengthwise.core.sequences import LABEL, TOKENS, Sequences
from lengthwise.errors import ArgumentError


def fit_data(
    sequences: Sequences | Stream,
    strategy: Strategy | LimitedGroups,
    *,
    inputs: WantedInputs = (TOKENS,),
    targets: WantedTargets | None = LABEL,
    weights: str | Mapping[str, str] | None = None,
    class_weights: ClassWeights | Mapping[str, ClassWeights] | None = None,
    padding: str = "post",
    seed: int = 0,
    epoch: int | FitEpoch = 0,
    scale: WeightScale = "loss",
    model: keras.Model | None = None,
) -> tf.data.Dataset:
    """A dataset that each pass plans anew, for `model.fit(fit_data(...), shuffle=False)`.

    Nothing is left for Keras to shuffle. The widths are declared as unknown, so that no step is traced anew for a new
    length. Every sequence is in a pass exactly once, the last, smaller batch among them; with `LimitedGroups` every one
    that it draws.

    >>> import lengthwise as lw
    >>> sequences = lw.from_arrays([[4, 2, 7], [5]], labels=[0, 1])
    >>> for tokens, labels in lw.fit_data(sequences, lw.Padded(batch_size=2)):
    ...     print(tuple(tokens.shape), sorted(labels.numpy().tolist()))
    (2, 3) [0, 1]

    Args:
        sequences: with the columns that are named; or a `Stream` of them, which is planned buffer by buffer.
        strategy: how to batch, such as `Bucketed(batch_size=256, buckets=5)`. Or `LimitedGroups`, for training: at
            most so many sequences of a group in a pass, others in each.
        inputs: what the model reads: columns per step, (B, T, ...), and per sequence, (B, ...); `every_step(column)`,
            (B, T, ...); and what a batch knows by itself: `mask` bool (B, T), where there is a step; `resets` and
            `ends` bool (B, T), where a sequence begins and ends; `positions` int32 (B, T), the number of the step in
            its sequence; `sequence` int32 (B, T), the number of the sequence, -1 at padding; `lengths` int32 (B,). One
            name gives its array, several a dict of arrays; a dict gives them the names of its keys. Padding is 0.
        targets: what the model is to predict: a column per sequence, a value a row, (B, ...); a column per step, a
            value a step, (B, T, ...); or `last_step(column)`, `every_step(column)`, `next_step(column)`, (B, T, ...).
            One number a step is (B, T, 1), as the outputs of a `Dense(1)`; losses of classes take it so too. A dict: by
            the names of the model's outputs. None: x alone.
        weights: a column per sequence or per step, numbers from 0, how much each counts; of several targets a dict.
        class_weights: by class, its number or its name, how much it counts; of several targets a dict of them.
        padding: `post` or `pre`.
        seed: of the order, with the number of the epoch.
        epoch: the number of the first pass; passes that come to their end count on from it. Or a `FitEpoch`, which is
            given to `fit` as a callback too: then the epoch is the one that `fit` is in.
        scale: what weights are scaled for. `loss`: they are 1 on average, so that the loss of a batch is the weighted
            mean over what counts, for losses of the reduction `sum_over_batch_size`, which is Keras's default, and
            `mean_with_sample_weight` alike. `metrics`: `weighted_metrics` of `evaluate` are exact over all batches; a
            loss is a mean only with `mean_with_sample_weight`.
        model: that is going to be fitted: it is checked that its results do not depend on the batches, see `check`.

    Returns:
        A dataset of (x, y), or (x, y, weights): float32 (B, T) for targets at steps, (B,) for weighted ones of rows.

    Raises:
        ArgumentError: there is no such column, target or padding, the strategy needs others, or it contradicts the
            model; or passes of `LimitedGroups` would differ in their numbers of batches; it is a `ValueError`.
    """
    limited = strategy if isinstance(strategy, LimitedGroups) else None
    if isinstance(strategy, LimitedGroups):
        strategy = strategy.strategy
    asked = Asked(strategy, inputs, targets, weights, class_weights, padding, scale)
    if model is not None:
        check(model, strategy, padding=padding)
    if not is_count(seed):
        raise ArgumentError("seed", f"got {seed!r}; expected a whole number from 0")
    if isinstance(sequences, Stream):
        if limited is not None:
            problem = "got LimitedGroups with a Stream; expected a strategy, since a group lies in all buffers"
            raise ArgumentError("strategy", problem, "give Sequences, or the strategy without a limit")
        data = stream_data(sequences, asked, seed, epoch)
    else:
        data = _sequences_data(sequences, asked, limited, seed, epoch)
    if isinstance(epoch, FitEpoch):
        epoch.add_rows(strategy, padding)
    return data


def _sequences_data(
    sequences: Sequences, asked: Asked, limited: LimitedGroups | None, seed: int, epoch: int | FitEpoch
) -> tf.data.Dataset:
    """What `fit_data` gives of sequences in memory; see `stream_data`."""
    check_sequences(sequences)
    examples = asked.of(sequences)
    plan_by = _plan_by(sequences, asked.strategy, limited)

    def arrays(plan: Plan, place: int) -> list[np.ndarray]:
        return examples.arrays(grid_of(plan, place, sequences.offsets, asked.padding))

    passes = Passes(lambda number: plan_by(epoch_rng(seed, number)), epoch)
    return dataset_of(passes, examples.specs, arrays)


def _plan_by(
    sequences: Sequences, strategy: Strategy, limited: LimitedGroups | None
) -> Callable[[np.random.Generator], Plan]:
    """What plans a pass, from its generator."""
    if limited is None:
        return lambda rng: strategy.plan(sequences.lengths, rng)
    if not limited.strategy.counts_sequences:
        problem = (
            f"got a limit with {limited.strategy}, whose number of batches would differ from pass to pass, and Keras "
            "counts those of the first; expected Padded, Bucketed or another that counts sequences"
        )
        raise ArgumentError("strategy", problem)
    if limited.by not in sequences.per_sequence or sequences[limited.by].ndim != 1:
        known = ", ".join(sequences.per_sequence) or "none"
        raise ArgumentError("by", f"got {limited.by!r}; expected a column with one value a sequence: {known}")
    groups = sequences[limited.by]
    return lambda rng: limited.plan(sequences.lengths, groups, rng)
