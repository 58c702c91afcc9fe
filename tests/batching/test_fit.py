import functools
import re
from itertools import pairwise
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.batching.fit import fit_data
from lengthwise.batching.placed import every_step, last_step
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.errors import ArgumentError
from lengthwise.layers import GRUCell, LayerNormGRUCell, LSTMCell, PeepholeLSTMCell, Recurrent
from lengthwise.sources import from_arrays

# Keras says so of every dataset that is given to `fit` without `shuffle=False`, whatever its order.
pytestmark = pytest.mark.filterwarnings("ignore:.*shuffle=True:UserWarning")

CLASSES = 3
# 26 distinct lengths; no strategy's last batch is full.
LENGTHS = [*range(1, 27), 1, 3, 3, 5, 5, 5, 8, 8, 12, 20, 26]
SETTINGS = {"batch_size": 4, "buckets": 3, "tokens": 40, "window": 9}
# So many lanes that some end before the others.
MANY_LANES = {"batch_size": 16, "window": 4}
NAMES = sorted(STRATEGIES)
SEVERAL_IN_A_ROW = ("packed", "truncated")
ONE_IN_A_ROW = [name for name in NAMES if name not in SEVERAL_IN_A_ROW]
PADDED = [(name, padding) for name in NAMES for padding in ("post", "pre") if (name, padding) != ("truncated", "pre")]
STEPS = {"last_step": last_step("label"), "every_step": every_step("label")}
TARGETS = {**STEPS, "sequence": "label"}
FLAGS = ("tokens", "resets")
BOTH = "mean_with_sample_weight"
CELLS = {
    "keras_gru": lambda: keras.layers.GRUCell(CLASSES),
    "keras_lstm": lambda: keras.layers.LSTMCell(CLASSES),
    "gru": lambda: GRUCell(CLASSES),
    "lstm": lambda: LSTMCell(CLASSES),
    "layer_norm_gru": lambda: LayerNormGRUCell(CLASSES),
    "peephole_lstm": lambda: PeepholeLSTMCell(CLASSES),
}


def numbered(lengths, first=1):
    # No token occurs twice: a token says which sequence and which step it is.
    ends = np.cumsum(lengths)
    tokens = np.split(np.arange(first, first + ends[-1]), ends[:-1])
    return tokens, [number % CLASSES for number in range(len(lengths))]


TOKENS, LABELS = numbered(LENGTHS)
VOCABULARY = sum(LENGTHS) + 1
OWNER = np.repeat(np.arange(-1, len(LENGTHS)), [1, *LENGTHS])
FIRST = {int(ids[0]) for ids in TOKENS}
LAST = {int(ids[-1]) for ids in TOKENS}
SEQUENCES = sorted(tuple(ids.tolist()) for ids in TOKENS)


def all_sequences():
    return from_arrays(TOKENS, LABELS)


def strategy_of(name, **changes):
    return make_strategy(name, {**SETTINGS, **changes})


def steps_data(name, sequences=None, targets="last_step", strategy=None, **options):
    return fit_data(
        sequences or all_sequences(), strategy or strategy_of(name), inputs=FLAGS, targets=TARGETS[targets], **options
    )


class Seen(keras.callbacks.Callback):
    # What a model was given in every pass of `fit` and `evaluate`, and how often its steps were traced.
    def __init__(self):
        super().__init__()
        self.passes = {"train": [], "test": []}
        self.traces = {"train": 0, "test": 0}

    def on_epoch_begin(self, *_):
        self.passes["train"].append([])

    def on_test_begin(self, *_):
        self.passes["test"].append([])

    def record(self, mode, arrays):
        self.passes[mode][-1].append(arrays)


class Watched(keras.Model):
    seen = None

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        mode, seen = "train" if training else "test", self.seen[0]
        seen.traces[mode] += 1

        def record(tokens, resets, y, weights, outputs):
            seen.record(mode, SimpleNamespace(tokens=tokens, resets=resets, y=y, weights=weights, outputs=outputs))

        tf.numpy_function(record, [x["tokens"], x["resets"], y, sample_weight, y_pred], [])
        return super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)


