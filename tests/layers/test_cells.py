import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.layers.cell import Cell
from lengthwise.layers.cells import CELLS
from lengthwise.layers.recurrent import Recurrent

UNITS, FEATURES, ROWS, STEPS = 4, 3, 2, 6
ACTIVATIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0.0)}
STOCK = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "simple": keras.layers.SimpleRNN}
FORGETTING = [name for name in CELLS if name.endswith("lstm")]


def randomized(layer, seed=0):
    rng = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(0, 0.7, variable.shape).astype(np.float32))
    return layer


def make_cell(name, seed=0, activation="tanh"):
    cell = CELLS[name](UNITS, activation)
    cell.build((None, FEATURES))
    return randomized(cell, seed)


def draw(seed, *shape):
    return np.random.default_rng([seed, 1]).normal(0, 1, shape).astype(np.float32)


def array(variable):
    return variable.numpy().astype(np.float64)


def blocks(cell, gates):
    # Of a GRU the second row of the bias goes with the state.
    bias = array(cell.bias).reshape(-1, gates * UNITS)
    kernels = (array(weight) for weight in (cell.kernel, cell.recurrent_kernel))
    return [np.split(values, gates, axis=-1) for values in (*kernels, *bias)]


def sigma(x):
    return 1 / (1 + np.exp(-x))


def normalized(x, layer):
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-3)
    return centred / deviation * array(layer.gamma) + array(layer.beta)


def simple(cell, f, x, h):
    return [f(x @ array(cell.kernel) + h @ array(cell.recurrent_kernel) + array(cell.bias))]


def layer_norm_simple(cell, f, x, h):
    total = x @ array(cell.kernel) + h @ array(cell.recurrent_kernel) + array(cell.bias)
    return [f(normalized(total, cell.normalization))]


def lstm(cell, f, x, h, c):
    w, r, b = blocks(cell, 4)
    i, forget, g, o = (x @ w[k] + h @ r[k] + b[k] for k in range(4))
    c = sigma(forget) * c + sigma(i) * f(g)
    return [sigma(o) * f(c), c]


def peephole_lstm(cell, f, x, h, c):
    w, r, b = blocks(cell, 4)
    i, forget, g, o = (x @ w[k] + h @ r[k] + b[k] for k in range(4))
    p_i, p_f, p_o = array(cell.peepholes)
    c = sigma(forget + p_f * c) * c + sigma(i + p_i * c) * f(g)
    return [sigma(o + p_o * c) * f(c), c]


def layer_norm_lstm(cell, f, x, h, c):
    from_input = normalized(x @ array(cell.kernel), cell.input_normalization)
    from_state = normalized(h @ array(cell.recurrent_kernel), cell.state_normalization)
    i, forget, g, o = np.split(from_input + from_state + array(cell.bias), 4, axis=-1)
    c = sigma(forget) * c + sigma(i) * f(g)
    return [sigma(o) * f(normalized(c, cell.memory_normalization)), c]


def gru(cell, f, x, h):
    w, r, b, d = blocks(cell, 3)
    z = sigma(x @ w[0] + b[0] + h @ r[0] + d[0])
    reset = sigma(x @ w[1] + b[1] + h @ r[1] + d[1])
    g = f(x @ w[2] + b[2] + reset * (h @ r[2] + d[2]))
    return [z * h + (1 - z) * g]


def layer_norm_gru(cell, f, x, h):
    w, r, b, d = blocks(cell, 3)
    from_input = np.split(normalized(x @ np.hstack(w[:2]), cell.input_normalizations[0]), 2, axis=-1)
    from_state = np.split(normalized(h @ np.hstack(r[:2]), cell.state_normalizations[0]), 2, axis=-1)
    z, reset = (sigma(from_input[k] + b[k] + from_state[k] + d[k]) for k in range(2))
    candidate = normalized(h @ r[2], cell.state_normalizations[1]) + d[2]
    g = f(normalized(x @ w[2], cell.input_normalizations[1]) + b[2] + reset * candidate)
    return [z * h + (1 - z) * g]


REFERENCES = {
    "gru": gru,
    "layer_norm_gru": layer_norm_gru,
    "layer_norm_lstm": layer_norm_lstm,
    "layer_norm_simple": layer_norm_simple,
    "lstm": lstm,
    "peephole_lstm": peephole_lstm,
    "simple": simple,
}


def run(layer, weights, inputs, states, factors):
    inputs = tf.constant(inputs)
    watched = [weight.value for weight in weights]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *watched])
        outputs, *last = layer(inputs, initial_state=[tf.constant(state) for state in states])
        loss = tf.reduce_sum(outputs * factors) + sum(tf.reduce_sum(state) for state in last)
    gradients = tape.gradient(loss, [inputs, *watched])
    return [outputs.numpy(), *(state.numpy() for state in last)], [gradient.numpy() for gradient in gradients]


def in_functional(layer):
    inputs = keras.Input((None, FEATURES))
    keras.Model(inputs, layer(inputs))


