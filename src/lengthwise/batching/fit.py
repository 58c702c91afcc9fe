"""Batches of any strategy for `fit` and `evaluate` of any Keras model."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lengthwise.batching.checking import check
from lengthwise.batching.epochs import Epochs, is_count
from lengthwise.batching.examples import Asked, ClassWeights, WantedTargets
from lengthwise.batching.fields import WeightScale
from lengthwise.batching.fit_epoch import FitEpoch
from lengthwise.batching.grid import Grid, grid_of
from lengthwise.batching.parts import WantedInputs, check_sequences
from lengthwise.batching.plan import Plan, Strategy, epoch_rng
from lengthwise.batching.streams import Stream, stream_data
from lengthwise.core.sequences import LABEL, TOKENS, Sequences
from lengthwise.errors import ArgumentError


def fit_data(
    sequences: Sequences | Stream,
    strategy: Strategy,
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
    length. Every sequence is in a pass exactly once, the last, smaller batch among them.

    >>> import lengthwise as lw
    >>> sequences = lw.from_arrays([[4, 2, 7], [5]], labels=[0, 1])
    >>> for tokens, labels in lw.fit_data(sequences, lw.Padded(batch_size=2)):
    ...     print(tuple(tokens.shape), sorted(labels.numpy().tolist()))
    (2, 3) [0, 1]

    Args:
        sequences: with the columns that are named; or a `Stream` of them, which is planned buffer by buffer.
        strategy: how to batch, such as `Bucketed(batch_size=256, buckets=5)`.
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
            model; it is a `ValueError`.
    """
    asked = Asked(strategy, inputs, targets, weights, class_weights, padding, scale)
    if model is not None:
        check(model, strategy, padding=padding)
    if not is_count(seed):
        raise ArgumentError("seed", f"got {seed!r}; expected a whole number from 0")
    if isinstance(sequences, Stream):
        data = stream_data(sequences, asked, seed, epoch)
    else:
        data = _sequences_data(sequences, asked, seed, epoch)
    if isinstance(epoch, FitEpoch):
        epoch.add_rows(strategy, padding)
    return data


def _sequences_data(sequences: Sequences, asked: Asked, seed: int, epoch: int | FitEpoch) -> tf.data.Dataset:
    """What `fit_data` gives of sequences in memory; see `stream_data`."""
    check_sequences(sequences)
    examples = asked.of(sequences)
    passes = _Passes(sequences, asked.strategy, seed, asked.padding, epoch)
    flat = tf.nest.flatten(examples.specs)

    def arrays_of(number: np.ndarray, place: np.ndarray) -> list[np.ndarray]:
        return examples.arrays(passes.grid(int(number), int(place)))

    def batch_of(number: tf.Tensor, place: tf.Tensor) -> Any:  # noqa: ANN401 - of the structure declared.
        tensors = tf.numpy_function(arrays_of, [number, place], [spec.dtype for spec in flat])
        for tensor, spec in zip(tensors, flat, strict=True):
            tensor.set_shape(spec.shape)
        found = tf.nest.pack_sequence_as(examples.specs, tensors)
        return found if len(found) > 1 else found[0]

    def one_pass(_: tf.Tensor) -> tf.data.Dataset:
        number = tf.numpy_function(passes.begin, [], tf.int64)
        return tf.data.Dataset.range(passes.batches).map(lambda place: batch_of(number, place))

    # Not `from_generator`, which takes twice as long. Nothing is fetched ahead: a pass that Keras gives up after the
    # first batch must not reach its end behind its back.
    dataset = tf.data.Dataset.from_tensors(0).flat_map(one_pass)
    return dataset.apply(tf.data.experimental.assert_cardinality(passes.batches))


class _Passes(Epochs):
    """Again and again: each pass to the end is an epoch with a plan of its own.

    Attributes:
        batches: of every pass.
    """

    def __init__(
        self, sequences: Sequences, strategy: Strategy, seed: int, padding: str, epoch: int | FitEpoch
    ) -> None:
        super().__init__(epoch)
        self._offsets, self._padding = sequences.offsets, padding

        def plan_of(number: int) -> Plan:
            return strategy.plan(sequences.lengths, epoch_rng(seed, number))

        # Two, since a pass may begin before another one's end.
        self._plan = lru_cache(maxsize=2)(plan_of)
        self.batches = len(self._plan(self.number))

    def begin(self) -> np.int64:
        """The epoch of a pass that begins."""
        return np.int64(self.number)

    def grid(self, number: int, place: int) -> Grid:
        """A batch of an epoch; after the last one the next epoch comes."""
        if place == self.batches - 1:
            self.end()
        return grid_of(self._plan(number), place, self._offsets, self._padding)
