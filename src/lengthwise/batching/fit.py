"""Batches of any strategy for `fit` and `evaluate` of any Keras model."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from lengthwise.batching.collate import Batch, collate
from lengthwise.batching.plan import Plan, Strategy, epoch_rng
from lengthwise.names import PADDINGS
from lengthwise.sequences import Sequences

INPUTS = {"tokens": tf.int32, "mask": tf.bool, "resets": tf.bool}
TARGETS = ("every_step", "last_step", "sequence")


def fit_data(
    sequences: Sequences,
    strategy: Strategy,
    *,
    seed: int = 0,
    inputs: Sequence[str] = ("tokens",),
    targets: str = "sequence",
    padding: str = "post",
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
        sequences: with the columns `tokens` int32 (N,) and `label` int (S,), as from `from_arrays`.
        strategy: how to batch, such as `Bucketed(batch_size=256, buckets=5)`.
        seed: of the order, with the number of the pass.
        inputs: what the model reads. One name gives its array, several a dict of arrays: `tokens` int32 (B, T);
            `mask` bool (B, T), where there is a token; `resets` bool (B, T), where a sequence begins.
        targets: what the model is to predict. `sequence`: a label a row, int32 (B,). `last_step` and `every_step`: a
            label a step, int32 (B, T), with weights float32 (B, T) that are T where a sequence ends or wherever there
            is a token, and 0 elsewhere: for losses whose `reduction` is `mean_with_sample_weight`. (T and not 1, since
            Keras takes the mean over steps before it adds up `weighted_metrics`, and narrow batches would weigh more.)
        padding: `post` or `pre`.

    Returns:
        A dataset of (x, y), or (x, y, weights) for targets at steps.

    Raises:
        ValueError: there is no such input, target or padding, or the strategy needs others.
    """
    _check(strategy, inputs, targets, padding)
    plans = _Passes(sequences, strategy, seed, padding)

    def elements() -> Iterator[tuple[object, ...]]:
        for batch in plans:
            arrays = {name: getattr(batch, name) for name in inputs}
            yield arrays if len(inputs) > 1 else arrays[inputs[0]], *_targets(batch, targets)

    per_step = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None), tf.float32)
    specs = {name: tf.TensorSpec((None, None), INPUTS[name]) for name in inputs}
    x = specs if len(inputs) > 1 else specs[inputs[0]]
    y = (tf.TensorSpec((None,), tf.int32),) if targets == "sequence" else per_step
    # Nothing is fetched ahead: a pass that Keras gives up after the first batch must not reach its end behind its back.
    dataset = tf.data.Dataset.from_generator(elements, output_signature=(x, *y))
    return dataset.apply(tf.data.experimental.assert_cardinality(plans.batches))


class _Passes:
    """Iterated again and again: each pass to the end is an epoch with a plan of its own.

    A pass that is given up before its last batch (Keras looks at the first one to build a model) does not count.

    Attributes:
        batches: of every pass.
    """

    def __init__(self, sequences: Sequences, strategy: Strategy, seed: int, padding: str) -> None:
        self._sequences, self._strategy, self._seed, self._padding = sequences, strategy, seed, padding
        self._epoch = 0
        self.batches = len(self._plan())

    def _plan(self) -> Plan:
        return self._strategy.plan(self._sequences.lengths, epoch_rng(self._seed, self._epoch))

    def __iter__(self) -> Iterator[Batch]:
        plan = self._plan()
        for number in range(len(plan)):
            if number == len(plan) - 1:
                self._epoch += 1
            yield collate(plan, number, self._sequences, self._padding)


def _targets(batch: Batch, targets: str) -> tuple[np.ndarray, ...]:
    if targets == "sequence":
        return (batch.labels,)
    counts = batch.mask
    if targets == "last_step":
        counts = np.zeros_like(batch.mask)
        row, step = batch.ends[batch.finished].T
        counts[row, step] = True
    # Where there is no token any label does, for its weight is 0.
    return batch.labels[np.maximum(batch.segments, 0)], np.float32(batch.mask.shape[1]) * counts


def _check(strategy: Strategy, inputs: Sequence[str], targets: str, padding: str) -> None:
    if isinstance(inputs, str) or not inputs or not set(inputs) <= set(INPUTS):
        got = repr(inputs) if isinstance(inputs, str) else tuple(inputs)
        raise ValueError(f"inputs: got {got}; expected a list of one or more of {', '.join(INPUTS)}")
    if targets not in TARGETS:
        raise ValueError(f"targets: got {targets!r}; expected one of {', '.join(TARGETS)}")
    if padding not in PADDINGS:
        raise ValueError(f"padding: got {padding!r}; expected {' or '.join(PADDINGS)}")
    if not (strategy.packs or strategy.cuts):
        return
    name = type(strategy).__name__
    if "resets" not in inputs:
        raise ValueError(
            f"inputs: got {tuple(inputs)}; expected resets among them, since rows of {name} hold several sequences and "
            "a layer that does not know where they begin leaks one into the next; give them to "
            "lengthwise.layers.Recurrent"
        )
    if targets == "sequence":
        raise ValueError(
            f"targets: got 'sequence'; expected last_step or every_step, since a row of {name} has no label of its own"
        )
    if strategy.cuts and padding == "pre":
        raise ValueError(
            "padding: got 'pre'; expected post, since a window of Truncated goes on at the first step of its row"
        )
