"""The forward pass without TensorFlow says what the Keras network says, computed step by step, not by the kernel."""

import keras
import numpy as np
import pytest
from closeness import assert_close
from forward_pass import forward_of

from lengthwise.core.affixes import BUCKETS
from lengthwise.core.names import ACTIVATIONS, CELL_PLACES, READOUTS
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.errors import KernelError
from lengthwise.inference.cell_steps import FORWARD_CELLS, FUNCTIONS
from lengthwise.inference.forward import ForwardNetwork
from lengthwise.inference.weight_shapes import weight_shapes
from lengthwise.models.ensemble import make_network as network_of
from lengthwise.models.prediction import predict_sequences, predict_steps
from lengthwise.models.saved import load_network, named_variables, save_network

VALID = {"front_end": "conv1d", "conv_padding": "valid", "kernel": 4}
FEATURES = {"features": 3, "feature_columns": ("f", "g")}
# Each cell, task, input, readout, direction and padding of the convolution comes once or more.
NETWORKS = {
    "gru": {"layers": 2, "readout": "max"},
    "lstm": {"cell": "lstm", "layers": 2, "bidirectional": True, "ensemble": 2, "readout": "attention"},
    "simple": {"cell": "simple", "tokens": False, **FEATURES},
    "layer_norm_gru": {"cell": "layer_norm_gru", "input": "one_hot", "affixes": 2, "readout": "gated"},
    "layer_norm_lstm": {"cell": "layer_norm_lstm", "bidirectional": True, "readout": "mean"},
    "layer_norm_simple": {"cell": "layer_norm_simple", "task": "regressor", "ensemble": 2, "initial_state": "zeros"},
    "peephole_lstm": {"cell": "peephole_lstm", "several": True, "ensemble": 2},
    "elu": {"cell": "peephole_lstm", "activation": "elu", "initial_state": "zeros"},
    "one_hot": {"input": "one_hot", "task": "seq2seq", "bidirectional": True},
    "one_hot_columns": {
        "input": "one_hot",
        "cell": "lstm",
        **FEATURES,
        "bidirectional": True,
        "initial_state": "zeros",
    },
    "affixes": {"affixes": 3, **FEATURES, "ensemble": 2, "task": "tagger"},
    "same": {"front_end": "conv1d", "readout": "mean", "bidirectional": True},
    "mean_max": {"readout": "mean_max", "bidirectional": True, "ensemble": 2},
    "causal": {"front_end": "conv1d", "conv_padding": "causal", "stride": 1, "input": "one_hot", "affixes": 3},
    "valid": {**VALID, "task": "regressor"},
    "language_model": {"task": "language_model", "layers": 3},
}


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(3)
    lengths = np.array([1, 2, 40, 3, 1, 9, 4, 5, 23, 9])
    count = lengths.sum()
    columns = {
        "tokens": rng.integers(0, 20, count).astype(np.int32),
        "affixes": rng.integers(0, BUCKETS, (count, 4)).astype(np.int32),
        "f": rng.normal(size=(count, 2)).astype(np.float32),
        "g": rng.normal(size=count).astype(np.float32),
    }
    return Sequences(offsets_of(lengths), columns)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, make_config):
    # Not by the kernel: the one that is compared computes by the same source.
    changes = {**NETWORKS[request.param]}
    network = network_of(make_config(changes.pop("task", "classifier"), **changes), "keras")
    rng = np.random.default_rng(1)
    scales = {}
    for name, variable in named_variables(network).items():
        values = rng.normal(0, 0.7, variable.shape).astype(np.float32)
        # The scales are the same for all members, and no spread is 0.
        if "scale/" in name:
            values = scales.setdefault(name.partition("/")[2] if name.startswith("network_") else name, abs(values) + 1)
        variable.assign(values)
    return network


@pytest.fixture(scope="module")
def expected(network, sequences):
    # What each sequence and, if it predicts at every step, each step is.
    predicted, predicts = predict_sequences(network, sequences), network.config.predicts
    at_steps = network.config.task in ("tagger", "language_model", "seq2seq")
    steps = np.exp(predict_steps(network, sequences)) if at_steps else None
    if predicts != "numbers":
        predicted = np.exp(predicted) if predicts == "classes" else 1 / (1 + np.exp(-predicted))
    return predicted, steps


@pytest.mark.sampled(2)
@pytest.mark.parametrize("native", [pytest.param(True, marks=pytest.mark.native), False])
def test_forward_pass_says_what_the_keras_network_says(network, sequences, expected, native):
    forward = forward_of(network, native=native)
    assert_close(forward.predict(sequences), expected[0])
    if expected[1] is not None:
        assert_close(forward.predict_steps(sequences), expected[1])


@pytest.mark.sampled(5)
def test_weights_have_the_shapes_that_the_settings_say(network):
    found = {name: tuple(variable.shape) for name, variable in named_variables(network).items()}
    assert weight_shapes(network.config) == found


def test_every_readout_is_compared():
    assert {changes.get("readout", "last") for changes in NETWORKS.values()} == set(READOUTS)


def test_every_cell_and_activation_has_its_equations():
    assert set(FORWARD_CELLS) == set(CELL_PLACES)
    assert {changes.get("cell", "gru") for changes in NETWORKS.values()} == set(CELL_PLACES)
    values = np.concatenate([np.linspace(-6, 6, 400), [-90, 90]]).astype(np.float32)[np.newaxis]
    assert set(FUNCTIONS) == set(ACTIVATIONS)
    for name, function in FUNCTIONS.items():
        assert_close(function(values), np.asarray(keras.activations.get(name)(values)), name=name)


def test_batches_change_no_prediction(make_network, monkeypatch):
    rng = np.random.default_rng(5)
    lengths = rng.integers(1, 9, 60)
    sequences = Sequences(offsets_of(lengths), {"tokens": rng.integers(0, 20, lengths.sum()).astype(np.int32)})
    forward = forward_of(make_network(bidirectional=True))
    at_once = forward.predict(sequences)
    monkeypatch.setattr("lengthwise.inference.forward.EVALUATION_STEPS", 7)
    assert_close(forward.predict(sequences), at_once)
    assert forward.predict(sequences.take([])).shape == (0, 6)


def test_ensemble_with_affixes_is_read_back_as_it_was_saved(make_network, tmp_path, sequences):
    # Keras gives the affixes of all members one name.
    network = make_network(affixes=3, ensemble=2)
    save_network(network, tmp_path / "model")
    again = load_network(tmp_path / "model")
    expected = predict_sequences(network, sequences)
    assert_close(predict_sequences(again, sequences), expected, 0)
    assert_close(ForwardNetwork.load(tmp_path / "model").predict(sequences), np.exp(expected))


def test_forward_pass_goes_on_with_numpy_where_there_is_no_kernel(make_network, sequences, monkeypatch, capsys):
    def missing():
        raise KernelError("native kernel: found no compiler")

    expected = forward_of(make_network()).predict(sequences)
    monkeypatch.setattr("lengthwise.native.forward_library.load_forward", missing)
    from lengthwise.native.forward_library import loads_forward

    loads_forward.cache_clear()
    try:
        forward = forward_of(make_network())
    finally:
        loads_forward.cache_clear()
    assert forward.kernel == "numpy"
    assert capsys.readouterr().err.splitlines()[-1] == "native kernel: found no compiler; goes on with NumPy"
    assert_close(forward.predict(sequences), expected)
