# What Keras asks of a layer, of each of ours: shapes, wrappers, states, configurations, files, dtypes, derivatives.
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

import lengthwise as lw
from lengthwise.layers.cells import CELLS

UNITS, FEATURES, ROWS, WIDTH = 4, 3, 3, 5
STOCK_CELLS = {
    "gru": keras.layers.GRUCell,
    "lstm": keras.layers.LSTMCell,
    "simple": keras.layers.SimpleRNNCell,
}
STOCK = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "simple": keras.layers.SimpleRNN}
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
NATIVE = pytest.mark.native


def draw(seed, *shape):
    return np.random.default_rng([seed, 9]).normal(0, 1, shape).astype(np.float32)


def randomized(layer, seed=0):
    for number, variable in enumerate(layer.trainable_variables):
        variable.assign(draw([seed, number], *variable.shape) * 0.6)
    return layer


def recurrent(name, **options):
    # One of our layers by its name: `lstm`, `keras lstm` (a stock cell), or `LSTM` (the drop-in layer).
    kind, _, cell = name.rpartition(" ")
    if kind:
        return lw.Recurrent(STOCK_CELLS[cell](UNITS, dtype=options.get("dtype")), **options)
    if name in CELLS:
        return lw.Recurrent(CELLS[name](UNITS, dtype=options.get("dtype")), **options)
    return getattr(lw, name)(UNITS, **{"return_sequences": True, **options})


BOTH = ["gru", "lstm", "simple", "keras gru", "keras lstm", "GRU", "LSTM", "SimpleRNN"]
BY_KERAS = [*BOTH, *sorted(set(CELLS) - set(BOTH))]
EVERY = [*((name, "native") for name in BOTH), *((name, "keras") for name in BY_KERAS)]
# One of each kind: of ours, of Keras's cells, drop-in layers, what the native kernel computes and what it does not.
FEW = [
    ("lstm", "native"),
    ("keras gru", "native"),
    ("GRU", "native"),
    ("gru", "keras"),
    ("layer_norm_lstm", "keras"),
    ("LSTM", "keras"),
]


def layers_of(chosen):
    cases = []
    for name, kernel in EVERY:
        marks = ([NATIVE] if kernel == "native" else []) + ([] if (name, kernel) in chosen else [pytest.mark.long])
        cases.append(pytest.param(name, kernel, marks=marks))
    return pytest.mark.parametrize(("name", "kernel"), cases)


every_layer, few_layers = layers_of(EVERY), layers_of(FEW)


def arrays(values):
    return [np.asarray(value) for value in keras.tree.flatten(values)]


def shapes(values):
    return [tuple(value.shape) for value in keras.tree.flatten(values)]


@pytest.mark.sampled(3)
@few_layers
def test_layer_says_the_shapes_of_what_it_returns(name, kernel):
    for return_sequences in (False, True):
        for return_state in (False, True):
            layer = recurrent(name, kernel=kernel, return_sequences=return_sequences, return_state=return_state)
            found = layer.compute_output_shape((ROWS, WIDTH, FEATURES))
            found = [found] if isinstance(found[0], int) else list(found)
            assert [tuple(shape) for shape in found] == shapes(layer(draw(0, ROWS, WIDTH, FEATURES)))
            symbolic = layer(keras.Input((None, FEATURES)))
            expected = (None, None, UNITS) if return_sequences else (None, UNITS)
            assert shapes(symbolic)[0] == expected


@pytest.mark.sampled(3)
@few_layers
def test_layer_within_time_distributed_equals_each_inner_sequence_alone(name, kernel):
    layer = recurrent(name, kernel=kernel, return_sequences=False)
    inputs = keras.Input((None, WIDTH, FEATURES))
    model = randomized(keras.Model(inputs, keras.layers.TimeDistributed(layer)(inputs)))
    documents = draw(1, 2, 3, WIDTH, FEATURES)
    expected = np.stack([layer(document) for document in documents])
    assert_close(model(documents), expected)


