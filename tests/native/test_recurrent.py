# The recurrent layer by both kernels: nothing that it returns may tell which one computed it.
import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import CLOSE, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.names import NATIVE_CELLS
from lengthwise.errors import KernelError
from lengthwise.layers.cells import CELLS, GRUCell
from lengthwise.layers.recurrent import Recurrent
from lengthwise.native.ops import ragged_layout

pytestmark = pytest.mark.native

FEATURES = 3


def draw(seed, *shape):
    return np.random.default_rng([seed, 4]).normal(0, 1, shape).astype(np.float32)


def make_pair(name, units=5, seed=0, features=FEATURES, **options):
    # The same weights, by the native kernel and by Keras; those of wide layers such that no gate is shut.
    pair = [
        Recurrent(CELLS[name](units), kernel=kernel, **{"return_state": True, "initial_state": "learned", **options})
        for kernel in ("native", "keras")
    ]
    for layer in pair:
        layer.build((None, None, features))
    assert [layer.native for layer in pair] == [True, False]
    rng = np.random.default_rng([seed, 5])
    for ours, theirs in zip(*(layer.weights for layer in pair), strict=True):
        wide = len(ours.shape) > 1 and ours.shape[0] > 100
        ours.assign(rng.normal(0, ours.shape[0] ** -0.5 if wide else 0.5, ours.shape))
        theirs.assign(ours)
    return pair


def assert_same(found, expected, tolerance=CLOSE):
    # What is added up is of size 1, also where it cancels out.
    assert_close(list(found), list(expected), tolerance, terms=1.0)


def results(layer, inputs, by, **call):
    # All that the layer returns, and the gradients by its weights, its inputs and the states given to it.
    inputs = tf.convert_to_tensor(inputs)
    states = [tf.convert_to_tensor(state) for state in call.pop("states", None) or []]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *states])
        made = layer(inputs, states=states or None, **call)
        loss = sum(tf.reduce_sum(values * factors[: values.shape[0]]) for values, factors in zip(made, by, strict=True))
    sources = [inputs, *states, *(variable.value for variable in layer.trainable_variables)]
    return [*made, *tape.gradient(loss, sources, unconnected_gradients="zero")]


SHAPES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NATIVE_CELLS),
        "seed": st.integers(0, 2**16),
        "rows": st.integers(1, 5),
        "width": st.integers(1, 8),
        "units": st.sampled_from([1, 5, 16, 17]),
        "reverse": st.booleans(),
        "initial_state": st.sampled_from(["learned", "zeros"]),
        "masked": st.booleans(),
        "reset": st.booleans(),
        "given_states": st.booleans(),
        "training": st.booleans(),
    }
)


@settings(deadline=None)
@given(SHAPES)
def test_recurrent_returns_the_same_by_both_kernels(shape):
    rows, width, units, seed = (shape[name] for name in ("rows", "width", "units", "seed"))
    pair = make_pair(shape["name"], units, seed, reverse=shape["reverse"], initial_state=shape["initial_state"])
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, width)) < 0.7
    resets = (rng.random((rows, width)) < 0.3) & mask
    states = [draw(seed + 1 + number, rows, units) for number in range(len(pair[0].state_sizes))]
    call = {
        "mask": mask if shape["masked"] else None,
        "ends" if shape["reverse"] else "resets": resets if shape["reset"] else None,
        "states": states if shape["given_states"] else None,
        "training": shape["training"],
    }
    by = [draw(seed, rows, width, units), *(draw(seed + 9, rows, units) for _ in states)]
    assert_same(*(results(layer, draw(seed, rows, width, FEATURES), by, **call) for layer in pair))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", NATIVE_CELLS)
def test_recurrent_resets_at_masked_steps_are_the_same_by_both_kernels(name, reverse):
    pair = make_pair(name, reverse=reverse)
    mask = np.array([[1, 1, 0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 1, 0, 1, 1], [0] * 8, [1] * 8], bool)
    resets = np.array([[0, 0, 0, 1, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0], [0] * 8], bool)
    states = [draw(number, 4, 5) for number in range(len(pair[0].state_sizes))]
    by = [draw(7, 4, 8, 5), *(draw(8, 4, 5) for _ in states)]
    for end in (6, 8):
        call = {"mask": mask[:, :end], "ends" if reverse else "resets": resets[:, :end], "states": states}
        factors = [by[0][:, :end], *by[1:]]
        assert_same(*(results(layer, draw(1, 4, end, FEATURES), factors, **call) for layer in pair))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("name", NATIVE_CELLS)
