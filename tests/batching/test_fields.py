# Columns of any types and shapes arrive where they belong, and the loss is one, whatever the strategy.

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.batching.fit import fit_data
from lengthwise.batching.grid import grid_of
from lengthwise.batching.placed import every_step, last_step, next_step
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.layers import Recurrent
from lengthwise.native.ops import ragged_layout
from lengthwise.training.calls import FlatColumns, flat_columns, flat_plan

SETTINGS = {"batch_size": 4, "buckets": 3, "tokens": 40, "window": 9}
NAMES = sorted(STRATEGIES)
SEVERAL_IN_A_ROW = ("packed", "truncated")
PADDED = [(name, padding) for name in NAMES for padding in ("post", "pre") if (name, padding) != ("truncated", "pre")]
KINDS = ("bool", "int8", "uint8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64")
SHAPES = ((), (1,), (3,), (2, 2))
OWN = ("mask", "resets", "ends", "positions", "sequence")
# Rounding in float64, where the same products are added up in another order.
EQUAL = 1e-9


def random_column(rng, count):
    kind, shape = rng.choice(KINDS), SHAPES[rng.integers(len(SHAPES))]
    return rng.integers(0, 256, (count, *shape)).astype(kind)


def random_sequences(seed):
    # Columns as chance has them, and two that say which step and which sequence it is.
    rng = np.random.default_rng(seed)
    lengths = np.minimum(rng.zipf(1.6, rng.integers(1, 30)), 25)
    steps, count = int(lengths.sum()), len(lengths)
    per_step = {f"step {number}": random_column(rng, steps) for number in range(rng.integers(4))}
    per_sequence = {f"own {number}": random_column(rng, count) for number in range(rng.integers(4))}
    return Sequences(
        offsets_of(lengths),
        {"number": np.arange(steps), **per_step},
        {"owner": np.arange(count), **per_sequence},
    )


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "padding"), PADDED)
def test_every_value_of_every_column_arrives_at_its_step_once_an_epoch(name, padding):
    for seed in range(3):
        sequences = random_sequences(seed)
        owner = np.repeat(np.arange(len(sequences)), sequences.lengths)
        spread = {column: every_step(column) for column in sequences.per_sequence}
        inputs = {**{column: column for column in (*sequences.per_step, *OWN)}, **spread}
        data = fit_data(
            sequences, make_strategy(name, SETTINGS), inputs=inputs, targets=None, padding=padding, seed=seed
        )
        seen = []
        for x in data.as_numpy_iterator():
            mask = x["mask"]
            numbers = x["number"][mask]
            seen += numbers.tolist()
            np.testing.assert_array_equal(x["sequence"], np.where(mask, owner[x["number"]], -1))
            np.testing.assert_array_equal(x["positions"][mask], numbers - sequences.offsets[owner[numbers]])
            np.testing.assert_array_equal(x["resets"][mask], np.isin(numbers, sequences.offsets[:-1]))
            np.testing.assert_array_equal(x["ends"][mask], np.isin(numbers + 1, sequences.offsets))
            for column, values in {**sequences.per_step, **sequences.per_sequence}.items():
                assert x[column].dtype == values.dtype
                places = numbers if column in sequences.per_step else owner[numbers]
                np.testing.assert_array_equal(x[column][mask], values[places], strict=True)
                assert not x[column][~mask].any()
            assert not any(x[flags][~mask].any() for flags in ("resets", "ends", "positions"))
        assert sorted(seen) == list(range(int(sequences.offsets[-1])))


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("name", "padding"), [pair for pair in PADDED if pair[0] not in SEVERAL_IN_A_ROW])
def test_every_value_per_sequence_arrives_in_its_row_once_an_epoch(name, padding):
    for seed in range(3):
        sequences = random_sequences(seed)
        inputs = ("sequence", "lengths", *sequences.per_sequence)
        data = fit_data(
            sequences, make_strategy(name, SETTINGS), inputs=inputs, targets=None, padding=padding, seed=seed
        )
        seen = []
        for x in data.as_numpy_iterator():
            rows = x["sequence"].max(axis=1)
            seen += rows.tolist()
            np.testing.assert_array_equal(x["lengths"], sequences.lengths[rows])
            for column, values in sequences.per_sequence.items():
                np.testing.assert_array_equal(x[column], values[rows], strict=True)
        assert sorted(seen) == list(range(len(sequences)))


