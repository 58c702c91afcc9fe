import numpy as np
import pytest

import lengthwise as lw
from lengthwise.errors import FormatError
from lengthwise.models.saved import CONFIG_NAME, WEIGHTS_NAME, save_network


@pytest.fixture
def network(make_network, tmp_path):
    network = make_network()
    save_network(network, tmp_path / "model")
    return network


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["text", "path"])
def test_load_keras_gives_the_network_that_was_saved(network, tmp_path, kind):
    loaded = lw.load_keras(kind(tmp_path / "model"), kernel="keras")
    assert loaded.config == network.config
    for found, expected in zip(loaded.trainable_variables, network.trainable_variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


@pytest.mark.parametrize("name", [CONFIG_NAME, WEIGHTS_NAME])
def test_load_says_what_to_do_without_a_pipeline(network, tmp_path, name):
    path = tmp_path / "model" / name
    path.write_bytes(path.read_bytes()[:-30])
    for load in (lw.load, lw.load_keras):
        told = f"{name}: .*; copy the folder again, or train and save the network again$"
        with pytest.raises(FormatError, match=told):
            load(tmp_path / "model")


def test_load_says_that_there_is_no_network(tmp_path):
    with pytest.raises(FormatError, match=r"nothing/config\.json: cannot be read .*; copy the folder again"):
        lw.load(tmp_path / "nothing")
