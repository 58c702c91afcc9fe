"""A trained model elsewhere: with another kernel, exported, streamed, or of Keras's own layers."""

import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

import lengthwise as lw
from lengthwise.layers.cells import CELLS

UNITS, FEATURES = 4, 3


def fed(rows=2, steps=5):
    return np.random.default_rng(0).normal(size=(rows, steps, FEATURES)).astype(np.float32)


def sequential(*layers):
    return keras.Sequential([keras.Input((None, FEATURES)), *layers, keras.layers.Dense(2)])


def wrapped():
    return sequential(
        keras.layers.Bidirectional(lw.GRU(UNITS, return_sequences=True)),
        lw.LSTM(UNITS, return_sequences=True),
        lw.RNN(keras.layers.LSTMCell(UNITS)),
    )


def stacked():
    return sequential(
        lw.Recurrent(lw.LSTMCell(UNITS), initial_state="learned"),
        lw.GRU(UNITS, return_sequences=True),
        lw.Recurrent(lw.LayerNormGRUCell(UNITS), return_sequences=False),
    )


# Each as it is trained, with the native kernel where it computes the cell.
MODELS = {
    **{name: lambda cell=cell: sequential(lw.Recurrent(cell(UNITS))) for name, cell in CELLS.items()},
    "wrapped": wrapped,
    "both ways": lambda: sequential(keras.layers.Bidirectional(lw.Recurrent(lw.LSTMCell(UNITS)))),
    "reversed": lambda: sequential(lw.Recurrent(lw.GRUCell(UNITS), reverse=True)),
    "stacked": stacked,
    "convolved": lambda: sequential(lw.MaskedConv1D(UNITS, 3, stride=2), lw.SimpleRNN(UNITS)),
}
# One of each kind; the others are in the long tests.
SOME = ["lstm", "both ways", "stacked"]
some_models = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SOME else [pytest.mark.long]) for name in MODELS]
)
OF_STOCK_LAYERS = {
    "wrapped": wrapped,
    "recurrent": lambda: sequential(
        lw.Recurrent(lw.LSTMCell(UNITS)), keras.layers.Bidirectional(lw.Recurrent(lw.GRUCell(UNITS, use_bias=False)))
    ),
}


def made(models, name):
    keras.utils.set_random_seed(1)
    return models[name]()