@pytest.mark.sampled(4)
@pytest.mark.native
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_flat_batches_have_the_bytes_of_the_padded_ones(name, every):
    for seed in range(3):
        sequences = random_sequences(seed)
        plan = make_strategy(name, SETTINGS).plan(sequences.lengths, epoch_rng(seed, 0))
        columns = FlatColumns(sequences.per_step, sequences.per_sequence)
        offsets = tf.constant(sequences.offsets, tf.int64)
        for number in range(len(plan)):
            grid = grid_of(plan, number, sequences.offsets)
            layout, places = ragged_layout(grid.mask, grid.resets)
            batch, found = flat_columns(
                flat_plan(plan), offsets, tf.constant(number, tf.int64), columns, every_step=every
            )
            for ours, theirs in zip(batch.layout, layout, strict=True):
                np.testing.assert_array_equal(ours, theirs)
            order = places.steps.numpy()
            for column, values in sequences.per_step.items():
                padded = grid.of_steps(values).reshape(-1, *values.shape[1:])
                np.testing.assert_array_equal(found.per_step[column], padded[order], strict=True)
            for column, values in sequences.per_sequence.items():
                padded = grid.of_sequences(values).reshape(-1, *values.shape[1:])
                read = padded[order] if every else values[grid.sequence[grid.finished]]
                np.testing.assert_array_equal(found.per_sequence[column], read, strict=True)


CLASSES, VOCABULARY, UNITS = 3, 12, 4
REDUCTIONS = ("sum_over_batch_size", "mean_with_sample_weight")
CROSS_ENTROPY = functools.partial(keras.losses.SparseCategoricalCrossentropy, from_logits=True)
# The target, its loss and the number of outputs.
TASKS = {
    "classifier": (last_step("label"), CROSS_ENTROPY, CLASSES),
    "label_at_steps": (every_step("label"), CROSS_ENTROPY, CLASSES),
    "tags": ("tag", CROSS_ENTROPY, CLASSES),
    "next_token": (next_step("tokens"), CROSS_ENTROPY, VOCABULARY),
    "regression": (last_step("age"), keras.losses.MeanSquaredError, 1),
    "regression_at_steps": ("height", keras.losses.MeanAbsoluteError, 1),
    "vectors_at_steps": ("vector", keras.losses.MeanSquaredError, 2),
    "labels_yes_or_no": (last_step("topics"), functools.partial(keras.losses.BinaryCrossentropy, from_logits=True), 5),
    "yes_or_no_at_steps": ("said", functools.partial(keras.losses.BinaryCrossentropy, from_logits=True), 1),
}
WEIGHTS = {
    "none": {},
    "per_sequence": {"weights": "importance"},
    "per_step": {"weights": "trust"},
    "per_class": {"class_weights": {0: 3.0, 2: 0.5}},
    "both": {"weights": "importance", "class_weights": {1: 0.25}},
}


def of_one_step(lengths):
    rng = np.random.default_rng(1)
    steps, count = sum(lengths), len(lengths)
    return Sequences(
        offsets_of(np.array(lengths)),
        {
            "tokens": rng.integers(1, VOCABULARY, steps),
            "tag": rng.integers(0, CLASSES, steps),
            "said": rng.integers(0, 2, steps),
            "height": rng.normal(size=steps),
            "vector": rng.normal(size=(steps, 2)),
            "trust": rng.uniform(0, 2, steps).astype(np.float32),
        },
        {
            "label": np.arange(count) % CLASSES,
            "age": rng.normal(size=count),
            "topics": rng.integers(0, 2, (count, 5)),
            "importance": rng.uniform(0, 2, count),
        },
    )


def model_of(outputs, loss, reduction):
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    resets = keras.Input((None,), dtype="bool", name="resets")
    keras.utils.set_random_seed(5)
    features = keras.layers.Embedding(VOCABULARY, 3, embeddings_initializer="normal", dtype="float64")(tokens)
    states = Recurrent(keras.layers.GRUCell(UNITS, dtype="float64"), dtype="float64")(features, resets=resets)
    y = keras.layers.Dense(outputs, dtype="float64")(states)
    model = keras.Model({"tokens": tokens, "resets": resets}, y)
    model.compile(keras.optimizers.SGD(0.1), loss(reduction=reduction, dtype="float64"), jit_compile=False)
    return model


