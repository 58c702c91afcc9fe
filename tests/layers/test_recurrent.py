import random
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import CLOSE, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.names import NATIVE_CELLS
from lengthwise.layers.cells import CELLS, LSTMCell
from lengthwise.layers.recurrent import Recurrent
from lengthwise.layers.sequence_ends import sequence_ends

UNITS, FEATURES = 4, 3
KERAS_CELLS = {
    "keras_gru": keras.layers.GRUCell,
    "keras_lstm": keras.layers.LSTMCell,
    "keras_simple": keras.layers.SimpleRNNCell,
}
ALL_CELLS = {**CELLS, **KERAS_CELLS}
# Those that the native kernel computes, by Keras step by step.
BY_KERAS = [f"{name}, by keras" for name in [*NATIVE_CELLS, "keras_lstm"]]
FLAGS = st.integers(1, 4).flatmap(
    lambda rows: st.integers(1, 9).flatmap(
        lambda width: st.lists(
            st.tuples(*[st.sampled_from([(True, True), (True, False), (False, False)])] * width),
            min_size=rows,
            max_size=rows,
        )
    )
)


def randomized(layer, seed=0):
    rng = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(0, 0.7, variable.shape).astype(np.float32))
    return layer


def make(name, seed=0, **options):
    name, _, kernel = name.partition(", by ")
    layer = Recurrent(ALL_CELLS[name](UNITS), **{"initial_state": "learned", "kernel": kernel or "auto", **options})
    layer.build((None, None, FEATURES))
    return randomized(layer, seed)


def draw(seed, *shape):
    return np.random.default_rng([seed, 1]).normal(0, 1, shape).astype(np.float32)


def first_states(layer):
    return [
        tf.zeros((1, size)) if state is None else tf.convert_to_tensor(state.state)
        for state, size in zip(layer.initial_states, layer.state_sizes, strict=True)
    ]


def alone(layer, steps, states=None):
    # One sequence (T, D), the cell called step by step: the outputs (T, U) and the last states (1, U).
    states = first_states(layer) if states is None else states
    outputs = []
    for step in steps:
        output, states = layer.cell(step[np.newaxis], states)
        outputs.append(output[0])
    return tf.stack(outputs), states


def alone_backwards(layer, steps):
    outputs, states = alone(layer, steps[::-1])
    return outputs[::-1], states


def each_alone(layer, sequences):
    # The same of many sequences at once, each a row of its own that ends with it: the outputs (T, U) of each.
    falling = sorted(range(len(sequences)), key=lambda number: -len(sequences[number]))
    states = [tf.repeat(state, len(falling), axis=0) for state in first_states(layer)]
    outputs = [[] for _ in sequences]
    for step in range(len(sequences[falling[0]])):
        here = [number for number in falling if len(sequences[number]) > step]
        features = np.stack([sequences[number][step] for number in here])
        output, states = layer.cell(features, [state[: len(here)] for state in states])
        for number, row in zip(here, tf.unstack(output), strict=True):
            outputs[number].append(row)
    return [tf.stack(rows) for rows in outputs]


def cut_out(inputs, spans):
    return [inputs[row, begin:end] for row, begin, end in spans]


def draw_spans(seed, rows=3, width=9, longest=4):
    # Sequences side by side in rows, not all of them full: (row, begin, end).
    rng = np.random.default_rng([seed, 2])
    spans = []
    for row in range(rows):
        begin = 0
        while begin + (length := int(rng.integers(1, longest + 1))) <= width:
            spans.append((row, begin, begin + length))
            begin += length
    return spans


def flags(spans, rows=3, width=9):
    resets, mask = np.zeros((2, rows, width), bool)
    for row, begin, end in spans:
        resets[row, begin] = True
        mask[row, begin:end] = True
    return resets, mask


def graph_model(*layers, vocabulary=9):
    tokens = keras.Input((None,), dtype="int32")
    features = keras.layers.Embedding(vocabulary, FEATURES, mask_zero=True)(tokens)
    for layer in layers:
        features = layer(features)
    return randomized(keras.Model(tokens, features), seed=5)


