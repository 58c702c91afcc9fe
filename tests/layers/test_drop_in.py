# The layers of Keras under their own names: the same arguments, weights, files and results, and no padding computed.
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

import lengthwise as lw
from lengthwise.errors import KernelError

UNITS, FEATURES = 4, 3
PAIRS = {"GRU": keras.layers.GRU, "LSTM": keras.layers.LSTM, "SimpleRNN": keras.layers.SimpleRNN}
KERNELS = [pytest.param("native", marks=pytest.mark.native), "keras"]


def draw(seed, *shape):
    return np.random.default_rng([seed, 6]).normal(0, 1, shape).astype(np.float32)


def make_pair(name, kernel="native", features=FEATURES, **options):
    # Ours and the stock layer with the same weights.
    ours, stock = getattr(lw, name)(UNITS, kernel=kernel, **options), PAIRS[name](UNITS, **options)
    # Unrolled and backwards, Keras sets the outputs of other steps to zero than rolled.
    stock.unroll = False
    assert ours.native == (kernel == "native")
    for layer in (ours, stock):
        layer.build((3, None, features))
    stock.set_weights([draw(number, *weight.shape) * 0.6 for number, weight in enumerate(stock.weights)])
    ours.set_weights(stock.get_weights())
    return ours, stock


def results(layer, inputs, by, **call):
    # All that a layer returns, and the gradients by its weights, its inputs and the states given to it.
    inputs = tf.convert_to_tensor(inputs)
    states = [tf.convert_to_tensor(state) for state in call.pop("initial_state", None) or []]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *states])
        made = layer(inputs, initial_state=states or None, **call)
        made = list(made) if isinstance(made, tuple) else [made]
        loss = sum(tf.reduce_sum(values * factor) for values, factor in zip(made, by, strict=False))
    sources = [inputs, *states, *(variable.value for variable in layer.trainable_variables)]
    return [*made, *tape.gradient(loss, sources, unconnected_gradients="zero")]


def assert_same(found, expected):
    assert_close(list(found), list(expected), terms=1.0)


OPTIONS = st.fixed_dictionaries(
    {
        "return_sequences": st.booleans(),
        "return_state": st.booleans(),
        "go_backwards": st.booleans(),
        "use_bias": st.booleans(),
        "zero_output_for_mask": st.booleans(),
        "unroll": st.sampled_from([False, False, True]),
        "dropout": st.sampled_from([0.0, 0.4]),
        "seed": st.integers(1, 5),
    }
)


@pytest.mark.native
@settings(deadline=None)
@given(
    st.sampled_from(sorted(PAIRS)), OPTIONS, st.integers(1, 4), st.integers(1, 7), st.booleans(), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_drop_in_equals_the_stock_layer(name, options, rows, width, masked, given_states, training):
    pair = make_pair(name, **options)
    rng = np.random.default_rng(options["seed"])
    count = 2 if name == "LSTM" else 1
    call = {
        # Any mask: padding before, behind and between, and rows of padding alone.
        "mask": rng.random((rows, width)) < 0.7 if masked else None,
        "initial_state": [draw(20 + number, rows, UNITS) for number in range(count)] if given_states else None,
        "training": training,
    }
    shape = (rows, width, UNITS) if options["return_sequences"] else (rows, UNITS)
    by = [draw(1, *shape), *(draw(2 + number, rows, UNITS) for number in range(count))]
    assert_same(*(results(layer, draw(0, rows, width, FEATURES), by, **call) for layer in pair))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", PAIRS)
def test_drop_in_has_no_use_for_what_stands_in_the_padding(name, kernel):
    ours, stock = make_pair(name, kernel, return_sequences=True, return_state=True)
    mask = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], bool)
    clean = draw(0, 3, 4, FEATURES)
    dirty = np.where(mask[..., np.newaxis], clean, np.float32(np.nan))
    by = [draw(1, 3, 4, UNITS), draw(2, 3, UNITS), draw(3, 3, UNITS)]
    found, expected = results(ours, dirty, by, mask=mask), results(stock, np.nan_to_num(dirty), by, mask=mask)
    assert all(np.all(np.isfinite(values)) for values in found)
    assert_same(found, expected)


@pytest.mark.native
@pytest.mark.parametrize("name", PAIRS)
def test_drop_in_computes_no_padded_step(name):
    # The flat steps that the kernel is given are those of the mask: one in four here.
    ours, _ = make_pair(name, return_sequences=True)

    @tf.function
    def run(inputs, mask):
        return ours(inputs, mask=mask)

    graph = run.get_concrete_function(tf.TensorSpec((2, 8, FEATURES)), tf.TensorSpec((2, 8), tf.bool)).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("LengthwiseRaggedRecurrent") == 1
    assert not {"While", "StatelessWhile", "MatMul"} & set(kinds)
    (kernel,) = (operation for operation in graph.get_operations() if operation.type == "LengthwiseRaggedRecurrent")
    assert kernel.inputs[1].op.type == "LengthwiseRaggedLayout"