@pytest.mark.sampled(2)
@few_layers
@pytest.mark.parametrize("merge_mode", ["concat", None])
def test_layer_within_bidirectional_equals_two_layers_by_hand(name, kernel, merge_mode):
    both = keras.layers.Bidirectional(recurrent(name, kernel=kernel), merge_mode=merge_mode)
    inputs = draw(2, ROWS, WIDTH, FEATURES)
    both.build(inputs.shape)
    randomized(both)
    backward = recurrent(name, kernel="keras")
    backward.build(inputs.shape)
    backward.set_weights(both.backward_layer.get_weights())
    expected = [both.forward_layer(inputs, mask=MASK), backward(inputs[:, ::-1], mask=MASK[:, ::-1])[:, ::-1]]
    found = both(inputs, mask=MASK)
    if merge_mode:
        expected = np.concatenate(expected, axis=-1)
    counts = MASK[..., np.newaxis]
    for one, other in zip(*(values if not merge_mode else [values] for values in (found, expected)), strict=True):
        assert_close(one * counts, other * counts)


@pytest.mark.sampled(3)
@few_layers
def test_layer_goes_on_from_the_states_it_is_given_under_the_name_of_keras(name, kernel):
    layer = recurrent(name, kernel=kernel, return_state=True)
    inputs = draw(3, ROWS, WIDTH, FEATURES)
    layer.build(inputs.shape)
    randomized(layer)
    whole, *last = layer(inputs)
    _, *between = layer(inputs[:, :2])
    rest, *after = layer(inputs[:, 2:], initial_state=between)
    assert_close(rest, whole[:, 2:])
    assert_close(after, last)
    # As in a functional model, of an encoder and a decoder.
    given_states = [keras.Input((UNITS,)) for _ in between]
    steps = keras.Input((None, FEATURES))
    model = keras.Model([steps, *given_states], layer(steps, initial_state=given_states))
    assert_close(model([tf.constant(inputs[:, 2:]), *between])[0], whole[:, 2:])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["layer_norm_gru", "peephole_lstm", "simple"])
def test_layer_is_made_of_one_configuration_again_and_again(name):
    options = {
        "use_bias": False,
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "kernel_initializer": keras.initializers.HeNormal(seed=3),
        "recurrent_regularizer": keras.regularizers.L2(0.1),
        "bias_constraint": "non_neg",
        "seed": 5,
    }
    layer = lw.Recurrent(CELLS[name](UNITS, **options), go_backwards=True, zero_output_for_mask=True)
    config = layer.get_config()
    before = repr(config)
    made = [lw.Recurrent.from_config(config) for _ in range(2)]
    assert repr(config) == before
    inputs = draw(4, ROWS, WIDTH, FEATURES)
    for again in made:
        assert repr(again.get_config()) == before
        # The same seed of the initializer; recurrent kernels have none.
        assert_close(again(inputs).shape, layer(inputs).shape)
        np.testing.assert_array_equal(again.cell.kernel, layer.cell.kernel)
        # Of a peephole cell, a penalty on those weights too.
        assert len(again.losses) == len(layer.losses) >= 1
    copy = keras.models.clone_model(keras.Sequential([keras.Input((None, FEATURES)), layer]))
    assert repr(copy.layers[0].get_config()) == repr(layer.get_config())


CELL_OPTIONS = st.fixed_dictionaries(
    {
        "activation": st.sampled_from(["tanh", "relu"]),
        "use_bias": st.booleans(),
        "dropout": st.sampled_from([0.0, 0.4]),
        "recurrent_dropout": st.sampled_from([0.0, 0.0, 0.3]),
        "seed": st.integers(1, 5),
        "kernel_regularizer": st.sampled_from([None, "l2"]),
        "recurrent_regularizer": st.sampled_from([None, "l1"]),
        "bias_regularizer": st.sampled_from([None, "l2"]),
        "kernel_constraint": st.sampled_from([None, "unit_norm"]),
        "recurrent_constraint": st.sampled_from([None, "max_norm"]),
        "bias_constraint": st.sampled_from([None, "non_neg"]),
    }
)