@pytest.mark.native
def test_recurrent_computes_by_the_kernel_that_the_name_of_the_test_says():
    assert [name for name in [*ALL_CELLS, *BY_KERAS] if make(name).native] == [*sorted(NATIVE_CELLS), *KERAS_CELLS]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("seed", "masked"), [(0, False), (1, True)])
@pytest.mark.parametrize("name", [*ALL_CELLS, *BY_KERAS])
def test_recurrent_computes_packed_sequences_as_if_each_stood_alone(name, seed, masked):
    layer = make(name, seed)
    spans = draw_spans(seed)
    resets, mask = flags(spans)
    inputs = draw(seed, 3, 9, FEATURES)
    outputs = layer(inputs, resets=resets, mask=mask if masked else None)
    assert outputs.shape == (3, 9, UNITS)
    assert_close(cut_out(outputs.numpy(), spans), each_alone(layer, cut_out(inputs, spans)))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", [*ALL_CELLS, *BY_KERAS])
def test_recurrent_gradients_of_packed_sequences_are_the_sum_over_each_alone(name, masked):
    layer = make(name, 3)
    spans = draw_spans(3, rows=2)
    resets, mask = flags(spans, rows=2)
    inputs, factors = draw(3, 2, 9, FEATURES), draw(4, 2, 9, UNITS)
    with tf.GradientTape() as tape:
        outputs = layer(inputs, resets=resets, mask=mask if masked else None)
        loss = tf.reduce_sum(outputs * factors * mask[..., np.newaxis])
    found = tape.gradient(loss, layer.trainable_variables)
    with tf.GradientTape() as tape:
        apart = tf.concat(each_alone(layer, cut_out(inputs, spans)), axis=0)
        loss = tf.reduce_sum(apart * np.concatenate(cut_out(factors, spans)))
    expected = tape.gradient(loss, layer.trainable_variables)
    for variable, one, other in zip(layer.trainable_variables, found, expected, strict=True):
        assert np.abs(other).max() > 1e-4, variable.path
        assert_close(one, other, name=variable.path)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [*ALL_CELLS, *BY_KERAS])
def test_recurrent_resets_go_to_the_learned_state_and_reach_it_with_gradients(name):
    layer = make(name, 1)
    before = [draw(2 + number, 2, UNITS) for number in range(len(layer.state_sizes))]
    inputs = draw(1, 2, 4, FEATURES)
    resets = np.array([[1, 0, 0, 0], [0, 0, 0, 0]], bool)
    learned = [state.state for state in layer.initial_states]
    with tf.GradientTape() as tape:
        outputs = layer(inputs, resets=resets, states=before)
    assert all(np.abs(gradient).max() > 1e-4 for gradient in tape.gradient(outputs, learned))
    assert_close(outputs[0], alone(layer, inputs[0])[0])
    assert_close(outputs[1], alone(layer, inputs[1], [state[1:] for state in before])[0])
    with tf.GradientTape() as tape:
        outputs = layer(inputs, resets=np.zeros((2, 4), bool), states=before)
    assert all(gradient is None or not np.any(gradient) for gradient in tape.gradient(outputs, learned))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("initial_state", ["learned", "zeros"])
@pytest.mark.parametrize("name", [*CELLS, *BY_KERAS])
def test_recurrent_without_resets_begins_each_row_with_the_initial_state(name, initial_state):
    layer = make(name, 2, initial_state=initial_state)
    learned = [variable for variable in layer.trainable_variables if "initial_state" in variable.path]
    assert len(learned) == (len(layer.state_sizes) if initial_state == "learned" else 0)
    inputs = draw(2, 2, 5, FEATURES)
    outputs = layer(inputs)
    for row in range(2):
        assert_close(outputs[row], alone(layer, inputs[row])[0])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", [*ALL_CELLS, *BY_KERAS])
