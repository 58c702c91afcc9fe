"""A run's network beside the same one in stock Keras, trained on padded batches by its own `fit`.

    make run RECIPE=sms_spam SOURCE=... ; dvc exp apply sms_spam
    python benchmarks/recipes.py [--seeds 1] [--epochs N] [--record sms_spam]

It reads `data/shards` and `params.yaml` of the folder that it is run in. Both sides train on the same sequences, for as
many epochs, with batches of as many rows, the same sizes of layers, optimizer and schedule; Keras masks its padding, a
language model of Keras goes on in its own states (`stateful=True`). What stock Keras has no layer for, word dropout and
the maximum over steps that are no padding, is a layer here. Each training has a process of its own, so that Keras has
the threads and operations that TensorFlow takes by default. Prints the figures on the test split, and the seconds and
the CPU seconds of training: where other work runs beside, CPU seconds are the fairer ones.

    python benchmarks/recipes.py --chart docs/recipes_sms_spam.svg

draws the first metric of the run and its baselines instead, as its page does.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import ops

from lengthwise.charts.style import standalone
from lengthwise.core.affixes import BUCKETS, PER_TOKEN
from lengthwise.core.names import EVERY_STEP_TASKS, Task
from lengthwise.core.sequences import Sequences
from lengthwise.models.config import NetworkConfig, Purpose
from lengthwise.models.prediction import predict_next, predict_split, predict_steps
from lengthwise.models.saved import load_network
from lengthwise.models.tasks import NOTHING, task_columns
from lengthwise.pipeline.settings.params import TrainParams, load_params
from lengthwise.pipeline.stages.task_data import purpose_of
from lengthwise.pipeline.stages.train.live import LiveFiles
from lengthwise.pipeline.stages.train.training_run import TrainFiles
from lengthwise.pipeline.stages.train.training_run import train as train_ours
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.reports.page.scores import first_chart
from lengthwise.runs.rivals import rivals_of
from lengthwise.runs.run import run_in
from lengthwise.training.schedule import learning_rate

WAYS = ("lengthwise", "keras")
RECORD = Path(__file__).parent / "results" / "recipes.csv"
UNKNOWN = 1
# In the place of features where there is no step.
PADDING = -1e4
TOKENS = "tokens"


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Attributes:
        figure: accuracy, or of a language model bits a token, on the test split.
        seconds: of training, by the clock.
        cpu_seconds: of all threads.
    """

    figure: float
    seconds: float
    cpu_seconds: float


class Clock:
    """Measures what is done within it."""

    def __enter__(self) -> "Clock":
        """Start."""
        self._begun = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.seconds, self.cpu_seconds = time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]


