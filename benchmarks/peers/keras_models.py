"""Keras as its users write it: stock layers, `tf.data`, `fit` and `predict`."""

from collections.abc import Iterator
from functools import partial
from itertools import islice, repeat

import keras
import numpy as np
import tensorflow as tf

import lengthwise as lw
from lengthwise.batching.collate import Batch
from lengthwise.batching.plan import batches_within_groups, epoch_rng
from lengthwise.batching.stats import plan_stats
from peers.data import Data, cut, endless
from peers.processes import Stopwatch

Count = tuple[int, float]


def run(
    data: Data, stopwatch: Stopwatch, *, batching: str, steps_per_execution: int = 1, recurrent: str = "keras"
) -> None:
    """Train, or for the task `evaluation` predict, in one call that does not end.

    Args:
        data: the task, and what on.
        stopwatch: what to count on.
        batching: a strategy's name, whose batches are cut beforehand; or `bucket_by_sequence_length`.
        steps_per_execution: batches that Keras runs before it is back in Python.
        recurrent: a name in `RECURRENT`: whose recurrent layer it is. Everything else is Keras's.
    """
    keras.utils.set_random_seed(data.params.seed)
    source = _bucket_by_sequence_length if batching == "bucket_by_sequence_length" else partial(_cut, name=batching)
    dataset, counts, stopwatch.padding_share = source(data)
    # A mask costs time: batches of one length need none.
    model = _model(data, batching != "exact", RECURRENT[recurrent])
    model.steps_per_execution = steps_per_execution
    turns = [_Turns(stopwatch, counts, model.steps_per_execution)]
    if data.task == "evaluation":
        model.predict(dataset, verbose=0, callbacks=turns)
    else:
        model.fit(dataset, shuffle=False, verbose=0, callbacks=turns)


def _model(data: Data, masked: bool, recurrent: type[keras.layers.Layer]) -> keras.Model:
    settings = data.params.model
    model = keras.Sequential(
        [
            keras.layers.Embedding(data.vocabulary_size, settings.embedding, mask_zero=masked),
            recurrent(settings.units, return_sequences=data.task == "seq2seq"),
            keras.layers.Dropout(settings.dropout),
            keras.layers.Dense(data.classes),
        ]
    )
    # At every step, too: Keras hands the mask on to the loss, which leaves padded steps out of sum and count.
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(data.params.optimizer.learning_rate)
    model.compile(optimizer, loss)
    return model


class _LastStep(keras.layers.Layer):
    """What a recurrent layer without any cost would leave: the last step of each row."""

    def __init__(self, _units: int, *, return_sequences: bool) -> None:
        super().__init__()
        self.supports_masking = True
        self._every = return_sequences

    def compute_mask(self, _inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor | None:
        return mask if self._every else None

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        if self._every:
            return inputs
        return tf.gather(inputs, tf.reduce_sum(tf.cast(mask, tf.int32), axis=1) - 1, batch_dims=1)


# That of Keras, the one of the same name of this project, and none.
RECURRENT: dict[str, type[keras.layers.Layer]] = {
    "keras": keras.layers.GRU,
    "lengthwise": lw.GRU,
    "nothing": _LastStep,
}


class _Turns(keras.callbacks.Callback):
    """Counts batches in the order in which the dataset gives them, as many as Keras runs at once."""

    def __init__(self, stopwatch: Stopwatch, counts: Iterator[Count], batches: int) -> None:
        super().__init__()
        self._stopwatch, self._counts, self._batches = stopwatch, counts, batches

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        sentences, tokens = zip(*islice(self._counts, self._batches), strict=True)
        self._stopwatch.tick(sum(sentences), sum(tokens), self._batches)

    on_predict_batch_end = on_train_batch_end


def _cut(data: Data, name: str) -> tuple[tf.data.Dataset, Iterator[Count], float]:
    """Batches cut beforehand, through a generator that is asked once a batch.

    Returns:
        A dataset without end, the sentences and tokens of each of its batches, and the share of padding.
    """
    plan = data.plan(name)
    batches = cut(plan, data.sequences)
    counts = [(len(batch.tokens), int(batch.mask.sum())) for batch in batches]
    steps = data.task == "seq2seq"

    def elements() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for batch in endless(batches, data.params.seed):
            yield batch.tokens, _every_step(batch) if steps else batch.labels

    labels = tf.TensorSpec((None, None) if steps else (None,), tf.int32)
    signature = (tf.TensorSpec((None, None), tf.int32), labels)
    dataset = tf.data.Dataset.from_generator(elements, output_signature=signature).prefetch(tf.data.AUTOTUNE)
    return dataset, endless(counts, data.params.seed), plan_stats(plan).padding_share


def _every_step(batch: Batch) -> np.ndarray:
    return np.broadcast_to(batch.labels[:, np.newaxis], batch.tokens.shape)


def _bucket_by_sequence_length(data: Data) -> tuple[tf.data.Dataset, Iterator[Count], float]:
    """TensorFlow's own buckets, from a ragged tensor: sentence by sentence, all in its threads.

    Returns:
        As `_cut`. The tokens of a batch are the mean's: a batch leaves as soon as its bucket is full, so that any few
        seconds have all buckets in them.
    """
    lengths, batching = data.sequences.lengths, data.params.batching
    bounds = np.quantile(lengths, np.arange(1, batching.buckets) / batching.buckets).astype(int).tolist()
    ragged = tf.RaggedTensor.from_row_splits(data.sequences["tokens"], data.sequences.offsets)
    dataset = (
        tf.data.Dataset.from_tensor_slices((ragged, data.sequences["label"].astype(np.int32)))
        .shuffle(len(lengths))
        .repeat()
        # A slice of a ragged tensor is a plain one, but only an operation makes the dataset say so.
        .map(lambda tokens, label: (tokens, label))
        .bucket_by_sequence_length(
            lambda tokens, _label: tf.shape(tokens)[0],
            bucket_boundaries=bounds,
            bucket_batch_sizes=[batching.batch_size] * batching.buckets,
        )
        .prefetch(tf.data.AUTOTUNE)
    )
    bucket = np.searchsorted(bounds, lengths, side="right")
    plan = batches_within_groups(bucket, lengths, batching.batch_size, epoch_rng(data.params.seed, 0))
    count = (batching.batch_size, batching.batch_size * data.mean_length)
    return dataset, repeat(count), plan_stats(plan).padding_share