def test_recurrent_windows_that_give_their_states_on_equal_the_whole(name, seed):
    layer = make(name, seed, return_state=True)
    inputs, resets = draw(seed, 2, 11, FEATURES), np.random.default_rng(seed).random((2, 11)) < 0.2
    whole, *last = layer(inputs, resets=resets)
    cuts = [0, *sorted(random.Random(seed).sample(range(1, 11), 3)), 11]
    states, parts = None, []
    for begin, end in pairwise(cuts):
        part, *states = layer(inputs[:, begin:end], resets=resets[:, begin:end], states=states)
        parts.append(part)
    assert_close(np.concatenate(parts, axis=1), whole)
    assert_close(states, last)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [*ALL_CELLS, *BY_KERAS])
def test_recurrent_carries_states_from_batch_to_batch_by_row(name):
    layer = make(name, 1, carried_rows=3, return_state=True)
    layer.reset_state()
    inputs = draw(1, 3, 8, FEATURES)
    # The second batch lacks the last row.
    calls = [(3, 0, 3), (2, 3, 5), (3, 5, 8)]
    found = [[], [], []]
    for rows, begin, end in calls:
        outputs, *last = layer(inputs[:rows, begin:end])
        for row in range(rows):
            found[row].append(outputs[row].numpy())
        assert_close([state[:rows] for state in layer.carried], last, 0)
    for row in range(3):
        steps = np.concatenate([inputs[row, begin:end] for rows, begin, end in calls if row < rows])
        expected, states = alone(layer, steps)
        assert_close(np.concatenate(found[row]), expected)
        assert_close([state[row : row + 1] for state in layer.carried], states)


def test_recurrent_of_a_smaller_batch_leaves_the_other_rows_states_as_they_are():
    layer = make("lstm", carried_rows=4)
    layer(draw(0, 4, 3, FEATURES))
    before = [state.numpy() for state in layer.carried]
    layer(draw(1, 1, 3, FEATURES))
    for old, new in zip(before, layer.carried, strict=True):
        np.testing.assert_array_equal(new[1:], old[1:])
        assert np.all(new[:1] != old[:1])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [*CELLS, *BY_KERAS])
def test_recurrent_that_carries_states_obeys_resets(name):
    layer = make(name, 4, carried_rows=2)
    layer(draw(3, 2, 4, FEATURES))
    carried = [state.numpy() for state in layer.carried]
    inputs = draw(4, 2, 5, FEATURES)
    outputs = layer(inputs, resets=np.array([[0, 0, 1, 0, 0], [1, 0, 0, 0, 0]], bool))
    assert_close(outputs[0, :2], alone(layer, inputs[0, :2], [s[:1] for s in carried])[0])
    assert_close(outputs[0, 2:], alone(layer, inputs[0, 2:])[0])
    assert_close(outputs[1], alone(layer, inputs[1])[0])


@pytest.mark.parametrize("initial_state", ["learned", "zeros"])
def test_recurrent_reset_state_goes_back_to_the_initial_state(initial_state):
    layer = make("lstm", carried_rows=2, initial_state=initial_state)
    inputs = draw(0, 2, 4, FEATURES)
    layer(inputs)
    assert np.abs(layer(inputs)[0] - alone(layer, inputs[0])[0]).max() > 1e-3
    layer.reset_state()
    for carried, first in zip(layer.carried, first_states(layer), strict=True):
        np.testing.assert_array_equal(carried, np.repeat(first, 2, axis=0))
    assert_close(layer(inputs)[0], alone(layer, inputs[0])[0])


def test_recurrent_reset_state_has_nothing_to_do_before_the_first_batch_or_where_nothing_is_carried():
    Recurrent(LSTMCell(UNITS), carried_rows=2).reset_state()
    Recurrent(LSTMCell(UNITS)).reset_state()
    make("lstm").reset_state()