def loss_alone(model, sequences, task, weights):
    # The weighted mean over what counts, each sequence by itself.
    target, loss, _ = TASKS[task]
    by_value = loss(reduction="none", dtype="float64")
    name, at = (target, "every") if isinstance(target, str) else (target.column, target.at)
    total = divisor = 0.0
    for number, (begin, end) in enumerate(zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True)):
        resets = np.arange(end - begin)[np.newaxis] == 0
        outputs = model({"tokens": sequences["tokens"][np.newaxis, begin:end], "resets": resets}).numpy()[0]
        steps = {"last": [end - 1], "every": range(begin, end), "next": range(begin, end - 1)}[at]
        for step in steps:
            right = sequences[name][(step + (at == "next")) if name in sequences.per_step else number]
            weight = 1.0
            if "weights" in weights:
                column = weights["weights"]
                weight *= sequences[column][step if column in sequences.per_step else number]
            weight *= weights.get("class_weights", {}).get(int(np.ravel(right)[0]), 1.0)
            y = np.reshape(right, (1, -1))
            total += weight * float(by_value(y, outputs[np.newaxis, step - begin]).numpy()[0])
            divisor += weight
    return total / divisor


def step_of(name, sequences, task, weights, reduction):
    target, loss, outputs = TASKS[task]
    strategy = make_strategy(name, {"batch_size": 100, "buckets": 1, "tokens": 10**4, "window": 20})
    data = fit_data(sequences, strategy, inputs=("tokens", "resets"), targets=target, **weights)
    ((x, y, w),) = list(data)
    model = model_of(outputs, loss, reduction)
    before = model.get_weights()
    found = model.train_on_batch(x, y, sample_weight=w)
    changes = [one - other for one, other in zip(model.get_weights(), before, strict=True)]
    return float(found), changes


MIXED = [1, 5, 2, 7, 3, 3, 1, 6]
CASES = [
    (task, weights)
    for task in TASKS
    for weights in WEIGHTS
    if task in ("classifier", "label_at_steps", "tags", "next_token") or weights in ("none", "per_sequence")
]


# Of each kind of target one, a way to weigh it, each another one, and what stands beside `padded`; the others are long.
SOME = {
    "classifier": ("per_class", "packed"),
    "tags": ("per_step", "truncated"),
    "next_token": ("both", "packed"),
    "regression": ("per_sequence", "padded_to_longest"),
    "vectors_at_steps": ("none", "truncated"),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("task", "weights", "other"),
    [
        pytest.param(task, weights, other, marks=[] if other == chosen else pytest.mark.long)
        for task, (weights, chosen) in SOME.items()
        for other in ("packed", "truncated", "padded_to_longest")
    ],
)
def test_loss_and_step_are_the_same_under_all_strategies_and_both_reductions(task, weights, other):
    weights = WEIGHTS[weights]
    sequences = of_one_step(MIXED)
    expected = loss_alone(model_of(TASKS[task][2], TASKS[task][1], REDUCTIONS[0]), sequences, task, weights)
    steps = {
        (name, reduction): step_of(name, sequences, task, weights, reduction)
        for name, reduction in zip(("padded", other), REDUCTIONS, strict=True)
    }
    _, first = steps["padded", REDUCTIONS[0]]
    for found, changes in steps.values():
        assert_close(found, expected, 1e-6)
        # The gradient of a bias may be a sum of signs that cancel.
        assert_close(changes, first, 1e-6, terms=max(float(np.abs(change).max()) for change in first))


@pytest.mark.long
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("task", "weights"), CASES)
def test_loss_of_every_strategy_is_that_of_each_sequence_alone(task, weights, name, reduction):
    # Exact has one batch if all are of one length.
    weights = WEIGHTS[weights]
    sequences = of_one_step([4] * 6 if name == "exact" else MIXED)
    expected = loss_alone(model_of(TASKS[task][2], TASKS[task][1], reduction), sequences, task, weights)
    found, _ = step_of(name, sequences, task, weights, reduction)
    assert_close(found, expected, 1e-6)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_loss_of_outputs_with_a_mask_of_keras_is_right_with_the_other_reduction(reduction):
    # Keras weighs by the mask of the outputs too, and then divides by all steps: too large by the share of padding.
    sequences = of_one_step([1, 5, 2, 7])
    keras.utils.set_random_seed(5)
    layers = [keras.layers.Embedding(VOCABULARY, 3, mask_zero=True), keras.layers.Dense(CLASSES)]
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction))
    ((x, y, w),) = list(fit_data(sequences, make_strategy("padded", {"batch_size": 4}), targets="tag"))
    logits = keras.ops.log_softmax(model(sequences["tokens"][np.newaxis])[0])
    expected = -float(np.mean(np.asarray(logits)[np.arange(15), sequences["tag"]]))
    expected *= {"sum_over_batch_size": 4 * 7 / 15, "mean_with_sample_weight": 1.0}[reduction]
    assert_close(np.float64(model.test_on_batch(x, y, sample_weight=w)), np.float64(expected))