def step_model(cell=None, strategy=None, rate=0.1, watched=True, initial_state="zeros", **options):
    # Of tokens and resets to a value per class at every step; without a cell each step is by itself.
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    resets = keras.Input((None,), dtype="bool", name="resets")
    outputs = keras.layers.Embedding(VOCABULARY, CLASSES, embeddings_initializer="normal")(tokens)
    if cell is not None:
        carried = strategy.batch_size if type(strategy) is STRATEGIES["truncated"] else None
        outputs = Recurrent(cell, carried_rows=carried, initial_state=initial_state)(outputs, resets=resets)
    model = (Watched if watched else keras.Model)({"tokens": tokens, "resets": resets}, outputs)
    if watched:
        model.seen = (Seen(),)
    compile_steps(model, rate, **options)
    return model


def compile_steps(model, rate=0.1, reduction=BOTH, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    model.compile(keras.optimizers.SGD(rate), loss, **options)


def fit(model, data, epochs=1, **options):
    seen = model.seen[0]
    history = model.fit(data, epochs=epochs, callbacks=[seen], **{"verbose": 0, **options})
    return SimpleNamespace(
        passes=seen.passes["train"],
        tests=seen.passes["test"],
        traces=seen.traces,
        losses=history.history["loss"],
        history=history.history,
        weights=[weight.numpy() for weight in model.trainable_variables],
    )


@functools.cache
def plain_model():
    # One for all strategies, and its first weights: its steps are traced once.
    keras.utils.set_random_seed(1)
    model = step_model()
    return model, [weight.numpy() for weight in model.trainable_variables]


@functools.cache
def fitted(name, seed=3, again=0):
    # Three epochs from fresh; `again` tells two of the same apart.
    model, first = plain_model()
    for variable, values in zip(model.trainable_variables, first, strict=True):
        variable.assign(values)
    model.seen[0].passes = Seen().passes
    return fit(model, steps_data(name, seed=seed), epochs=3)


def sequences_in(batches):
    # Each row followed from batch to batch, cut where it is reset: what a layer that obeys resets sees.
    rows = {}
    for batch in batches:
        assert not batch.resets[batch.tokens == 0].any()
        for row, (tokens, resets) in enumerate(zip(batch.tokens, batch.resets, strict=True)):
            for token, reset in zip(tokens[tokens > 0].tolist(), resets[tokens > 0].tolist(), strict=True):
                if reset:
                    rows.setdefault(row, []).append(())
                rows[row][-1] += (token,)
    return [sequence for row in rows.values() for sequence in row]


def order_of(batches):
    return [batch.tokens.tolist() for batch in batches]


def batches_of(data):
    # As they come from the dataset itself, for targets at steps.
    return [SimpleNamespace(**x, y=y, weights=weights) for x, y, weights in data.as_numpy_iterator()]


def randomize(model, seed=0):
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.7, variable.shape).astype(np.float32))


def layer_of(model, kind):
    return next(layer for layer in model.layers if isinstance(layer, kind))


def states_alone(model, sequences):
    # The cell called step by step, each sequence a row of its own that ends with it: (U,) of each state of each token.
    features = layer_of(model, keras.layers.Embedding).embeddings.numpy()
    layer = layer_of(model, Recurrent)
    first = [
        tf.zeros((1, size)) if state is None else tf.convert_to_tensor(state.state)
        for state, size in zip(layer.initial_states, layer.state_sizes, strict=True)
    ]
    falling = sorted(sequences, key=len, reverse=True)
    states = [tf.repeat(state, len(falling), axis=0) for state in first]
    found = {}
    for step in range(len(falling[0])):
        here = [ids[step] for ids in falling if len(ids) > step]
        _, states = layer.cell(features[here], [state[: len(here)] for state in states])
        found.update(zip(here, zip(*(state.numpy() for state in states), strict=True), strict=True))
    return found


def cross_entropy(logits, label):
    logits = np.asarray(logits, np.float64)
    return np.log(np.exp(logits).sum()) - logits[label]


def passes_without_peek(name, epochs, **changes):
    data = steps_data(name, strategy=strategy_of(name, **changes), seed=5)
    return [order_of(batches_of(data)) for _ in range(epochs)]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", NAMES)