def test_recurrent_explicit_states_come_before_the_carried_ones():
    layer = make("lstm", carried_rows=2, return_state=True)
    layer(draw(0, 2, 3, FEATURES))
    inputs, states = draw(1, 2, 3, FEATURES), [draw(2, 2, UNITS), draw(3, 2, UNITS)]
    outputs, *last = layer(inputs, states=states)
    expected, _ = alone(layer, inputs[1], [state[1:] for state in states])
    assert_close(outputs[1], expected)
    assert_close(layer.carried, last, 0)


def test_recurrent_carried_states_are_no_trained_weights_and_let_no_gradient_through():
    layer, plain = make("gru", carried_rows=2), make("gru")
    assert len(layer.weights) == len(plain.weights) == len(layer.trainable_weights)
    first, second = draw(0, 2, 3, FEATURES), draw(1, 2, 3, FEATURES)
    with tf.GradientTape() as tape:
        layer(first)
        loss = tf.reduce_sum(layer(second) ** 2)
    found = tape.gradient(loss, layer.cell.trainable_variables)
    before = [alone(plain, steps, [tf.zeros((1, UNITS))])[1][0] for steps in first]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(plain(second, states=[tf.concat(before, axis=0)]) ** 2)
    assert_close(found, tape.gradient(loss, plain.cell.trainable_variables))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["lstm", "lstm, by keras", "layer_norm_gru", "keras_lstm"])
def test_recurrent_carries_states_in_predict_through_a_partial_last_batch(name):
    layer = make(name, carried_rows=4)
    features = keras.Input((None, FEATURES))
    model = keras.Model(features, layer(features))
    assert not any(np.any(state) for state in layer.carried)
    layer.reset_state()
    rows = draw(0, 6, 3, FEATURES)
    found = model.predict(rows, batch_size=4, verbose=0)
    for row in range(6):
        states = alone(layer, rows[row - 4])[1] if row >= 4 else None
        assert_close(found[row], alone(layer, rows[row], states)[0])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["lstm", "lstm, by keras", "keras_gru"])
def test_recurrent_carries_states_in_fit_through_a_partial_last_batch(name):
    layer = make(name, carried_rows=4, return_sequences=False, initial_state="zeros")
    model = keras.Sequential([keras.Input((None, FEATURES)), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    layer.reset_state()
    rows = draw(0, 6, 3, FEATURES)
    model.fit(rows, np.zeros((6, UNITS)), batch_size=4, shuffle=False, verbose=0)
    for row in range(4):
        states = alone(layer, rows[row])[1]
        states = alone(layer, rows[row + 4], states)[1] if row < 2 else states
        assert_close([state[row : row + 1] for state in layer.carried], states)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernel", ["auto", "keras"])
def test_recurrent_trains_in_fit(kernel):
    keras.utils.set_random_seed(1)
    rows = draw(0, 64, 5, FEATURES)
    features = keras.Input((None, FEATURES))
    layer = Recurrent(LSTMCell(UNITS), return_sequences=False, initial_state="learned", kernel=kernel)
    model = keras.Model(features, keras.layers.Dense(1)(layer(features)))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    before = [weight.numpy() for weight in model.trainable_weights]
    history = model.fit(rows, rows[:, 0, :1], batch_size=10, epochs=12, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]
    assert all(np.any(old != new.numpy()) for old, new in zip(before, model.trainable_weights, strict=True))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", [*ALL_CELLS, *BY_KERAS])
def test_recurrent_state_and_output_stand_still_at_masked_steps(name, reverse):
    layer = make(name, 6, return_state=True, reverse=reverse)
    inputs = draw(6, 4, 7, FEATURES)
    mask = np.array([[1, 1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1], [1, 0, 0, 1, 1, 0, 1], [0] * 7], bool)
    outputs, *last = layer(inputs, mask=mask)
    for row in range(4):
        states = first_states(layer)
        for step in range(7)[:: -1 if reverse else 1]:
            if mask[row, step]:
                _, states = layer.cell(inputs[row, step][np.newaxis], states)
            assert_close(outputs[row, step], states[0][0])
        assert_close([state[row : row + 1] for state in last], states)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ALL_CELLS)
def test_recurrent_of_padded_rows_equals_the_unpadded_row(name, reverse):
    layer = make(name, 7, return_state=True, reverse=reverse)
    length, garbage = 4, np.full((1, 3, FEATURES), 1e4, np.float32)
    inputs = draw(7, 1, length, FEATURES)
    padding, tokens = np.zeros((1, 3), bool), np.ones((1, length), bool)
    expected, *expected_last = layer(inputs)
    for parts, begin in (((inputs, garbage), 0), ((garbage, inputs), 3)):
        mask = np.concatenate([tokens if part is inputs else padding for part in parts], axis=1)
        outputs, *last = layer(np.concatenate(parts, axis=1), mask=mask)
        assert_close(outputs[:, begin : begin + length], expected)
        assert_close(last, expected_last)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("seed", "masked"), [(0, False), (1, True)])