class WordDropout(keras.layers.Layer):  # type: ignore[misc]
    """Tokens become the unknown one, in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate, self.seeds = rate, keras.random.SeedGenerator(0)

    def call(self, tokens: Any, training: bool = False) -> Any:  # noqa: ANN401
        """Ids (B, T)."""
        if not training or not self.rate:
            return tokens
        drop = keras.random.uniform(ops.shape(tokens), seed=self.seeds) < self.rate
        return ops.where(ops.logical_and(drop, tokens > 0), UNKNOWN, tokens)


class LargestOverSteps(keras.layers.Layer):  # type: ignore[misc]
    """The largest output of each unit over steps that are no padding, which `GlobalMaxPooling1D` does not leave out."""

    supports_masking = True

    def call(self, outputs: Any, mask: Any = None) -> Any:  # noqa: ANN401
        """(B, T, U) to (B, U)."""
        return ops.max(outputs if mask is None else ops.where(mask[..., None], outputs, -1e9), axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:  # noqa: ANN401
        """There are no steps any more."""


class PaddedBatches:
    """Shuffled rows, each batch as wide as its longest."""

    def __init__(self, columns: Mapping[str, np.ndarray], target: np.ndarray, offsets: np.ndarray, rows: int) -> None:
        self._columns, self._target, self._offsets, self._rows = columns, target, offsets, rows
        self._rng = np.random.default_rng(0)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-(len(self._offsets) - 1) // self._rows)

    def dataset(self) -> tf.data.Dataset:
        """Each epoch in another order.

        Keras guesses the shapes of a `PyDataset` from a few batches, and stops where these are as wide as each other
        and another is not: here they are said.
        """
        inputs = {name: tf.TensorSpec((None, None, *of.shape[1:]), of.dtype) for name, of in self._columns.items()}
        if self._once_a_sequence:
            signature = (inputs, tf.TensorSpec((None,), self._target.dtype))
        else:
            steps = tf.TensorSpec((None, None), self._target.dtype), tf.TensorSpec((None, None), tf.float32)
            signature = (inputs, *steps)
        epoch = tf.data.Dataset.from_generator(self._epoch, output_signature=signature)
        return epoch.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(2)

    @property
    def _once_a_sequence(self) -> bool:
        return len(self._target) == len(self._offsets) - 1

    def _epoch(self) -> Iterator[tuple[Any, ...]]:
        """Inputs, targets, and of targets at steps what is padding."""
        order = self._rng.permutation(len(self._offsets) - 1)
        for chosen in np.split(order, range(self._rows, len(order), self._rows)):
            inputs = padded(self._columns, self._offsets, chosen)
            if self._once_a_sequence:
                yield inputs, self._target[chosen]
            else:
                targets = padded({"t": self._target}, self._offsets, chosen, fill=NOTHING)["t"]
                yield inputs, np.maximum(targets, 0), (targets != NOTHING).astype(np.float32)


def padded(
    columns: Mapping[str, np.ndarray], offsets: np.ndarray, chosen: np.ndarray, fill: float | None = None
) -> dict[str, np.ndarray]:
    """Rows of columns (N, ...), each as long as the longest."""
    lengths = offsets[chosen + 1] - offsets[chosen]
    made = {}
    for name, values in columns.items():
        empty = fill if fill is not None else PADDING if name == "features" else 0
        made[name] = np.full((len(chosen), int(lengths.max()), *values.shape[1:]), empty, values.dtype)
        for row, (start, length) in enumerate(zip(offsets[chosen], lengths, strict=True)):
            made[name][row, :length] = values[start : start + length]
    return made


def columns_of(purpose: Purpose, sequences: Sequences, scale: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """What a network reads, by name, features to one scale."""
    columns = dict(task_columns(purpose, sequences).inputs)
    if purpose.tokens:
        columns[TOKENS] = sequences[TOKENS]
    if "features" in columns:
        columns["features"] = ((columns["features"] - scale[0]) / scale[1]).astype(np.float32)
    return columns


def scale_of(purpose: Purpose, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of features."""
    features = task_columns(purpose, sequences).inputs.get("features", np.zeros((1, 1), np.float32))
    return features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)


def stock_network(config: NetworkConfig, task: Task, rows: int | None = None) -> keras.Model:
    """The network in layers of Keras; with a number of rows it goes on in its own states."""
    inputs: dict[str, keras.KerasTensor] = {}
    parts = []
    shape: dict[str, Any] = {"batch_shape": (rows, None)} if rows else {"shape": (None,)}
    if config.tokens:
        inputs[TOKENS] = keras.Input(**shape, dtype="int32", name=TOKENS)
        embedding = keras.layers.Embedding(config.vocabulary_size, config.embedding, mask_zero=rows is None)
        parts.append(embedding(WordDropout(config.word_dropout)(inputs[TOKENS])))
    if config.affixes is not None:
        inputs["affixes"] = keras.Input((None, PER_TOKEN), dtype="int32", name="affixes")
        each = -(-config.embedding // PER_TOKEN)
        found = keras.layers.Embedding(BUCKETS, each)(inputs["affixes"])
        parts.append(keras.layers.Reshape((-1, PER_TOKEN * each))(found))
    if config.features:
        inputs["features"] = keras.Input((None, config.features), name="features")
        parts.append(keras.layers.Masking(PADDING)(inputs["features"]))
    steps = parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
    kind = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "simple": keras.layers.SimpleRNN}[config.cell]
    at_every_step = task in EVERY_STEP_TASKS or config.readout != "last"
    for number in range(config.layers):
        returns = at_every_step or number < config.layers - 1
        layer = kind(config.units, return_sequences=returns, stateful=rows is not None)
        steps = (keras.layers.Bidirectional(layer) if config.bidirectional else layer)(steps)
        if number < config.layers - 1:
            steps = keras.layers.Dropout(config.dropout)(steps)
    if task not in EVERY_STEP_TASKS and config.readout == "max":
        steps = LargestOverSteps()(steps)
    if task not in EVERY_STEP_TASKS and config.readout == "mean":
        steps = keras.layers.GlobalAveragePooling1D()(steps)
    if task not in EVERY_STEP_TASKS and config.readout == "mean_max":
        pooled = [keras.layers.GlobalAveragePooling1D()(steps), LargestOverSteps()(steps)]
        steps = keras.layers.Concatenate()(pooled)
    return keras.Model(inputs, keras.layers.Dense(config.outputs)(keras.layers.Dropout(config.dropout)(steps)))


