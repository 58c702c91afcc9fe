import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lengthwise.errors import FormatError
from lengthwise.models.network import CONFIG_NAME, WEIGHTS_NAME, NetworkConfig, load_network, save_network


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def reference_logits(network, tokens):
    # Cho et al.'s GRU with the reset gate after the product, as cuDNN and Keras have it; (T, C) for one row.
    weights = {variable.path.split("/", 1)[1]: variable.numpy().astype(np.float64) for variable in network.variables}
    kernel, recurrent = weights["gru/gru_cell/kernel"], weights["gru/gru_cell/recurrent_kernel"]
    input_bias, recurrent_bias = weights["gru/gru_cell/bias"]
    units = len(recurrent)
    state = weights["initial_state/state"][0] if "initial_state/state" in weights else np.zeros(units)
    logits = []
    for token in tokens:
        x = weights["embedding/embeddings"][token] @ kernel + input_bias
        h = state @ recurrent + recurrent_bias
        update = sigmoid(x[:units] + h[:units])
        reset = sigmoid(x[units : 2 * units] + h[units : 2 * units])
        candidate = np.tanh(x[2 * units :] + reset * h[2 * units :])
        state = update * state + (1 - update) * candidate
        logits.append(state @ weights["softmax/kernel"] + weights["softmax/bias"])
    return np.array(logits)


def every_position(rows, width):
    return np.argwhere(np.ones((rows, width), bool)).astype(np.int32)


@pytest.mark.parametrize("initial_state", ["learned", "zeros"])
def test_network_equals_a_reference_in_numpy_at_every_step(make_network, initial_state):
    network = make_network(initial_state=initial_state)
    tokens = np.random.default_rng(1).integers(0, 20, (3, 9)).astype(np.int32)
    logits = network(tokens, every_position(3, 9)).numpy().reshape(3, 9, 6)
    for row in range(3):
        assert np.allclose(logits[row], reference_logits(network, tokens[row]), rtol=0, atol=1e-5)


def test_network_has_an_initial_state_only_where_it_is_learned(make_network):
    names = [[v.path for v in make_network(initial_state=kind).trainable_variables] for kind in ("learned", "zeros")]
    assert set(names[0]) - set(names[1]) == {"network/initial_state/state"}
    assert len(names[0]) == len(names[1]) + 1 == 7


@pytest.mark.parametrize("filler", [0, 1, 19])
def test_network_does_not_see_what_fills_a_row_up(make_network, filler):
    network = make_network()
    tokens = np.random.default_rng(2).integers(0, 20, (4, 6)).astype(np.int32)
    positions = every_position(4, 6)
    filled = np.concatenate([tokens, np.full((4, 11), filler, np.int32)], axis=1)
    assert np.allclose(network(tokens, positions), network(filled, positions), rtol=0, atol=1e-6)


def test_network_does_not_let_rows_see_each_other(make_network):
    network = make_network()
    tokens = np.random.default_rng(3).integers(0, 20, (5, 6)).astype(np.int32)
    together = network(tokens, every_position(5, 6)).numpy().reshape(5, 6, 6)
    for row in range(5):
        assert np.allclose(network(tokens[row : row + 1], every_position(1, 6)), together[row], rtol=0, atol=1e-6)


def test_network_predicts_at_the_positions_in_their_order(make_network):
    network = make_network()
    tokens = np.random.default_rng(4).integers(0, 20, (3, 4)).astype(np.int32)
    everywhere = network(tokens, every_position(3, 4)).numpy().reshape(3, 4, 6)
    positions = np.array([[2, 3], [0, 0], [2, 1], [0, 0]], np.int32)
    chosen = network(tokens, positions).numpy()
    assert np.allclose(chosen, [everywhere[row, step] for row, step in positions], rtol=0, atol=1e-6)


def test_network_drops_outputs_only_in_training(make_network):
    network = make_network(dropout=0.5)
    tokens, positions = np.zeros((1, 3), np.int32), every_position(1, 3)
    assert np.array_equal(network(tokens, positions), network(tokens, positions))
    first, second = (network(tokens, positions, training=True).numpy() for _ in range(2))
    assert not np.array_equal(first, second)
    still = make_network(dropout=0.0)
    assert np.array_equal(still(tokens, positions), still(tokens, positions, training=True))