@pytest.mark.parametrize("name", [*ALL_CELLS, *BY_KERAS])
def test_recurrent_backwards_with_resets_at_ends_equals_each_sequence_reversed_alone(name, seed, masked):
    layer = make(name, seed, reverse=True)
    spans = draw_spans(seed)
    resets, mask = flags(spans)
    inputs = draw(seed, 3, 9, FEATURES)
    ends = sequence_ends(tf.constant(resets), tf.constant(mask))
    outputs = layer(inputs, ends=ends, mask=mask if masked else None)
    expected = each_alone(layer, [steps[::-1] for steps in cut_out(inputs, spans)])
    assert_close(cut_out(outputs.numpy(), spans), [outputs[::-1] for outputs in expected])


@given(FLAGS)
@settings(deadline=None)
def test_sequence_ends_are_where_no_token_of_the_sequence_follows(cells):
    mask, begins = (np.array([[cell[part] for cell in row] for row in cells], bool) for part in (0, 1))
    expected = np.zeros_like(mask)
    for row, step in np.argwhere(mask):
        last = step + 1 == mask.shape[1]
        expected[row, step] = last or not mask[row, step + 1] or begins[row, step + 1]
    np.testing.assert_array_equal(sequence_ends(tf.constant(begins), tf.constant(mask)), expected)


def test_sequence_ends_serve_in_a_functional_model():
    resets, mask = keras.Input((None,), dtype="bool"), keras.Input((None,), dtype="bool")
    model = keras.Model([resets, mask], sequence_ends(resets, mask))
    given = flags(draw_spans(8))
    np.testing.assert_array_equal(model([*given]), sequence_ends(*given))
    with pytest.raises(ValueError, match=r"resets, mask: got the shapes \(3, 9\) and \(3, 8\); expected the same"):
        sequence_ends(given[0], given[1][:, 1:])


def test_sequence_ends_of_packed_rows_are_the_ends_of_their_spans():
    spans = draw_spans(8)
    resets, mask = flags(spans)
    ends = sequence_ends(tf.constant(resets), tf.constant(mask))
    assert sorted(map(tuple, np.argwhere(ends))) == sorted((row, end - 1) for row, _, end in spans)


STOCKS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "simple": keras.layers.SimpleRNN}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", [f"{name}{kernel}" for kernel in ("", ", by keras") for name in STOCKS])
def test_recurrent_in_both_directions_equals_the_stock_bidirectional_layer(name):
    stock_class = STOCKS[name.partition(",")[0]]
    stock = keras.layers.Bidirectional(stock_class(UNITS, return_sequences=True))
    forward = make(name, 1, initial_state="zeros")
    backward = make(name, 2, initial_state="zeros", reverse=True)
    stock.build((None, None, FEATURES))
    stock.set_weights([*forward.get_weights(), *backward.get_weights()])
    inputs = draw(3, 3, 6, FEATURES)
    mask = np.arange(6) < np.array([[6], [4], [1]])
    found = tf.concat([forward(inputs, mask=mask), backward(inputs, mask=mask)], axis=-1)
    assert_close(found.numpy()[mask], stock(inputs, mask=mask).numpy()[mask])