def test_recurrent_carries_the_same_from_batch_to_batch_by_both_kernels(name, return_sequences):
    pair = make_pair(name, carried_rows=3, return_sequences=return_sequences)
    rng = np.random.default_rng(3)
    for number, rows in enumerate((3, 2, 3, 1, 3)):
        mask = rng.random((rows, 5)) < 0.7
        resets = (rng.random((rows, 5)) < 0.2) & mask
        inputs = draw(number, rows, 5, FEATURES)
        assert_same(*(layer(inputs, resets=resets, mask=mask) for layer in pair))
        assert_same(*(layer.carried for layer in pair))
    for layer in pair:
        layer.reset_state()
    assert_same(*(layer.carried for layer in pair), 0)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("rows", [0, 300])
@pytest.mark.parametrize("name", NATIVE_CELLS)
def test_recurrent_of_no_rows_and_of_many_is_the_same_by_both_kernels(name, rows):
    pair = make_pair(name)
    mask = np.random.default_rng(0).random((rows, 4)) < 0.6
    by = [draw(0, rows, 4, 5), *(draw(1, rows, 5) for _ in pair[0].state_sizes)]
    assert_same(*(results(layer, draw(2, rows, 4, FEATURES), by, mask=mask) for layer in pair))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("rows", [3, 150])
@pytest.mark.parametrize("name", NATIVE_CELLS)
def test_recurrent_of_wide_layers_is_the_same_by_both_kernels(name, rows):
    # So wide that factors of products are packed: units and features that no panel, tile or vector divides, and more
    # rows than go through a step together.
    units, features = 150, 451
    pair = make_pair(name, units, features=features)
    rng = np.random.default_rng(rows)
    mask = rng.random((rows, 4)) < 0.8
    resets = (rng.random((rows, 4)) < 0.2) & mask
    by = [draw(0, rows, 4, units), *(draw(1, rows, units) for _ in pair[0].state_sizes)]
    assert_same(*(results(layer, draw(2, rows, 4, features), by, mask=mask, resets=resets) for layer in pair))


@pytest.mark.parametrize("dtype", ["int32", "bool", "float16", "float64"])
def test_recurrent_takes_the_same_types_of_features_by_both_kernels(dtype):
    features = (draw(0, 2, 4, FEATURES) > 0).astype(dtype)
    pair = make_pair("gru")
    assert_same(pair[0](features), pair[1](features))


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_recurrent_takes_masks_and_resets_of_other_types_by_both_kernels(dtype):
    mask, resets = np.array([[1, 1, 0], [0, 1, 1]], dtype), np.array([[0, 1, 0], [0, 0, 1]], dtype)
    for layer in make_pair("lstm"):
        expected = layer(draw(0, 2, 3, FEATURES), mask=mask.astype(bool), resets=resets.astype(bool))
        assert_same(layer(draw(0, 2, 3, FEATURES), mask=mask, resets=resets), expected, 0)


def test_recurrent_by_the_native_kernel_has_no_use_for_what_stands_in_the_padding():
    layer, _ = make_pair("lstm")
    mask = np.array([[1, 1, 0, 0], [0, 1, 0, 1]], bool)
    clean = draw(0, 2, 4, FEATURES)
    dirty = np.where(mask[..., np.newaxis], clean, np.float32(np.nan))
    by = [draw(1, 2, 4, 5), draw(2, 2, 5), draw(3, 2, 5)]
    found, expected = (results(layer, inputs, by, mask=mask) for inputs in (dirty, clean))
    assert_same(found, expected, 0)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernel", ["native", "keras"])