def test_network_config_counts_the_joint_classes(factors):
    config = NetworkConfig("classifier", 20, factors, 4, 5, "learned", 0.5)
    assert config.classes == 6
    assert NetworkConfig("classifier", 20, factors[:1], 4, 5, "learned", 0.5).classes == 2


@pytest.mark.parametrize("initial_state", ["learned", "zeros"])
def test_network_survives_saving(make_network, tmp_path, initial_state):
    network = make_network(initial_state=initial_state, task="seq2seq")
    save_network(network, tmp_path / "model")
    tokens, positions = np.arange(12, dtype=np.int32).reshape(2, 6), every_position(2, 6)
    # Twice: a network that is made second in a process has the same names.
    for _ in range(2):
        again = load_network(tmp_path / "model")
        assert again.config == network.config
        assert np.array_equal(again(tokens, positions), network(tokens, positions))


def test_save_network_writes_the_same_bytes_twice_and_nothing_else(make_network, tmp_path):
    network = make_network()
    for name in ("first", "second"):
        save_network(network, tmp_path / name)
    save_network(load_network(tmp_path / "first"), tmp_path / "third")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second", "third"]
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == [CONFIG_NAME, WEIGHTS_NAME]
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        assert len({(tmp_path / folder / name).read_bytes() for folder in ("first", "second", "third")}) == 1


@pytest.fixture
def saved(make_network, tmp_path):
    save_network(make_network(), tmp_path / "model")
    return tmp_path / "model"


def change_config(saved, **changes):
    path = saved / CONFIG_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refusal_of(folder):
    with pytest.raises(FormatError) as caught:
        load_network(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert "run the stage train again" in message
    return message


def test_load_network_refuses_a_folder_that_is_none(tmp_path):
    assert str(tmp_path / "nowhere") in refusal_of(tmp_path / "nowhere")


@pytest.mark.parametrize("name", [CONFIG_NAME, WEIGHTS_NAME])
def test_load_network_refuses_a_missing_file(saved, name):
    (saved / name).unlink()
    assert name in refusal_of(saved)


@pytest.mark.parametrize("name", [CONFIG_NAME, WEIGHTS_NAME])
@pytest.mark.parametrize("kept", [0, 5, -1])
def test_load_network_refuses_a_cut_file(saved, name, kept):
    # The config's last byte is its newline, without which it is still whole.
    kept = kept - 1 if kept < 0 else kept
    (saved / name).write_bytes((saved / name).read_bytes()[:kept])
    assert str(saved / name) in refusal_of(saved)


def test_load_network_refuses_another_version_and_names_both(saved):
    change_config(saved, version=2)
    message = refusal_of(saved)
    assert "version 2" in message
    assert "expected 1" in message


@pytest.mark.parametrize("changes", [{"units": 6}, {"vocabulary_size": 21}, {"initial_state": "zeros"}])
def test_load_network_refuses_a_config_that_does_not_fit_the_weights(saved, changes):
    change_config(saved, **changes)
    assert str(saved / WEIGHTS_NAME) in refusal_of(saved)


@pytest.mark.parametrize("changes", [{"units": "many"}, {"units": None}, {"factors": 3}, {"dropout": "high"}])
def test_load_network_refuses_a_config_of_wrong_types(saved, changes):
    change_config(saved, **changes)
    assert str(saved / CONFIG_NAME) in refusal_of(saved)


@pytest.mark.parametrize("changes", [{"units": 0}, {"embedding": -1}, {"task": "translator"}, {"dropout": 1.5}])
def test_load_network_refuses_a_config_that_no_network_can_have(saved, changes):
    change_config(saved, **changes)
    refusal_of(saved)


def test_load_network_refuses_weights_of_other_names_or_shapes(saved):
    path = saved / WEIGHTS_NAME
    arrays = load_file(path)
    extra = {**arrays, "other": np.zeros(3, np.float32)}
    fewer = {name: array for name, array in arrays.items() if "bias" not in name}
    turned = {name: array.T.copy() for name, array in arrays.items()}
    for wrong in (extra, fewer, turned):
        save_file(wrong, path)
        assert str(path) in refusal_of(saved)