@pytest.mark.sampled
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("return_state", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru", "keras_lstm"])
def test_recurrent_returns_what_it_is_asked_for(name, return_sequences, return_state, reverse):
    layer = make(name, 3, return_sequences=return_sequences, return_state=return_state, reverse=reverse)
    inputs = draw(3, 2, 5, FEATURES)
    result = layer(inputs)
    assert return_state == isinstance(result, tuple)
    outputs, *last = result if return_state else (result,)
    assert outputs.shape == ((2, 5, UNITS) if return_sequences else (2, UNITS))
    assert [tuple(state.shape) for state in last] == [(2, UNITS)] * (len(layer.state_sizes) * return_state)
    for row in range(2):
        expected, states = (alone_backwards if reverse else alone)(layer, inputs[row])
        assert_close(outputs[row], expected if return_sequences else states[0][0])
        if return_state:
            assert_close([state[row : row + 1] for state in last], states)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", [*ALL_CELLS, *BY_KERAS])
def test_recurrent_runs_rows_of_one_step(name, reverse):
    layer = make(name, 5, reverse=reverse, return_state=True)
    inputs = draw(5, 2, 1, FEATURES)
    before = [draw(6 + number, 2, UNITS) for number in range(len(layer.state_sizes))]
    begins = {"ends" if reverse else "resets": np.array([[True], [False]])}
    outputs, *last = layer(inputs, **begins, states=before)
    _, reset = alone(layer, inputs[0])
    _, kept = alone(layer, inputs[1], [state[1:] for state in before])
    assert_close(last, [tf.concat(pair, axis=0) for pair in zip(reset, kept, strict=True)])
    np.testing.assert_array_equal(outputs[:, 0], last[0])
    ends = sequence_ends(tf.constant([[True], [False]]), tf.constant([[True], [False]]))
    np.testing.assert_array_equal(ends, [[True], [False]])


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", KERAS_CELLS)
@pytest.mark.parametrize("return_sequences", [False, True])
def test_recurrent_of_a_keras_cell_equals_the_keras_layer_in_a_functional_model(name, return_sequences):
    cell = KERAS_CELLS[name](UNITS)
    mine = graph_model(Recurrent(cell, return_sequences=return_sequences))
    stock = graph_model(keras.layers.RNN(KERAS_CELLS[name](UNITS), return_sequences=return_sequences))
    stock.set_weights(mine.get_weights())
    tokens = np.array([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0], [0, 0, 8, 1, 2]])
    found, expected = mine(tokens).numpy(), stock(tokens).numpy()
    shown = tokens > 0 if return_sequences else [0, 1, 2]
    assert_close(found[shown], expected[shown])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_recurrent_trains_a_keras_cell_with_dropout(options, run_eagerly):
    layer = Recurrent(keras.layers.LSTMCell(UNITS, **options), return_sequences=False)
    model = keras.Sequential([keras.Input((None, FEATURES)), layer])
    model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=run_eagerly)
    rows = draw(0, 5, 3, FEATURES)
    model.fit(rows, np.zeros((5, UNITS)), batch_size=3, verbose=0)
    assert_close(model(rows)[0], alone(layer, rows[0])[1][0][0])
    assert np.abs(model(rows, training=True) - model(rows, training=True)).max() > 1e-3


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("name", "carried_rows"),
    [
        *((name, None) for name in ("gru", "simple", "layer_norm_lstm", "gru, by keras")),
        *((name, 4) for name in ("lstm", "keras_gru, by keras")),
    ],
)
def test_recurrent_is_traced_once_for_all_rows_and_widths(name, carried_rows):
    layer = make(name, carried_rows=carried_rows)
    traces = []

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, FEATURES), tf.float32),
            tf.TensorSpec((None, None), tf.bool),
            tf.TensorSpec((None, None), tf.bool),
        ]
    )
    def run(inputs, resets, mask):
        traces.append(inputs)
        with tf.GradientTape() as tape:
            outputs = layer(inputs, resets=resets, mask=mask)
        return outputs, tape.gradient(outputs, layer.trainable_variables)

    for rows, width in ((2, 3), (4, 1), (1, 5)):
        inputs, resets = draw(width, rows, width, FEATURES), np.zeros((rows, width), bool)
        resets[:, 0] = True
        outputs, gradients = run(inputs, resets, np.ones((rows, width), bool))
        assert outputs.shape == (rows, width, UNITS)
        assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
        assert_close(outputs[-1], alone(layer, inputs[-1])[0])
    assert len(traces) == 1


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("input_rows", "state_rows"), [(1, 1), (3, 3), (1, None), (3, None), (None, 1), (None, 3), (None, None)]
)
def test_recurrent_runs_in_a_graph_whether_or_not_it_knows_the_rows(input_rows, state_rows):
    layer = make("lstm")
    rows = input_rows or state_rows or 2
    inputs, states = draw(0, rows, 4, FEATURES), [draw(1, rows, UNITS), draw(2, rows, UNITS)]

    @tf.function(
        input_signature=[
            tf.TensorSpec((input_rows, None, FEATURES), tf.float32),
            [tf.TensorSpec((state_rows, UNITS), tf.float32)] * 2,
        ]
    )
    def run(inputs, states):
        return layer(inputs, states=states)

    assert_close(run(inputs, states), layer(inputs, states=states))