@pytest.mark.parametrize("name", NATIVE_CELLS)
def test_recurrent_in_a_functional_model_survives_saving_with_its_kernel(name, kernel, tmp_path):
    layer = Recurrent(CELLS[name](5), return_state=True, initial_state="learned", kernel=kernel)
    features, resets = keras.Input((None, FEATURES)), keras.Input((None,), dtype="bool")
    mask = keras.Input((None,), dtype="bool")
    model = keras.Model([features, resets, mask], layer(features, resets=resets, mask=mask))
    assert [tuple(output.shape) for output in model.outputs] == [(None, None, 5)] + [(None, 5)] * len(layer.state_sizes)
    for variable in model.trainable_variables:
        variable.assign(draw(1, *variable.shape))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    inputs = [draw(0, 2, 4, FEATURES), np.eye(2, 4, 1, dtype=bool), np.array([[1, 1, 1, 1], [0, 1, 1, 0]], bool)]
    assert_same(again(inputs), model(inputs), 0)
    assert_same(model.predict(inputs, verbose=0), layer(inputs[0], resets=inputs[1], mask=inputs[2]))
    (found,) = (one for one in again.layers if isinstance(one, Recurrent))
    assert (found.kernel, found.native) == (kernel, kernel == "native")


@pytest.mark.long
@pytest.mark.parametrize(
    "options", [{"initial_state": "learned"}, {"initial_state": "learned", "reverse": True}, {"carried_rows": 5}]
)
def test_recurrent_trains_the_same_in_fit_by_both_kernels(options):
    tokens, labels = np.random.default_rng(0).integers(0, 9, (12, 6)), draw(0, 12, 1)
    histories, weights = [], []
    for kernel in ("native", "keras"):
        keras.utils.set_random_seed(1)
        layer = Recurrent(GRUCell(5), return_sequences=False, kernel=kernel, **options)
        model = keras.Sequential(
            [keras.Input((None,)), keras.layers.Embedding(9, FEATURES, mask_zero=True), layer, keras.layers.Dense(1)]
        )
        model.compile(keras.optimizers.SGD(0.1), "mse")
        history = model.fit(tokens, labels, batch_size=5, epochs=2, shuffle=False, validation_split=0.2, verbose=0)
        histories.append([history.history["loss"], history.history["val_loss"]])
        weights.append(model.get_weights())
    np.testing.assert_allclose(*histories, rtol=1e-5)
    assert_same(*weights)


def test_recurrent_over_steps_laid_out_flat_begins_with_the_initial_states_without_others():
    layer, _ = make_pair("lstm")
    inputs, mask = draw(0, 3, 4, FEATURES), np.array([[1, 1, 1, 0], [0] * 4, [0, 1, 1, 1]], bool)
    layout, places = ragged_layout(mask, np.zeros((3, 4), bool))
    outputs, last = layer.over(inputs.reshape(-1, FEATURES), places.steps, layout)
    expected, *expected_last = layer(inputs, mask=mask)
    assert_same([outputs, *last], [expected.numpy().reshape(-1, 5)[places.steps.numpy()], *expected_last], 0)


@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
def test_recurrent_refuses_the_native_kernel_for_types_that_it_does_not_compute(dtype):
    cell = GRUCell(4, dtype=dtype)
    assert not Recurrent(cell, dtype=dtype).native
    with pytest.raises(KernelError, match="native kernel: got"):
        Recurrent(cell, dtype=dtype, kernel="native")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_recurrent_refuses_an_unknown_kernel(dtype):
    with pytest.raises(ValueError, match="kernel: got 'cuda'; expected one of auto, keras, native"):
        Recurrent(GRUCell(4, dtype=dtype), dtype=dtype, kernel="cuda")


def test_recurrent_of_an_activation_that_has_the_name_of_another_computes_that_activation():
    def tanh(values):
        # LeCun's.
        return 1.7159 * keras.ops.tanh(2 / 3 * values)

    layer = Recurrent(GRUCell(4, tanh))
    reference = Recurrent(layer.cell, kernel="keras")
    inputs = draw(0, 2, 3, FEATURES)
    assert_close(layer(inputs), reference(inputs))


def test_recurrent_of_a_cell_that_is_derived_from_a_native_one_computes_that_cell():
    class Halved(GRUCell):
        def step(self, projected, states, training=False):
            return [state / 2 for state in super().step(projected, states)]

    layer = Recurrent(Halved(4))
    reference = Recurrent(layer.cell, kernel="keras")
    inputs = draw(0, 2, 3, FEATURES)
    assert_close(layer(inputs), reference(inputs))


def test_recurrent_by_the_native_kernel_is_not_compiled_by_xla():
    layer, other = make_pair("gru")
    assert not layer.supports_jit
    assert other.supports_jit