@pytest.mark.parametrize("name", PAIRS)
def test_drop_in_has_the_arguments_of_the_stock_layer(name):
    stock = dict(inspect.signature(PAIRS[name]).parameters)
    ours = dict(inspect.signature(getattr(lw, name)).parameters)
    assert ours.pop("kernel").default == "auto"
    assert {key: value.default for key, value in ours.items()} == {key: value.default for key, value in stock.items()}
    assert list(ours) == list(stock)
    with pytest.raises((TypeError, ValueError), match="time_major"):
        getattr(lw, name)(UNITS, time_major=True)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", PAIRS)
def test_drop_in_and_stock_layer_read_each_others_configurations_and_files(name, tmp_path):
    tokens = np.array([[1, 2, 3, 0], [4, 0, 0, 0]])

    def model(kind):
        layers = [
            keras.layers.Embedding(9, FEATURES, mask_zero=True),
            keras.layers.Bidirectional(kind(UNITS, return_sequences=True)),
            kind(UNITS),
        ]
        made = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
        made.set_weights([draw(number, *weight.shape) for number, weight in enumerate(made.weights)])
        return made

    ours, stock = model(getattr(lw, name)), model(PAIRS[name])
    expected = stock(tokens)
    for path, one, other in (("a", ours, stock), ("b", stock, ours)):
        one.save_weights(tmp_path / f"{path}.weights.h5")
        other.set_weights([np.zeros(weight.shape) for weight in other.weights])
        other.load_weights(tmp_path / f"{path}.weights.h5")
        assert_same([other(tokens)], [expected])
    assert type(PAIRS[name].from_config(ours.layers[-1].get_config())) is PAIRS[name]
    assert type(getattr(lw, name).from_config(stock.layers[-1].get_config())) is getattr(lw, name)
    ours.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.layers[-1]) is getattr(lw, name)
    assert_same([again(tokens)], [expected])


@pytest.mark.native
def test_drop_in_of_a_stack_of_cells_equals_the_stock_layer():
    def cells():
        kinds = (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)
        return [kind(UNITS + number, dropout=0.3, seed=number) for number, kind in enumerate(kinds)]

    mask = np.array([[1, 1, 1, 0], [1, 0, 1, 1], [0, 0, 0, 0]], bool)
    for return_sequences in (False, True):
        ours, stock = (
            kind(cells(), return_sequences=return_sequences, return_state=True, **options)
            for kind, options in ((lw.RNN, {"kernel": "native"}), (keras.layers.RNN, {}))
        )
        for layer in (ours, stock):
            layer.build((3, None, FEATURES))
            layer.set_weights([draw(number, *weight.shape) for number, weight in enumerate(layer.weights)])
        for training in (False, True):
            made = [
                keras.tree.flatten(layer(draw(9, 3, 4, FEATURES), mask=mask, training=training))
                for layer in (ours, stock)
            ]
            assert len(made[0]) == 5
            assert_same(*made)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"recurrent_dropout": 0.1}, "recurrent dropout"),
        ({"activation": "relu"}, "an activation of its own"),
        ({"recurrent_activation": "hard_sigmoid"}, "recurrent activation"),
        ({"reset_after": False}, "reset_after=False"),
        ({"dtype": "mixed_bfloat16"}, "in bfloat16"),
    ],
)
def test_drop_in_goes_on_with_keras_where_the_kernel_does_not_compute_what_is_asked_for(options, why):
    ours = lw.GRU(UNITS, **options)
    assert not ours.native
    with pytest.raises(KernelError, match=why):
        lw.GRU(UNITS, kernel="native", **options)
    stock = keras.layers.GRU(UNITS, **options)
    inputs, mask = draw(0, 2, 4, FEATURES), np.array([[1, 1, 0, 0], [1, 1, 1, 1]], bool)
    stock(inputs)
    ours.build((2, 4, FEATURES))
    ours.set_weights(stock.get_weights())
    assert_close(ours(inputs, mask=mask), stock(inputs, mask=mask), 0)


def test_drop_in_says_why_it_cannot_do_what_the_stock_layer_cannot():
    with pytest.raises(ValueError, match="use_cudnn=True was specified"):
        lw.GRU(UNITS, use_cudnn=True)(draw(0, 2, 4, FEATURES))
    with pytest.raises(ValueError, match="kernel: got 'cuda'; expected one of auto, keras, native"):
        lw.GRU(UNITS, kernel="cuda")
    with pytest.raises(ValueError, match="Cannot unroll a RNN if the time dimension is undefined"):
        tf.function(lw.GRU(UNITS, unroll=True), input_signature=[tf.TensorSpec((2, None, FEATURES))])(draw(0, 2, 4, 3))


@pytest.mark.native
def test_drop_in_kernel_may_be_changed_after_training():
    ours, stock = make_pair("LSTM", return_sequences=True)
    ours.kernel = "keras"
    assert not ours.native
    inputs = draw(0, 2, 4, FEATURES)
    assert_close(ours(inputs), stock(inputs), 0)
    assert lw.LSTM.from_config(ours.get_config()).kernel == "keras"