# What is returned concerns the layer, whatever its cell.
@pytest.mark.sampled(3)
@pytest.mark.parametrize(("name", "return_sequences"), [(name, bool(n % 2)) for n, name in enumerate(CELLS)])
def test_recurrent_passes_the_mask_of_an_embedding_on(name, return_sequences):
    model = graph_model(Recurrent(CELLS[name](UNITS)), Recurrent(CELLS[name](3), return_sequences=return_sequences))
    tokens = np.array([[1, 2, 3, 4]])
    expected = model(tokens)
    post, before = model(np.pad(tokens, [(0, 0), (0, 2)])), model(np.pad(tokens, [(0, 0), (2, 0)]))
    if return_sequences:
        post, before = post[:, :4], before[:, 2:]
    assert_close(post, expected)
    assert_close(before, expected)


def test_recurrent_has_no_mask_for_last_outputs_and_states():
    mask = tf.constant([[True, False]])
    assert make("lstm").compute_mask(None, mask) is mask
    assert make("lstm", return_sequences=False).compute_mask(None, mask) is None
    tokens = keras.Input((None,), dtype="int32")
    features = keras.layers.Embedding(9, FEATURES, mask_zero=True)(tokens)
    outputs, *states = make("lstm", return_state=True)(features)
    assert outputs._keras_mask is not None
    assert all(getattr(state, "_keras_mask", None) is None for state in states)


@pytest.mark.parametrize("name", ["lstm", "lstm, by keras", "keras_gru"])
def test_recurrent_with_resets_and_states_in_a_functional_model_survives_saving(name, tmp_path):
    layer = make(name, return_state=True)
    features, resets = keras.Input((None, FEATURES)), keras.Input((None,), dtype="bool")
    states = [keras.Input((UNITS,)) for _ in layer.state_sizes]
    model = keras.Model([features, resets, *states], layer(features, resets=resets, states=states))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    inputs = [draw(0, 2, 4, FEATURES), np.eye(2, 4, 1, dtype=bool), *(draw(1, 2, UNITS) for _ in states)]
    found, expected = again(inputs), layer(inputs[0], resets=inputs[1], states=inputs[2:])
    assert_close(found, expected)
    assert_close(model(inputs), expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_sequences": False, "return_state": True, "reverse": True, "initial_state": "learned"},
        {"carried_rows": 3, "initial_state": "learned", "return_state": True},
        {"kernel": "keras"},
    ],
)
@pytest.mark.parametrize("name", ALL_CELLS)
def test_recurrent_survives_its_config(name, options):
    layer = Recurrent(ALL_CELLS[name](UNITS), name="before", **options)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    defaults = {
        "return_sequences": True,
        "return_state": False,
        "reverse": False,
        "initial_state": "zeros",
        "carried_rows": None,
        "kernel": "auto",
        "name": "before",
    }
    assert {key: getattr(again, key) for key in defaults} == {**defaults, **options}
    assert type(again.cell) is ALL_CELLS[name]
    assert again.cell.units == UNITS
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("initial_state", ["random", "", None])
def test_recurrent_refuses_an_unknown_initial_state(initial_state):
    with pytest.raises(ValueError, match=r"initial_state: got .*; expected one of learned, zeros"):
        Recurrent(LSTMCell(UNITS), initial_state=initial_state)