def test_fit_data_shows_every_sequence_exactly_once_in_every_epoch(name):
    assert len(fitted(name).passes) == 3
    for batches in fitted(name).passes:
        assert sorted(sequences_in(batches)) == SEQUENCES


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", NAMES)
def test_fit_data_shows_every_epoch_in_another_order(name):
    orders = [order_of(batches) for batches in fitted(name).passes]
    assert all(left != right for left, right in pairwise([*orders, orders[0]]))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", NAMES)
def test_fit_data_repeats_a_training_from_fresh_for_the_same_seed_only(name):
    first, second = fitted(name), fitted(name, again=1)
    assert [order_of(batches) for batches in first.passes] == [order_of(batches) for batches in second.passes]
    assert first.losses == second.losses
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert order_of(batches_of(steps_data(name, seed=4))) != order_of(first.passes[0])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["padded", "truncated"])
def test_fit_data_counts_epochs_by_the_passes_over_the_dataset(name):
    # A second `fit` goes on, and does not repeat the first.
    data = steps_data(name, seed=3)
    model = step_model()
    for _ in range(2):
        fit(model, data)
    orders = [order_of(batches) for batches in model.seen[0].passes["train"]]
    assert orders == [order_of(batches) for batches in fitted(name).passes[:2]]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", NAMES)
def test_fit_data_lets_two_passes_at_a_time_have_every_sequence_each(name):
    data = steps_data(name)
    both = list(tf.data.Dataset.zip(data, data).as_numpy_iterator())
    for which in (0, 1):
        batches = [SimpleNamespace(**pair[which][0]) for pair in both]
        assert sorted(sequences_in(batches)) == SEQUENCES


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", NAMES)
def test_fit_data_does_not_count_a_look_at_the_first_batch_as_an_epoch(name):
    data = steps_data(name, seed=5)
    next(iter(data))
    list(data.take(2))
    assert [order_of(batches_of(data)) for _ in range(2)] == passes_without_peek(name, 2)


@pytest.mark.long
@pytest.mark.parametrize("scope", [tf.distribute.OneDeviceStrategy, lambda cpu: tf.distribute.MirroredStrategy([cpu])])
def test_fit_data_does_not_count_keras_look_at_the_first_batch_as_an_epoch(scope):
    # Under a `tf.distribute` strategy Keras takes a batch to build the model, and fetches ahead.
    with scope("/cpu:0").scope():
        model = step_model()
    found = fit(model, steps_data("padded", seed=5), epochs=3)
    assert [order_of(batches) for batches in found.passes] == passes_without_peek("padded", 3)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("steps", [2, 3, 50])
def test_fit_data_shows_every_sequence_once_with_several_steps_per_execution(steps):
    model = step_model(steps_per_execution=steps)
    found = fit(model, steps_data("padded", seed=5), epochs=2)
    assert [order_of(batches) for batches in found.passes] == passes_without_peek("padded", 2)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", NAMES)
def test_fit_data_traces_steps_at_most_twice_for_26_lengths(name):
    assert len(set(LENGTHS)) == 26
    assert 1 <= fitted(name).traces["train"] <= 2
    assert 1 <= evaluated(name)["last_step"].traces <= 2


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", NAMES)
def test_fit_data_knows_how_many_batches_every_epoch_has(name):
    data = steps_data(name, seed=3)
    batches = int(data.cardinality())
    assert [len(batches_of(data)) for _ in range(3)] == [batches] * 3
    assert [len(epoch) for epoch in fitted(name).passes] == [batches] * 3


def test_fit_data_lets_keras_show_how_far_the_first_epoch_is(capsys):
    data = steps_data("padded")
    fit(step_model(), data, verbose=1)
    shown = capsys.readouterr().out
    assert f"1/{int(data.cardinality())}" in shown
    assert f"{int(data.cardinality())}/{int(data.cardinality())}" in shown


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["padded", *SEVERAL_IN_A_ROW])
def test_fit_data_of_one_batch_shows_every_sequence_in_every_epoch(name):
    strategy = strategy_of(name, batch_size=100, buckets=1, tokens=10_000, window=1000)
    sequences = from_arrays([TOKENS[4], TOKENS[4] + 5, TOKENS[4] + 10], [0, 1, 2])
    data = steps_data(name, sequences, strategy=strategy)
    assert data.cardinality() == 1
    found = fit(step_model(), data, epochs=3)
    for batches in found.passes:
        assert sorted(sequences_in(batches)) == [tuple(range(low, low + 5)) for low in (11, 16, 21)]