@settings(deadline=None)
@given(st.sampled_from(sorted(STOCK)), CELL_OPTIONS, st.sampled_from(["sigmoid", "hard_sigmoid"]), st.booleans())
def test_cell_with_any_options_equals_the_stock_layer_in_a_step_of_training(name, options, gate, training):
    # Outputs, penalties, gradients and weights after a step, and which features are dropped.
    if name != "simple":
        options = {**options, "recurrent_activation": gate}
    ours = lw.Recurrent(CELLS[name](UNITS, **options))
    stock = STOCK[name](UNITS, return_sequences=True, **options)
    inputs, factors = draw(5, ROWS, WIDTH, FEATURES), draw(6, ROWS, WIDTH, UNITS)
    for layer in (ours, stock):
        layer.build(inputs.shape)
    randomized(stock)
    ours.set_weights(stock.get_weights())
    found = []
    for layer in (ours, stock):
        with tf.GradientTape() as tape:
            outputs = layer(inputs, training=training)
            loss = tf.reduce_sum(outputs * factors) + tf.add_n([0.0, *layer.losses])
        gradients = tape.gradient(loss, [variable.value for variable in layer.trainable_variables])
        keras.optimizers.SGD(0.01).apply(gradients, layer.trainable_variables)
        found.append([outputs, loss, *gradients, *layer.get_weights()])
    assert_close(*found, terms=1.0)


@pytest.mark.parametrize("name", ["gru", "lstm", "simple"])
def test_cell_and_stock_layer_have_each_others_weights_and_arguments(name):
    ours, stock = CELLS[name](UNITS), STOCK_CELLS[name](UNITS)
    for cell in (ours, stock):
        cell.build((None, FEATURES))
    assert shapes(ours.weights) == shapes(stock.weights)
    assert [weight.name for weight in ours.weights] == [weight.name for weight in stock.weights]
    assert set(stock.get_config()) - set(ours.get_config()) <= {"reset_after"}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernel", [pytest.param("native", marks=NATIVE), "keras"])
def test_carried_states_are_not_saved_and_make_room_for_more_rows(kernel, tmp_path):
    def model(rows):
        layer = lw.Recurrent(lw.LSTMCell(UNITS), carried_rows=rows, kernel=kernel)
        return keras.Sequential([keras.Input((None, FEATURES)), layer])

    trained, other, plain = randomized(model(2)), model(7), model(None)
    trained.save_weights(tmp_path / "a.weights.h5")
    for again in (other, plain):
        again.load_weights(tmp_path / "a.weights.h5")
        again.set_weights(trained.get_weights())
        assert shapes(again.weights) == shapes(trained.weights)
    few, many = draw(0, 2, WIDTH, FEATURES), draw(1, 40, WIDTH, FEATURES)
    trained(few)
    # More rows than ever: the first two go on, the others begin; `predict` has batches of 32, then 8.
    whole = plain(np.concatenate([few, many[:2]], axis=1))[:, WIDTH:]
    found = trained.predict(many, verbose=0)
    assert_close(found[:2], whole)
    assert_close(found[2:32], plain(many[2:32]))
    expected = plain(np.concatenate([np.concatenate([few, many[:2]], axis=1), many[32:34]], axis=1))[:, 2 * WIDTH :]
    assert_close(found[32:34], expected)
    trained.layers[0].reset_state()
    assert_close(trained(few), plain(few))
    trained.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert_close(again(few), plain(few))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", BY_KERAS)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_layer_computes_in_the_dtype_of_its_policy(name, policy):
    # Native it would be, if it were in float32.
    layer, like = recurrent(name, dtype=policy), recurrent(name)
    assert not layer.native
    inputs = draw(7, ROWS, WIDTH, FEATURES)
    for one in (layer, like):
        one.build(inputs.shape)
    randomized(like)
    layer.set_weights(like.get_weights())
    outputs = layer(inputs, mask=MASK)
    assert outputs.dtype == layer.compute_dtype
    # Eight bits of mantissa, five steps.
    bound = {"mixed_bfloat16": 0.06, "mixed_float16": 0.01, "float64": 1e-5}[policy]
    assert np.abs(np.asarray(tf.cast(outputs, tf.float32)) - like(inputs, mask=MASK)).max() < bound