def in_subclass(layer):
    class Holder(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def call(self, inputs):
            return self.layer(inputs)

    Holder()(np.zeros((1, 2, FEATURES), np.float32))


def in_fit(layer):
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(np.zeros((2, 2, FEATURES)), np.zeros((2, 2, 1)), verbose=0)


def in_graph(layer):
    tf.function(layer)(tf.zeros((1, 2, FEATURES)))


def directly(layer):
    layer(tf.zeros((1, 2, FEATURES)))


PLACES = {f.__name__: f for f in (directly, in_functional, in_subclass, in_fit, in_graph)}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CELLS)
def test_cell_does_what_its_equations_say(name, activation, seed):
    cell = make_cell(name, seed, activation)
    inputs = draw(seed, STEPS, ROWS, FEATURES)
    found = [draw(seed + number, ROWS, UNITS) for number in range(len(cell.state_size))]
    expected = [state.astype(np.float64) for state in found]
    for here in inputs:
        output, found = cell(here, found)
        expected = REFERENCES[name](cell, ACTIVATIONS[activation], here.astype(np.float64), *expected)
        assert len(found) == len(expected)
        assert_close(output, expected[0])
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other)


def test_cells_all_have_a_reference():
    assert set(REFERENCES) == set(CELLS)


@pytest.mark.parametrize("name", CELLS)
def test_cell_projects_all_steps_at_once_as_one_by_one(name):
    cell = make_cell(name)
    inputs = draw(0, STEPS, ROWS, FEATURES)
    together = cell.project(inputs)
    assert together.shape == (STEPS, ROWS, cell.gates * UNITS)
    for number, here in enumerate(inputs):
        assert_close(together[number], cell.project(here))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", STOCK)
@pytest.mark.parametrize("seed", range(2))
def test_cell_equals_the_stock_layer_of_the_same_weights_in_outputs_and_gradients(name, seed):
    cell = make_cell(name, seed)
    stock = STOCK[name](UNITS, return_sequences=True, return_state=True)
    stock.build((None, None, FEATURES))
    stock.set_weights(cell.get_weights())
    inputs, factors = draw(seed, ROWS, STEPS, FEATURES), draw(seed + 1, ROWS, STEPS, UNITS)
    states = [draw(seed + number, ROWS, UNITS) for number in range(len(cell.state_size))]
    mine = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    found, found_gradients = run(mine, cell.trainable_variables, inputs, states, factors)
    expected, expected_gradients = run(stock, stock.trainable_variables, inputs, states, factors)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)
    for one, other in zip(found_gradients, expected_gradients, strict=True):
        assert np.abs(other).max() > 1e-3
        assert_close(one, other)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("masked", [False, True])
def test_cell_in_the_stock_layer_equals_recurrent(name, masked):
    cell = make_cell(name)
    inputs = draw(3, ROWS, STEPS, FEATURES)
    mask = np.array([[1, 1, 0, 1, 1, 0], [0, 1, 1, 1, 1, 1]], bool) if masked else None
    expected = keras.layers.RNN(cell, return_sequences=True, return_state=True)(inputs, mask=mask)
    found = Recurrent(cell, return_state=True)(inputs, mask=mask)
    assert len(found) == len(expected) == 1 + len(cell.state_size)
    valid = np.ones((ROWS, STEPS), bool) if mask is None else mask
    assert_close(found[0].numpy()[valid], expected[0].numpy()[valid])
    for one, other in zip(found[1:], expected[1:], strict=True):
        assert_close(one, other)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FORGETTING)
def test_lstm_cell_forgets_little_at_first_wherever_it_is_built(name, place):
    layer = Recurrent(CELLS[name](UNITS))
    PLACES[place](layer)
    np.testing.assert_array_equal(layer.cell.bias, np.repeat([0.0, 1.0, 0.0, 0.0], UNITS))


@pytest.mark.parametrize("name", sorted(set(CELLS) - set(FORGETTING)))
def test_cell_without_a_forget_gate_has_no_bias_at_first(name):
    cell = CELLS[name](UNITS)
    cell.build((None, FEATURES))
    assert not np.any(cell.bias)


@pytest.mark.parametrize("name", CELLS)
def test_cell_begins_with_orthogonal_recurrent_weights_and_other_kernels(name):
    cell = CELLS[name](UNITS)
    cell.build((None, FEATURES))
    recurrent = array(cell.recurrent_kernel)
    assert_close(recurrent @ recurrent.T, np.eye(UNITS))
    assert cell.kernel.shape == (FEATURES, cell.gates * UNITS)
    assert np.all(array(cell.kernel) != 0)


@pytest.mark.parametrize("name", CELLS)
def test_cell_weights_have_names_of_their_own(name):
    cell = make_cell(name)
    paths = [weight.path for weight in cell.trainable_variables]
    assert len(set(paths)) == len(paths)
    assert not cell.non_trainable_variables


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", CELLS)
def test_cell_weights_all_change_the_result(name):
    cell = make_cell(name)
    inputs = tf.constant(draw(5, ROWS, STEPS, FEATURES))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(keras.layers.RNN(cell)(inputs) * draw(6, ROWS, UNITS))
    for gradient, weight in zip(tape.gradient(loss, cell.trainable_variables), cell.trainable_variables, strict=True):
        assert gradient is not None, weight.path
        assert np.abs(gradient).max() > 1e-6, weight.path