@functools.cache
def figures_alone(model, targets):
    # Mean cross-entropy and accuracy over the steps that count, from each sequence by itself.
    states = states_alone(model, TOKENS)
    counted = sorted(LAST) if targets == "last_step" else range(1, VOCABULARY)
    labels = [LABELS[OWNER[token]] for token in counted]
    outputs = [states[token][0] for token in counted]
    entropy = np.mean([cross_entropy(output, label) for output, label in zip(outputs, labels, strict=True)])
    return entropy, np.mean(np.argmax(outputs, axis=1) == labels)


@functools.cache
def model_to_evaluate(name):
    strategy = strategy_of(name, **MANY_LANES)
    entropy = keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="entropy")
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model = step_model(keras.layers.GRUCell(CLASSES), strategy, weighted_metrics=[entropy, accuracy])
    randomize(model)
    return model


@functools.cache
def evaluated(name):
    # By targets: the model's own figures of two passes, what it was given, and what is expected.
    strategy = strategy_of(name, **MANY_LANES)
    # All but one strategy carry nothing, and have a model together.
    model = model_to_evaluate("truncated" if name == "truncated" else "padded")
    found = {}
    for targets in STEPS:
        data = steps_data(name, targets=targets, strategy=strategy, scale="metrics")
        seen = Seen()
        model.seen[0].passes = seen.passes
        # Twice: what is carried from the end of one pass must not reach the next.
        logs = [model.evaluate(data, verbose=0, return_dict=True, callbacks=[model.seen[0]]) for _ in range(2)]
        found[targets] = SimpleNamespace(
            logs=logs,
            passes=seen.passes["test"],
            expected=figures_alone(model, targets),
            traces=model.seen[0].traces["test"],
        )
    return found


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("targets", STEPS)
def test_fit_data_gives_evaluate_every_sequence_once_and_states_as_if_each_stood_alone(name, targets):
    found = evaluated(name)[targets]
    assert len(found.passes) == 2
    for batches in found.passes:
        assert min(len(batch.tokens) for batch in batches) < max(len(batch.tokens) for batch in batches)
        assert sorted(sequences_in(batches)) == SEQUENCES
        counted = [(batch, row, step) for batch in batches for row, step in np.argwhere(batch.weights)]
        entropy = np.mean([cross_entropy(batch.outputs[row, step], batch.y[row, step]) for batch, row, step in counted])
        accuracy = np.mean([np.argmax(batch.outputs[row, step]) == batch.y[row, step] for batch, row, step in counted])
        assert_close([entropy, accuracy], list(found.expected))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("targets", STEPS)
def test_fit_data_evaluates_weighted_metrics_to_the_same_figures_for_every_strategy(name, targets):
    found = evaluated(name)[targets]
    for logs in found.logs:
        assert_close([logs["entropy"], logs["accuracy"]], list(found.expected))


@functools.cache
def stock_model():
    # Token 0 is a token here, so the mask says where there is none. With it: its data, and the mean loss by itself.
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    mask = keras.Input((None,), dtype="bool", name="mask")
    states = keras.layers.LSTM(CLASSES)(keras.layers.Embedding(VOCABULARY, CLASSES)(tokens), mask=mask)
    model = keras.Model({"tokens": tokens, "mask": mask}, states)
    randomize(model)
    entropy = keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="entropy")
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=[entropy])
    sequences = [np.where(ids % 3, ids, 0) for ids in TOKENS]
    outputs = [model({"tokens": ids[np.newaxis], "mask": np.ones((1, len(ids)), bool)}).numpy()[0] for ids in sequences]
    expected = np.mean([cross_entropy(output, label) for output, label in zip(outputs, LABELS, strict=True)])
    return model, from_arrays(sequences, LABELS), expected


