"""A trained model with another kernel, or with Keras's own layers: the same outputs where Lengthwise is not."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from closeness import assert_close

import lengthwise as lw

UNITS, FEATURES = 4, 3


def fed():
    return np.random.default_rng(0).normal(size=(2, 5, FEATURES)).astype(np.float32)


def wrapped():
    keras.utils.set_random_seed(1)
    x = keras.Input((None, FEATURES))
    states = keras.layers.Bidirectional(lw.GRU(UNITS, return_sequences=True))(x)
    return keras.Model(
        x, keras.layers.Dense(2)(lw.RNN(keras.layers.LSTMCell(UNITS))(lw.LSTM(UNITS, return_sequences=True)(states)))
    )


def test_another_kernel_has_the_same_weights_and_outputs():
    model = wrapped()
    for changed in (lw.with_kernel(model, "keras"), lw.with_stock_layers(model)):
        assert_close(changed(fed()).numpy(), model(fed()).numpy())
    layers = [layer for layer in lw.with_kernel(model, "keras").layers if hasattr(layer, "native")]
    assert layers
    assert not any(layer.native for layer in layers)
    assert all(layer.native for layer in lw.with_kernel(lw.with_kernel(model, "keras"), "native").layers[2:4])


def test_a_model_of_stock_layers_says_nothing_of_us(tmp_path):
    model = lw.with_stock_layers(wrapped())
    assert "lengthwise" not in str(keras.saving.serialize_keras_object(model))
    model.save(tmp_path / "model.keras")
    assert run_alone(
        tmp_path, "import keras; model = keras.saving.load_model('model.keras'); serve = lambda x: model(x)"
    ) == pytest.approx(model(fed()).numpy().ravel().tolist(), rel=1e-5)


@pytest.mark.parametrize("cell", ["gru", "layer_norm_lstm", "peephole_lstm", "simple"])
def test_what_is_exported_runs_where_lengthwise_is_not(tmp_path, cell):
    from lengthwise.layers.cells import CELLS

    model = keras.Sequential([keras.Input((None, FEATURES)), lw.Recurrent(CELLS[cell](UNITS)), keras.layers.Dense(2)])
    lw.with_kernel(model, "keras").export(tmp_path / "exported", verbose=False)
    found = run_alone(tmp_path, "loaded = tf.saved_model.load('exported'); serve = loaded.serve")
    assert_close(np.array(found, np.float32), model(fed()).numpy().ravel())


def run_alone(folder, make):
    """Outputs of a model in a process that may not import Lengthwise."""
    code = (
        "import sys, numpy as np, tensorflow as tf; sys.modules['lengthwise'] = None\n"
        f"{make}\nx = np.array({fed().tolist()}, np.float32)\nprint(*np.array(serve(x)).ravel().tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return list(map(float, done.stdout.split()))


def test_wrong_arguments_are_refused_in_one_line():
    with pytest.raises(ValueError, match="kernel: got 'fast'; expected one of"):
        lw.with_kernel(keras.Sequential([keras.Input((None, 3)), lw.GRU(4)]), "fast")
    with pytest.raises(ValueError, match="model: got the layer Recurrent; expected none of ours but GRU"):
        lw.with_stock_layers(keras.Sequential([keras.Input((None, 3)), lw.Recurrent(lw.GRUCell(4))]))

    class Own(keras.Model):
        pass

    with pytest.raises(ValueError, match="model: got Own, a class of its own; expected a functional or a sequential"):
        lw.with_kernel(Own(), "keras")