def compiled(model: keras.Model, params: TrainParams, steps: int) -> keras.Model:
    """With the optimizer and the schedule of the run."""
    settings = params.optimizer.settings
    rate = learning_rate(settings.schedule, settings.learning_rate, steps, settings.warmup_steps)
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD}
    optimizer = kinds[settings.name](rate, global_clipnorm=settings.clip_norm)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, weighted_metrics=[])
    return model


def keras_of_sequences(
    config: NetworkConfig, task: Task, params: TrainParams, train: Sequences, test: Sequences
) -> Trained:
    """Train and test classifiers and taggers; the mean of log-probabilities, where the run is an ensemble."""
    scale = scale_of(config, train)
    columns, target = columns_of(config, train, scale), task_columns(config, train).target
    rows = params.batching.model_dump()["batch_size"]
    asked, right = columns_of(config, test, scale), task_columns(config, test).target
    order = np.arange(len(test))
    sums: np.ndarray | float = 0.0
    seconds = cpu = 0.0
    for _ in range(config.ensemble):
        batches = PaddedBatches(columns, target, train.offsets, rows)
        model = compiled(stock_network(config, task), params, params.course.epochs * len(batches))
        with Clock() as clock:
            model.fit(batches.dataset(), epochs=params.course.epochs, shuffle=False, verbose=0)
        seconds, cpu = seconds + clock.seconds, cpu + clock.cpu_seconds
        parts = [model.predict_on_batch(padded(asked, test.offsets, part)) for part in np.array_split(order, 16)]
        logits = [ops.convert_to_numpy(ops.log_softmax(part)) for part in parts]
        if len(right) == len(test):
            sums = sums + np.concatenate(logits)
        else:
            sums = sums + np.concatenate(list(_of_steps(logits, test.offsets, order)))
    return Trained(float((np.asarray(sums).argmax(axis=-1) == right).mean()), seconds, cpu)


def _of_steps(logits: list[np.ndarray], offsets: np.ndarray, order: np.ndarray) -> Iterator[np.ndarray]:
    """The logits of steps that are no padding, sequence by sequence."""
    for part, chosen in zip(logits, np.array_split(order, 16), strict=True):
        for row, number in zip(part, chosen, strict=True):
            yield row[: offsets[number + 1] - offsets[number]]


def keras_of_text(config: NetworkConfig, params: TrainParams, train: Sequences, test: Sequences) -> Trained:
    """Train a language model that goes on in its states, rows of the text side by side; test it on whole sequences."""
    batching = params.batching.model_dump()
    rows, window = batching["batch_size"], batching["window"]
    text = train[TOKENS]
    per_row = (len(text) - 1) // rows // window * window
    lanes = np.stack([text[row * per_row : (row + 1) * per_row + 1] for row in range(rows)])
    # Batch after batch, each row of which goes on where that of the batch before ended.
    cuts = per_row // window
    inputs = lanes[:, :-1].reshape(rows, cuts, window).swapaxes(0, 1).reshape(-1, window)
    targets = lanes[:, 1:].reshape(rows, cuts, window).swapaxes(0, 1).reshape(-1, window)
    model = compiled(stock_network(config, "language_model", rows), params, params.course.epochs * cuts)
    forget = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: _reset(model))
    with Clock() as clock:
        fit = {"batch_size": rows, "epochs": params.course.epochs, "shuffle": False, "verbose": 0}
        model.fit({TOKENS: inputs}, targets, callbacks=[forget], **fit)
    whole = stock_network(config, "language_model")
    for variable, trained in zip(whole.trainable_variables, model.trainable_variables, strict=True):
        variable.assign(trained)
    nats, count = 0.0, 0
    for begin, end in zip(test.offsets[:-1], test.offsets[1:], strict=True):
        tokens = test[TOKENS][begin:end]
        said = ops.convert_to_numpy(ops.log_softmax(whole.predict_on_batch({TOKENS: tokens[np.newaxis]})))[0]
        nats -= said[np.arange(len(tokens) - 1), tokens[1:]].sum()
        count += len(tokens) - 1
    return Trained(nats / count / np.log(2), clock.seconds, clock.cpu_seconds)