@pytest.mark.long
@pytest.mark.parametrize(("name", "padding"), [(name, padding) for name, padding in PADDED if name in ONE_IN_A_ROW])
def test_fit_data_evaluates_a_model_of_stock_layers_as_sequence_by_sequence(name, padding):
    model, sequences, expected = stock_model()
    data = fit_data(sequences, strategy_of(name), inputs=("tokens", "mask"), padding=padding, seed=2)
    found = model.evaluate(data, verbose=0, return_dict=True)
    # One label a row: Keras weighs each batch by its rows.
    assert_close(found["entropy"], expected)
    assert_close(found["loss"], expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("train", "test"), [("bucketed", "exact"), ("truncated", "packed"), ("packed", "truncated")])
def test_fit_data_serves_as_validation_data_of_another_strategy(train, test):
    # Carried rows for both: where every row begins with a reset nothing of them is seen.
    model = step_model(keras.layers.GRUCell(CLASSES), strategy_of("truncated"))
    chosen = [number for number, length in enumerate(LENGTHS) if length % 2]
    validation = from_arrays([TOKENS[number] for number in chosen], [LABELS[number] for number in chosen])
    found = fit(model, steps_data(train), epochs=2, validation_data=steps_data(test, validation))
    assert [sorted(sequences_in(batches)) for batches in found.passes] == [SEQUENCES] * 2
    expected = sorted(tuple(TOKENS[number].tolist()) for number in chosen)
    assert [sorted(sequences_in(batches)) for batches in found.tests] == [expected] * 2
    # The second validation is after the last step of training, so its outputs are the trained model's.
    states = states_alone(model, TOKENS)
    for batch in found.tests[-1]:
        for row, step in np.argwhere(batch.tokens):
            assert_close(batch.outputs[row, step], states[batch.tokens[row, step]][0])


@pytest.mark.sampled(4)
@pytest.mark.parametrize("targets", STEPS)
@pytest.mark.parametrize(("name", "padding"), PADDED)
def test_fit_data_puts_labels_and_weights_of_steps_where_they_belong(name, padding, targets):
    data = steps_data(name, targets=targets, padding=padding)
    weighted = []
    for batch in batches_of(data):
        assert batch.tokens.shape == batch.resets.shape == batch.y.shape[:2] == batch.weights.shape
        assert_close(batch.weights.mean(), float(batch.weights.any()))
        for token, reset, label, weight in zip(
            *(values.flat for values in (batch.tokens, batch.resets, batch.y, batch.weights)), strict=True
        ):
            ends = token in LAST if targets == "last_step" else token > 0
            assert (weight > 0) == ends
            assert weight in (0, batch.weights.max())
            assert reset == (token in FIRST)
            if token:
                assert label == LABELS[OWNER[token]]
            else:
                assert 0 <= label < CLASSES
            if weight:
                weighted.append(int(token))
    assert sorted(weighted) == (sorted(LAST) if targets == "last_step" else list(range(1, VOCABULARY)))


@pytest.mark.sampled(5)
@pytest.mark.parametrize(("name", "padding"), [(name, padding) for name, padding in PADDED if name in ONE_IN_A_ROW])
def test_fit_data_gives_each_row_the_label_of_its_sequence(name, padding):
    data = fit_data(all_sequences(), strategy_of(name), padding=padding)
    seen = []
    for tokens, labels in data.as_numpy_iterator():
        assert labels.shape == tokens.shape[:1]
        for row, label in zip(tokens, labels, strict=True):
            seen.append(tuple(row[row > 0].tolist()))
            assert label == LABELS[OWNER[seen[-1][0]]]
    assert sorted(seen) == SEQUENCES


@pytest.mark.sampled(7)
@pytest.mark.parametrize(("name", "padding"), PADDED)
def test_fit_data_pads_each_row_on_the_side_asked_for(name, padding):
    targets = every_step("label")
    data = fit_data(
        all_sequences(), strategy_of(name), inputs=("mask", "tokens", "resets"), targets=targets, padding=padding
    )
    widths = set()
    padded = 0
    for x, _, _ in data.as_numpy_iterator():
        np.testing.assert_array_equal(x["mask"], x["tokens"] > 0)
        edge = x["mask"][:, 0] if padding == "post" else x["mask"][:, -1]
        assert edge.all()
        changes = np.diff(x["mask"].astype(int), axis=1)
        assert np.all(changes != (1 if padding == "post" else -1))
        padded += int((~x["mask"]).sum())
        widths.add(x["tokens"].shape[1])
    assert padded or name == "exact"
    assert len(widths) > 1 or name == "padded_to_longest"