@pytest.mark.sampled(2)
@every_layer
def test_layer_has_no_use_for_what_stands_in_the_padding_not_even_for_its_gradients(name, kernel):
    layer = recurrent(name, kernel=kernel)
    clean = draw(8, ROWS, WIDTH, FEATURES)
    layer.build(clean.shape)
    randomized(layer)
    found = []
    for filler in (0.0, np.nan, np.inf):
        inputs = tf.constant(np.where(MASK[..., np.newaxis], clean, np.float32(filler)))
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, mask=MASK)
            loss = tf.reduce_sum(outputs * draw(9, ROWS, WIDTH, UNITS))
        found.append([outputs, *tape.gradient(loss, [inputs, *layer.trainable_variables])])
        assert all(np.all(np.isfinite(values)) for values in found[-1])
    assert_close(found[1], found[0], 0)
    assert_close(found[2], found[0], 0)


@pytest.mark.sampled(1)
@pytest.mark.native
@pytest.mark.parametrize(
    ("name", "in_graph"),
    [
        ("simple", False),
        # Each of the others takes seconds.
        *(pytest.param(name, name == "gru", marks=pytest.mark.long) for name in sorted({*CELLS} - {"simple"})),
        pytest.param("GRU", False, marks=pytest.mark.long),
    ],
)
def test_second_derivatives_of_the_native_kernel_are_those_of_keras(name, in_graph):
    # A gradient penalty, and a Hessian by the weights, over packed and masked rows.
    inputs, factors, by = draw(0, ROWS, WIDTH, FEATURES), draw(1, ROWS, WIDTH, UNITS), draw(2, ROWS, WIDTH, FEATURES)
    resets = {"resets": MASK & (draw(3, ROWS, WIDTH) > 0.5)} if name in CELLS else {}
    found = []
    for kernel in ("native", "keras"):
        layer = recurrent(name, kernel=kernel)
        layer.build(inputs.shape)
        randomized(layer)
        assert layer.native == (kernel == "native")

        def penalty(steps, layer=layer):
            weights = [variable.value for variable in layer.trainable_variables]
            with tf.GradientTape() as second:
                second.watch([steps, *weights])
                with tf.GradientTape() as first:
                    first.watch([steps, *weights])
                    # Where it is not told that it trains, the kernel keeps nothing for the way back.
                    loss = tf.reduce_sum(layer(steps, mask=MASK, training=in_graph, **resets) ** 2 * factors)
                by_steps, *by_weights = first.gradient(loss, [steps, *weights])
                total = tf.reduce_sum(by_steps * by) + tf.add_n([tf.reduce_sum(values**2) for values in by_weights])
            return second.gradient(total, [steps, *weights])

        run = tf.function(penalty) if in_graph else penalty
        found.append(run(tf.constant(inputs)))
    assert all(np.abs(values).max() > 1e-3 for values in found[0])
    assert_close(*found, terms=1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lw.Recurrent(64), "cell: got 64; expected a cell, such as GRUCell"),
        (lambda: lw.Recurrent(keras.layers.GRU(3)), "cell: got GRU, a layer; expected a cell, such as GRUCell"),
        (
            lambda: lw.Recurrent(keras.layers.StackedRNNCells([lw.GRUCell(3)])),
            "cell: got StackedRNNCells, a stack of cells; expected one cell; stack layers instead, or take RNN",
        ),
        (lambda: lw.GRUCell(3, reset_after=False), "reset_after: got False; expected True; take keras.layers.GRUCell"),
        (lambda: lw.GRUCell(3, dropout=1.0), "dropout: got 1.0; expected a share in"),
        (lambda: lw.LSTMCell(3, recurrent_dropout=-0.1), "recurrent_dropout: got -0.1; expected a share in"),
        (lambda: lw.Recurrent(lw.GRUCell(3), carried_rows=2, go_backwards=True), "carried_rows: got 2, reverse=True"),
        (lambda: lw.Recurrent(lw.GRUCell(3))(draw(0, 2, 3)), r"inputs: got the shape \(2, 3\); expected \(B, T, D\)"),
        (
            lambda: lw.Recurrent(lw.LSTMCell(3))(draw(0, 2, 4, 3), initial_state=draw(1, 2, 3)),
            r"initial_state: got 1 arrays; expected 2, of the shapes \(B, 3\), \(B, 3\)",
        ),
        (
            lambda: lw.Recurrent(lw.GRUCell(3), reverse=True)(draw(0, 2, 4, 3), resets=np.ones((2, 4), bool)),
            "resets: got them with reverse=True; expected ends",
        ),
    ],
)
def test_layer_says_in_one_line_what_it_cannot_do(make, message):
    with pytest.raises(ValueError, match=message) as refusal:
        make()
    # Keras says before and after it which layer was called, and with what.
    assert any(re.search(message, line) for line in str(refusal.value).splitlines())