@pytest.mark.parametrize("name", CELLS)
def test_cell_says_how_wide_its_states_and_its_output_are(name):
    cell = make_cell(name)
    sizes = [UNITS] * (2 if name in FORGETTING else 1)
    assert cell.state_size == sizes
    assert cell.output_size == UNITS
    states = cell.get_initial_state(batch_size=3)
    assert [tuple(state.shape) for state in states] == [(3, size) for size in sizes]
    assert not any(np.any(state) for state in states)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "linear"])
@pytest.mark.parametrize("name", CELLS)
def test_cell_survives_its_config(name, activation):
    cell = CELLS[name](UNITS, activation, name="before")
    for again in (
        type(cell).from_config(cell.get_config()),
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell)),
    ):
        assert type(again) is CELLS[name]
        assert (again.units, again.name) == (UNITS, "before")
        assert again.activation is keras.activations.get(activation)
        assert again.get_config() == cell.get_config()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("initial_state", ["learned", "zeros"])
@pytest.mark.parametrize("name", CELLS)
def test_cell_in_a_functional_model_survives_saving(name, initial_state, tmp_path):
    inputs = keras.Input((None, FEATURES))
    layer = Recurrent(CELLS[name](UNITS, "relu"), return_state=True, initial_state=initial_state)
    model = randomized(keras.Model(inputs, layer(inputs)), seed=7)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.layers[1].cell) is CELLS[name]
    rows = draw(8, ROWS, STEPS, FEATURES)
    for one, other in zip(again(rows), model(rows), strict=True):
        assert np.any(other)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("units", [0, -1])
@pytest.mark.parametrize("name", CELLS)
def test_cell_refuses_to_have_no_units(name, units):
    with pytest.raises(ValueError, match=f"units: got {units}; expected at least 1"):
        CELLS[name](units)


def test_cell_without_a_step_of_its_own_does_nothing():
    cell = Cell(UNITS)
    cell.build((None, FEATURES))
    with pytest.raises(NotImplementedError):
        cell.step(cell.project(draw(0, ROWS, FEATURES)), cell.get_initial_state(ROWS))


@pytest.mark.parametrize("name", CELLS)
def test_cell_activation_is_tanh_by_default(name):
    assert CELLS[name](UNITS).activation is keras.activations.tanh


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", CELLS)
def test_cell_activation_changes_the_result(name):
    inputs = draw(9, ROWS, STEPS, FEATURES)
    tanh, relu = (keras.layers.RNN(make_cell(name, activation=activation))(inputs) for activation in ACTIVATIONS)
    assert np.abs(tanh - relu).max() > 1e-2


# What the recurrent weights of a feature sum up to, so that a step makes a large state 1.3 times as large: the memory
# of an LSTM stays too, and a GRU keeps half of its state.
GROWTH = {"gru": 1.6, "lstm": 0.3, "peephole_lstm": 0.3, "simple": 1.3}


def outputs_and_gradient_of_first_step(cell, growth, steps=200):
    cell.build((None, FEATURES))
    closed = UNITS if cell.gates == 3 else 0
    for weight, value in ((cell.kernel, 0.5), (cell.recurrent_kernel, growth / UNITS)):
        values = np.full(weight.shape, value, np.float32)
        values[:, :closed] = 0
        weight.assign(values)
    if hasattr(cell, "peepholes"):
        cell.peepholes.assign(np.full(cell.peepholes.shape, 0.1))
    layer = Recurrent(cell)

    @tf.function
    def measure(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
            loss = tf.reduce_sum(outputs[:, -1])
        return outputs, tape.gradient(loss, inputs)[:, 0]

    outputs, gradient = measure(tf.ones((1, steps, FEATURES)))
    return np.abs(outputs), np.abs(gradient)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
@pytest.mark.parametrize("name", GROWTH)
def test_cell_explodes_unless_its_activation_saturates(name, activation):
    outputs, gradient = outputs_and_gradient_of_first_step(CELLS[name](UNITS, activation), GROWTH[name])
    if activation == "tanh":
        assert outputs.max() <= 1
        assert gradient.max() < 1
    else:
        assert outputs[:, -1].min() > 1e15
        assert gradient.min() > 1e15


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", [name for name in CELLS if name.startswith("layer_norm")])
def test_cell_with_layer_normalization_does_not_explode(name):
    cell = CELLS[name](UNITS, "relu")
    cell.build((None, FEATURES))
    cell.recurrent_kernel.assign(10 * cell.recurrent_kernel)
    outputs = tf.function(Recurrent(cell))(draw(4, 1, 200, FEATURES))
    assert np.abs(outputs).max() <= 2 * np.sqrt(UNITS)