@pytest.mark.parametrize("inputs", [("tokens",), ("mask",), ["tokens", "mask"], ("resets", "mask", "tokens")], ids=str)
def test_fit_data_gives_one_input_as_an_array_and_several_by_name(inputs):
    data = fit_data(all_sequences(), strategy_of("padded"), inputs=inputs)
    x, y = data.element_spec
    kinds = {"tokens": tf.int32, "mask": tf.bool, "resets": tf.bool}
    if len(inputs) == 1:
        assert x == tf.TensorSpec((None, None), kinds[inputs[0]])
    else:
        assert x == {name: tf.TensorSpec((None, None), kinds[name]) for name in inputs}
    assert y == tf.TensorSpec((None,), tf.int32)
    first, labels = next(data.as_numpy_iterator())
    assert labels.dtype == np.int32
    for name in inputs:
        values = first[name] if len(inputs) > 1 else first
        assert values.dtype == kinds[name].as_numpy_dtype
        assert values.shape[0] == 4


@pytest.mark.parametrize("targets", STEPS)
def test_fit_data_declares_targets_at_steps_with_weights(targets):
    _, y, weights = steps_data("packed", targets=targets).element_spec
    assert y == tf.TensorSpec((None, None, 1), tf.int32)
    assert weights == tf.TensorSpec((None, None), tf.float32)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("reduction", [BOTH, "sum_over_batch_size"])
def test_fit_data_learns_nothing_and_no_nan_from_a_window_where_no_sequence_ends(reduction):
    tokens, labels = numbered([70, 50, 64])
    strategy = strategy_of("truncated", batch_size=2, window=8)
    model = step_model(keras.layers.GRUCell(CLASSES), strategy, rate=1.0, reduction=reduction)
    randomize(model)
    changes, before = [], [[weight.numpy() for weight in model.trainable_variables]]

    def on_train_batch_end(batch, logs=None):
        after = [weight.numpy() for weight in model.trainable_variables]
        changes.append(any(np.any(one != other) for one, other in zip(after, before[0], strict=True)))
        before[0] = after

    data = steps_data("truncated", from_arrays(tokens, labels), strategy=strategy)
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=on_train_batch_end)
    seen = model.seen[0]
    losses = model.fit(data, epochs=2, callbacks=[seen, watch], verbose=0).history["loss"]
    ends = [bool(batch.weights.any()) for epoch in seen.passes["train"] for batch in epoch]
    assert changes == ends
    assert sum(ends) < len(ends) / 2
    assert np.isfinite(losses).all()
    assert all(np.isfinite(weight).all() for weight in before[0])