def _reset(model: keras.Model) -> None:
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_states()


def ours(shards: Path, task: Task, params: TrainParams, test: Sequences) -> Trained:
    """Train and test the run's own network, as the stage does."""
    live = LiveFiles(*(Path("live") / name for name in ("epochs.csv", "steps.csv", "headline.json")))
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        with Clock() as clock:
            train_ours(shards, TrainFiles(Path("model"), Path("figures"), live), task, params)
        network = load_network(Path("model"))
    return Trained(FIGURES[task](network, test), clock.seconds, clock.cpu_seconds)


def _accuracy(network: Any, test: Sequences) -> float:  # noqa: ANN401
    said = predict_split(network, test).log_probabilities
    return float((said.argmax(axis=1) == test["label"]).mean())


def _step_accuracy(network: Any, test: Sequences) -> float:  # noqa: ANN401
    right = task_columns(network.config, test).target
    return float((predict_steps(network, test).argmax(axis=1) == right).mean())


def _bits(network: Any, test: Sequences) -> float:  # noqa: ANN401
    said = predict_next(network, test)
    return float(-said.log_probability.sum() / (len(said.log_probability) - len(test)) / np.log(2))


FIGURES: dict[Task, Callable[[Any, Sequences], float]] = {
    "classifier": _accuracy,
    "tagger": _step_accuracy,
    "language_model": _bits,
}


def trained(way: str, seed: int, epochs: int | None) -> Trained:
    """Train and test one of `WAYS` on the run of this folder.

    Args:
        way: of which side.
        seed: of weights and dropout.
        epochs: in the place of the run's, if any.
    """
    all_params = load_params(Path("params.yaml"))
    task, params, shards = cast(Task, all_params.tasks[0]), all_params.train, Path("data/shards").resolve()
    index = read_index(shards)
    train, test = (read_split(shards, index, name) for name in ("train", "test"))
    content = params.model_dump() | {"seed": seed} | ({"epochs": epochs} if epochs else {})
    of_seed = TrainParams.model_validate(content)
    if way == "lengthwise":
        return ours(shards, task, of_seed, test)
    config = NetworkConfig(**vars(purpose_of(task, index)), **vars(of_seed.model.architecture))
    keras.utils.set_random_seed(seed)
    if task == "language_model":
        return keras_of_text(config, of_seed, train, test)
    return keras_of_sequences(config, task, of_seed, train, test)


def main() -> None:
    """Run all seeds, one way after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="in the place of the run's")
    parser.add_argument("--record", help="recipe whose rows of benchmarks/results/recipes.csv these become")
    parser.add_argument("--chart", type=Path, help="write this SVG, and train nothing")
    arguments = parser.parse_args()
    if arguments.chart:
        arguments.chart.write_text(standalone(first_chart(rivals_of(run_in(Path()))[0])), encoding="utf-8")
        return
    task = load_params(Path("params.yaml")).tasks[0]
    if task not in FIGURES:
        sys.exit(f"tasks: got {task!r} first; expected one of {', '.join(FIGURES)}")
    rows = []
    for seed in range(1, arguments.seeds + 1):
        for way in WAYS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                of = alone.submit(trained, way, seed, arguments.epochs).result()
            rows.append({"recipe": arguments.record, "way": way, "seed": seed, **vars(of)})
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if arguments.record:
        known = pd.read_csv(RECORD)
        table = pd.concat([known[known["recipe"] != arguments.record], table])
        table.round(4).to_csv(RECORD, index=False)
        table = pd.DataFrame(rows)
    means = table.groupby("way")[["figure", "seconds", "cpu_seconds"]].mean()
    ratio = means.loc["keras"] / means.loc["lengthwise"]
    print(
        json.dumps({"task": task, "seconds": round(ratio["seconds"], 2), "cpu_seconds": round(ratio["cpu_seconds"], 2)})
    )


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