def export_onnx(model, path):
    with warnings.catch_warnings():
        # Keras's way of making its converter run with this NumPy.
        warnings.simplefilter("ignore", FutureWarning)
        model.export(path, format="onnx", verbose=False)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, request):
    # What each saved model computes in a process that may not import Lengthwise.
    folder = tmp_path_factory.mktemp("elsewhere")
    cases = [item for item in request.session.items if item.path == request.path and "saved_model" in item.name]
    asked = {item.callspec.params["name"] for item in cases}
    for name in [name for name in MODELS if name in asked]:
        made(MODELS, name).export(folder / "saved" / name, verbose=False)
    for kind in ("saved", "keras"):
        (folder / kind).mkdir(exist_ok=True)
    for name in OF_STOCK_LAYERS:
        lw.with_stock_layers(made(OF_STOCK_LAYERS, name)).save(folder / "keras" / f"{name}.keras")
    np.save(folder / "x.npy", fed())
    # Keras imports scikit-learn for its wrappers alone, and nothing takes longer; what is imported stays to the end.
    code = """
import gc, os, sys
gc.disable()
sys.modules["lengthwise"] = sys.modules["sklearn"] = None
from pathlib import Path
import keras, numpy as np, tensorflow as tf
x = np.load("x.npy")
loaded = {path.name: tf.saved_model.load(str(path)) for path in Path("saved").iterdir()}
found = {f"saved {name}": model.serve(x) for name, model in loaded.items()}
found |= {f"keras {path.stem}": keras.saving.load_model(path)(x) for path in Path("keras").iterdir()}
np.savez("found.npz", **{name: np.asarray(values) for name, values in found.items()})
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "found.npz")


@pytest.mark.sampled(1)
@some_models
def test_what_is_exported_as_a_saved_model_runs_where_lengthwise_is_not(name, elsewhere):
    assert_close(elsewhere[f"saved {name}"], made(MODELS, name)(fed()))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", OF_STOCK_LAYERS)
def test_keras_file_of_stock_layers_loads_where_lengthwise_is_not(name, elsewhere):
    model = made(OF_STOCK_LAYERS, name)
    assert "lengthwise" not in str(keras.saving.serialize_keras_object(lw.with_stock_layers(model)))
    assert_close(elsewhere[f"keras {name}"], model(fed()))


@pytest.mark.sampled(1)
@some_models
def test_what_is_exported_as_onnx_computes_the_same(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = made(MODELS, name)
    expected = model(fed())
    export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (given,) = session.get_inputs()
    assert_close(session.run(None, {given.name: fed()})[0], expected)


def in_pieces(run, model, x):
    # The outputs of a streamed model, over pieces of one step and of several.
    states, outputs = lw.first_states(model, rows=len(x)), []
    for begin, end in ((0, 1), (1, 2), (2, 4), (4, 5)):
        output, *states = run([x[:, begin:end], *states])
        outputs.append(output)
    return np.concatenate(outputs, axis=1) if len(outputs[0].shape) == 3 else outputs[-1]


def called(model):
    return lambda given: [np.asarray(values) for values in model(given)]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["lstm", "layer_norm_simple", "peephole_lstm", "stacked"])
def test_streamed_model_says_of_pieces_what_the_model_says_of_the_whole(name):
    model = made(MODELS, name)
    streamed = lw.with_states(model)
    found = in_pieces(called(streamed), model, fed(3))
    assert_close(found, model(fed(3)))
    assert [tuple(x.shape) for x in streamed.inputs[1:]] == [(None, UNITS)] * (len(streamed.outputs) - 1)


def test_streamed_model_of_stock_layers_goes_on_too():
    tokens = np.array([[1, 2, 3, 1, 4], [4, 2, 2, 1, 1]], np.int32)
    layers = [keras.layers.Embedding(5, FEATURES, mask_zero=True), keras.layers.LSTM(UNITS, return_sequences=True)]
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers, keras.layers.GRU(UNITS)])
    streamed = lw.with_states(model)
    assert_close(
        in_pieces(lambda given: [np.asarray(values) for values in streamed(given)], model, tokens), model(tokens)
    )


@pytest.mark.long
def test_streamed_model_as_onnx_goes_on_step_by_step(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = made(MODELS, "stacked")
    export_onnx(lw.with_states(model), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    names = [given.name for given in session.get_inputs()]
    found = in_pieces(lambda given: session.run(None, dict(zip(names, given, strict=True))), model, fed())
    assert_close(found, model(fed()))


@pytest.mark.native
def test_another_kernel_has_the_same_weights_and_outputs():
    model = made(MODELS, "wrapped")
    for changed in (lw.with_kernel(model, "keras"), lw.with_stock_layers(model)):
        assert_close(changed(fed()), model(fed()))
    layers = [layer for layer in lw.with_kernel(model, "keras").layers if hasattr(layer, "native")]
    assert layers
    assert not any(layer.native for layer in layers)
    assert all(layer.native for layer in lw.with_kernel(lw.with_kernel(model, "keras"), "native").layers[1:3])


@pytest.mark.native
def test_export_leaves_the_model_with_its_kernel(tmp_path):
    model = made(MODELS, "lstm")
    model.export(tmp_path / "exported", verbose=False)
    assert model.layers[0].native
    graph = tf.function(model).get_concrete_function(tf.TensorSpec((2, 5, FEATURES))).graph
    assert "LengthwiseRaggedRecurrent" in [operation.type for operation in graph.get_operations()]


class OfItsOwn(keras.Model):
    pass


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: lw.with_kernel(sequential(lw.GRU(4)), "fast"), "kernel: got 'fast'; expected one of"),
        (
            lambda: lw.with_stock_layers(sequential(lw.MaskedConv1D(4, 3))),
            "model: got the layer MaskedConv1D; expected none of ours but Recurrent, GRU, LSTM, SimpleRNN, RNN; take",
        ),
        (
            lambda: lw.with_stock_layers(sequential(lw.Recurrent(lw.PeepholeLSTMCell(4), name="a", carried_rows=2))),
            "model: got a with carried_rows, PeepholeLSTMCell, which no layer of Keras has; expected",
        ),
        (
            lambda: lw.with_kernel(OfItsOwn(), "keras"),
            "model: got OfItsOwn, a class of its own; expected a functional or a sequential",
        ),
        (lambda: lw.with_states(sequential()), "model: got no recurrent layer; expected one at least"),
        (
            lambda: lw.with_states(sequential(lw.Recurrent(lw.GRUCell(4), reverse=True, name="a"))),
            "model: got a, which begins at the last step; expected forward layers",
        ),
        (
            lambda: lw.with_states(sequential(keras.layers.Bidirectional(lw.GRU(4)))),
            "model: got bidirectional.*, which begins at the last step",
        ),
        (
            lambda: lw.with_states(sequential(lw.MaskedConv1D(4, 3), lw.GRU(4))),
            "model: got other outputs in pieces than as a whole",
        ),
        (lambda: lw.first_states(sequential(lw.GRU(4)), rows=0), "rows: got 0; expected a whole number"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(ask, message):
    with pytest.raises(ValueError, match=message) as refusal:
        ask()
    assert "\n" not in str(refusal.value)