@pytest.mark.sampled(3)
@pytest.mark.parametrize("targets", STEPS)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "exact"])
def test_fit_data_lets_the_loss_of_a_batch_be_the_mean_over_weighted_steps(name, targets):
    # All in one batch, which exact never has.
    strategy = strategy_of(name, batch_size=1000, buckets=1, tokens=10**6, window=10**4)
    data = steps_data(name, targets=targets, strategy=strategy)
    assert data.cardinality() == 1
    model = step_model()
    randomize(model)
    logits = layer_of(model, keras.layers.Embedding).embeddings.numpy()
    counted = sorted(LAST) if targets == "last_step" else range(1, VOCABULARY)
    expected = np.mean([cross_entropy(logits[token], LABELS[OWNER[token]]) for token in counted])
    found = model.evaluate(data, verbose=0, callbacks=[model.seen[0]])
    assert_close(found, expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("cell", CELLS)
def test_fit_data_of_truncated_carries_the_states_of_unsplit_sequences(cell):
    strategy = strategy_of("truncated", **MANY_LANES)
    initial_state = "zeros" if cell.startswith("keras") else "learned"
    model = step_model(CELLS[cell](), strategy, rate=0.0, initial_state=initial_state)
    randomize(model)
    layer = layer_of(model, Recurrent)
    carried = []

    def on_train_batch_end(batch, logs=None):
        carried.append([state.numpy() for state in layer.carried])

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=on_train_batch_end)
    seen = model.seen[0]
    model.fit(steps_data("truncated", strategy=strategy), epochs=2, callbacks=[seen, watch], verbose=0)
    expected = states_alone(model, TOKENS)
    assert all(len(batches[-1].tokens) < len(batches[0].tokens) for batches in seen.passes["train"])
    assert [sorted(sequences_in(batches)) for batches in seen.passes["train"]] == [SEQUENCES] * 2
    reached = 0
    for batch, states in zip([batch for epoch in seen.passes["train"] for batch in epoch], carried, strict=True):
        for row, step in np.argwhere(batch.tokens):
            here = expected[batch.tokens[row, step]]
            assert_close(batch.outputs[row, step], here[0])
            if step == batch.tokens.shape[1] - 1:
                reached += 1
                for one, other in zip(states, here, strict=True):
                    assert_close(one[row], other)
    assert reached > 50


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("padded", {"inputs": ()}, "inputs"),
        ("padded", {"inputs": ("length",)}, "inputs"),
        ("padded", {"inputs": ("tokens", "labels")}, "inputs"),
        ("padded", {"targets": "steps"}, "targets"),
        ("padded", {"targets": ""}, "targets"),
        ("padded", {"padding": "left"}, "padding"),
        ("packed", {"targets": last_step("label")}, "inputs"),
        ("packed", {"targets": last_step("label"), "inputs": ("tokens", "mask")}, "inputs"),
        ("packed", {"targets": "label", "inputs": FLAGS}, "targets"),
        ("packed", {"inputs": FLAGS}, "targets"),
        ("truncated", {"targets": every_step("label")}, "inputs"),
        ("truncated", {"inputs": FLAGS}, "targets"),
        ("truncated", {"targets": last_step("label"), "inputs": FLAGS, "padding": "pre"}, "padding"),
    ],
    ids=str,
)
def test_fit_data_says_in_one_line_what_it_cannot_do(name, options, part):
    with pytest.raises(ValueError, match=f"^{part}: got .*; expected ") as error:
        fit_data(all_sequences(), strategy_of(name), **options)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("seed", [None, -1, 1.5, True, "1"])
def test_fit_data_names_a_seed_that_is_no_whole_number(seed):
    with pytest.raises(ArgumentError, match=re.escape(f"seed: got {seed!r}; expected a whole number from 0")):
        fit_data(all_sequences(), strategy_of("padded"), seed=seed)
    fit_data(all_sequences(), strategy_of("padded"), seed=np.int64(1), epoch=np.int64(2))


def test_fit_data_of_lists_says_how_sequences_are_made():
    with pytest.raises(ArgumentError, match="sequences: got list; expected Sequences; make them by from_arrays"):
        fit_data([[1, 2], [3]], strategy_of("padded"))


def test_fit_data_names_an_input_that_is_no_list_of_names_as_it_was_given():
    with pytest.raises(ValueError, match="inputs: got 'tokens'; expected"):
        fit_data(all_sequences(), strategy_of("padded"), inputs="tokens")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("targets", TARGETS)
def test_fit_data_of_every_strategy_and_target_is_made_or_refused_at_once(name, targets):
    if name in SEVERAL_IN_A_ROW and targets == "sequence":
        with pytest.raises(ValueError, match="targets"):
            steps_data(name, targets=targets)
    else:
        data = steps_data(name, targets=targets)
        assert len(data.element_spec) == (2 if targets == "sequence" else 3)
        assert data.cardinality() > 1


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", NAMES)
def test_fit_data_of_no_sequences_has_no_batches(name):
    sequences = from_arrays([], np.zeros(0, np.int64))
    data = fit_data(sequences, strategy_of(name), inputs=FLAGS, targets=every_step("label"))
    assert data.cardinality() == 0
    assert batches_of(data) == []