@pytest.mark.parametrize(("carried_rows", "reverse"), [(0, False), (-1, False), (2, True)])
def test_recurrent_refuses_to_carry_no_rows_or_to_carry_backwards(carried_rows, reverse):
    with pytest.raises(ValueError, match=f"carried_rows: got {carried_rows}, reverse={reverse}; expected at least 1"):
        Recurrent(LSTMCell(UNITS), carried_rows=carried_rows, reverse=reverse)


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_weights_have_names_of_their_own(name):
    paths = [weight.path for weight in make(name, carried_rows=2).weights]
    assert len(set(paths)) == len(paths)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
@pytest.mark.parametrize("name", CELLS)
def test_recurrent_computes_in_the_type_it_is_given(name, dtype):
    layer = Recurrent(
        CELLS[name](UNITS, dtype=dtype), dtype=dtype, initial_state="learned", carried_rows=2, return_state=True
    )
    plain = make(name, carried_rows=2, return_state=True)
    layer.build((None, None, FEATURES))
    layer.set_weights(plain.get_weights())
    inputs = draw(0, 2, 4, FEATURES)
    resets = np.array([[1, 0, 0, 1], [0, 1, 0, 0]], bool)
    found = layer(inputs, resets=resets)
    assert {value.dtype.name for value in found} == {dtype.removeprefix("mixed_")}
    found = [tf.cast(value, tf.float32) for value in found]
    assert_close(found, plain(inputs, resets=resets), CLOSE if dtype == "float64" else 0.1)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernel", ["keras", "native"])
@pytest.mark.parametrize("given", ["resets", "initial_state", "ends"])
def test_recurrent_takes_the_mask_of_its_inputs_also_where_it_is_given_other_tensors(given, kernel):
    # Keras hands a mask on as `mask` only where nothing else is given.
    tokens = keras.Input((None,), dtype="int32")
    other = keras.Input((4,)) if given == "initial_state" else keras.Input((None,), dtype="bool")
    embedded = keras.layers.Embedding(9, 3, mask_zero=True)(tokens)
    options = {"reverse": given == "ends", "return_sequences": False, "return_state": True, "kernel": kernel}
    keras.utils.set_random_seed(0)
    layer = Recurrent(keras.layers.GRUCell(4, bias_initializer="ones"), **options)
    model = keras.Model([tokens, other], layer(embedded, **{given: other}))
    rows = np.array([[0, 0, 3, 4, 5], [3, 4, 5, 0, 0]])
    states = np.ones((1, 4), np.float32)
    flags = np.array([[0, 0, 1]] if given == "ends" else [[1, 0, 0]], bool)
    expected = model([rows[:1, 2:], states if given == "initial_state" else flags])
    for row, before in zip(rows, (2, 0), strict=True):
        flagged = np.pad(flags, [(0, 0), (before, 2 - before)])
        found = model([row[np.newaxis], states if given == "initial_state" else flagged])
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other)


def test_recurrent_runs_a_cell_whose_dropout_is_its_own():
    class Plain(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.state_size, self.dropout, self.recurrent_dropout = 3, 0.5, 0.5

        def call(self, inputs, states):
            state = 0.5 * states[0] + inputs
            return state, [state]

    steps = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    found = Recurrent(Plain(), initial_state="zeros")(steps, training=True)
    expected = keras.layers.RNN(Plain(), return_sequences=True)(steps)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