@pytest.mark.parametrize("padding", ["same", "causal", "valid"])
def test_convolution_keeps_the_contract_of_layers(padding):
    layer = lw.MaskedConv1D(
        UNITS, 2, stride=2, padding=padding, use_bias=False, kernel_initializer="he_normal", kernel_regularizer="l2"
    )
    for width in (1, 2, WIDTH):
        assert tuple(layer(draw(0, ROWS, width, FEATURES)).shape) == layer.compute_output_shape((ROWS, width, FEATURES))
    assert layer.compute_output_shape((None, None, FEATURES)) == (None, None, UNITS)
    assert len(layer.weights) == len(layer.losses) == 1
    config = layer.get_config()
    assert (
        lw.MaskedConv1D.from_config(config).get_config() == config == lw.MaskedConv1D.from_config(config).get_config()
    )
    inputs = keras.Input((None, WIDTH, FEATURES))
    model = keras.Model(inputs, keras.layers.TimeDistributed(layer)(inputs))
    documents = draw(1, 2, 3, WIDTH, FEATURES)
    assert_close(model(documents), np.stack([layer(document) for document in documents]))
    half = lw.MaskedConv1D(UNITS, 2, padding=padding, dtype="mixed_float16")
    assert half(draw(0, ROWS, WIDTH, FEATURES), mask=MASK).dtype == "float16"
    with pytest.raises(ValueError, match=r"inputs: got the shape \(2, 3\); expected \(B, T, D\)"):
        lw.MaskedConv1D(2, 2)(draw(0, 2, 3))


def test_learned_initial_state_says_the_shape_of_what_it_returns():
    layer = lw.LearnedInitialState(UNITS)
    steps = keras.Input((None, FEATURES))
    model = keras.Model(steps, lw.Recurrent(lw.GRUCell(UNITS))(steps, initial_state=layer(steps)))
    inputs = draw(0, ROWS, WIDTH, FEATURES)
    assert layer.compute_output_shape(inputs.shape) == layer(inputs).shape == (ROWS, UNITS)
    layer.state.assign(draw(1, 1, UNITS))
    expected = model.layers[-1](inputs, initial_state=np.repeat(layer.state, ROWS, axis=0))
    assert_close(model(inputs), expected)
