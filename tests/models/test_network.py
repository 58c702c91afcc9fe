from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.core.names import ACTIVATIONS, CONV_PADDINGS, FRONT_ENDS, INITIAL_STATES, INPUTS, READOUTS
from lengthwise.core.sequences import UNK_ID
from lengthwise.errors import KernelError
from lengthwise.layers.cells import CELLS
from lengthwise.models.inputs import Inputs
from lengthwise.models.network import Network
from lengthwise.models.saved import load_network, save_network
from lengthwise.pipeline.settings.params import ModelParams


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def inputs_of(tokens, positions=None):
    # Whole rows, one sequence each, predictions everywhere.
    mask = np.ones(tokens.shape, bool)
    resets = np.zeros(tokens.shape, bool)
    resets[:, 0] = True
    return Inputs(tokens, mask, resets, np.argwhere(mask).astype(np.int32) if positions is None else positions)


def logits_of(network, tokens, positions=None, **options):
    return network(inputs_of(tokens, positions), **options)[0].numpy()


def random_tokens(seed, rows, width):
    return np.random.default_rng(seed).integers(0, 20, (rows, width)).astype(np.int32)


def reference_logits(network, tokens):
    # Cho et al.'s GRU with the reset gate after the product, as cuDNN and Keras have it; (T, C) for one row.
    weights = {variable.path.split("/", 1)[1]: variable.numpy().astype(np.float64) for variable in network.variables}
    kernel, recurrent, (input_bias, recurrent_bias) = (
        weights[f"forward_0/cell/{name}"] for name in ("kernel", "recurrent_kernel", "bias")
    )
    units = len(recurrent)
    state = weights.get("forward_0/initial_state_0/state", np.zeros((1, units)))[0]
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


def by_kernel(network, kernel):
    other = Network(network.config, kernel)
    for variable, like in zip(other.trainable_variables, network.trainable_variables, strict=True):
        variable.assign(like)
    assert other.kernel == kernel
    return other


@pytest.mark.sampled
@pytest.mark.parametrize("kernel", ["keras", "native"])
@pytest.mark.parametrize("initial_state", ["learned", "zeros"])
def test_network_equals_a_reference_in_numpy_at_every_step(make_network, initial_state, kernel):
    network = by_kernel(make_network(initial_state=initial_state), kernel)
    tokens = random_tokens(1, 3, 9)
    logits = logits_of(network, tokens).reshape(3, 9, 6)
    for row in range(3):
        assert_close(logits[row], reference_logits(network, tokens[row]))


def test_network_has_an_initial_state_only_where_it_is_learned(make_network):
    names = [[v.path for v in make_network(initial_state=kind).trainable_variables] for kind in ("learned", "zeros")]
    assert set(names[0]) - set(names[1]) == {"network/forward_0/initial_state_0/state"}
    assert len(names[0]) == len(names[1]) + 1 == 7


def test_network_reads_one_hot_tokens_as_an_embedding_of_the_identity(make_network):
    one_hot = make_network(input="one_hot")
    embedding = make_network(embedding=20)
    identity, *others = embedding.trainable_variables
    identity.assign(np.eye(20, dtype=np.float32))
    for variable, like in zip(others, one_hot.trainable_variables, strict=True):
        variable.assign(like)
    tokens = random_tokens(2, 3, 7)
    assert_close(logits_of(one_hot, tokens), logits_of(embedding, tokens))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernel", ["keras", "native"])
def test_network_stacks_layers_in_both_directions(make_network, kernel):
    network = by_kernel(make_network(layers=2, bidirectional=True, cell="lstm"), kernel)
    tokens = random_tokens(3, 2, 6)
    inputs = inputs_of(tokens)
    values = network.embedding(tokens)
    for forward, backward in zip(network.forwards, network.backwards, strict=True):
        # Stock layers with the same weights.
        both = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
        both.build(values.shape)
        for stock, own in ((both.forward_layer, forward), (both.backward_layer, backward)):
            stock.cell.set_weights(own.cell.get_weights())
        states = [layer.state.numpy().repeat(2, 0) for own in (forward, backward) for layer in own.initial_states]
        values = both(values, initial_state=[tf.constant(state) for state in states])
    expected = network.softmax(values).numpy().reshape(-1, 6)
    assert_close(network(inputs)[0], expected)


def test_network_does_not_let_rows_see_each_other(make_network):
    network = make_network()
    tokens = random_tokens(3, 5, 6)
    together = logits_of(network, tokens).reshape(5, 6, 6)
    for row in range(5):
        assert_close(logits_of(network, tokens[row : row + 1]), together[row])


def test_network_predicts_at_the_positions_in_their_order(make_network):
    network = make_network()
    tokens = random_tokens(4, 3, 4)
    everywhere = logits_of(network, tokens).reshape(3, 4, 6)
    positions = np.array([[2, 3], [0, 0], [2, 1], [0, 0]], np.int32)
    chosen = logits_of(network, tokens, positions)
    assert_close(chosen, [everywhere[row, step] for row, step in positions])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kernel", ["keras", "native"])
def test_network_drops_outputs_only_in_training(make_network, layers, kernel):
    network = by_kernel(make_network(dropout=0.5, layers=layers), kernel)
    tokens = np.zeros((1, 3), np.int32)
    assert np.array_equal(logits_of(network, tokens), logits_of(network, tokens))
    first, second = (logits_of(network, tokens, training=True) for _ in range(2))
    assert not np.array_equal(first, second)
    still = by_kernel(make_network(dropout=0.0, layers=layers), kernel)
    assert np.array_equal(logits_of(still, tokens), logits_of(still, tokens, training=True))


def test_network_config_counts_the_joint_classes(make_config, factors):
    assert make_config().outputs == 6
    assert make_config(factors=factors[:1]).outputs == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"initial_state": "zeros"},
        pytest.param({"layers": 3, "bidirectional": True, "cell": "layer_norm_lstm"}, marks=pytest.mark.long),
        pytest.param({"front_end": "conv1d", "cell": "peephole_lstm", "masking": True}, marks=pytest.mark.long),
        pytest.param({"input": "one_hot", "cell": "layer_norm_gru", "activation": "relu"}, marks=pytest.mark.long),
    ],
)
def test_network_survives_saving(make_network, tmp_path, changes):
    network = make_network("seq2seq", **changes)
    save_network(network, tmp_path / "model")
    tokens = np.arange(12, dtype=np.int32).reshape(2, 6)
    positions = np.array([[0, 0], [1, 2]], np.int32)
    # Twice: a network that is made second in a process has the same names.
    for _ in range(2):
        again = load_network(tmp_path / "model")
        assert again.config == network.config
        assert np.array_equal(logits_of(again, tokens, positions), logits_of(network, tokens, positions))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernel", ["keras", "native"])
def test_load_network_loads_for_either_kernel_whichever_it_was_saved_by(make_network, tmp_path, kernel):
    network = make_network("seq2seq", layers=2)
    save_network(network, tmp_path / "model")
    again = load_network(tmp_path / "model", kernel)
    assert again.kernel == kernel
    tokens = random_tokens(5, 3, 8)
    assert_close(logits_of(again, tokens), logits_of(network, tokens))


@pytest.mark.parametrize("changes", [{"cell": "layer_norm_gru", "activation": "relu"}, {"activation": "softsign"}])
def test_network_refuses_the_native_kernel_for_what_it_does_not_compute(make_config, changes):
    config = make_config(**changes)
    assert Network(config).kernel == "keras"
    with pytest.raises(KernelError, match=r"expected gru, layer_norm_gru, .* with tanh"):
        Network(config, "native")


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("input", INPUTS),
        ("front_end", FRONT_ENDS),
        ("conv_padding", CONV_PADDINGS),
        ("activation", ACTIVATIONS),
        ("initial_state", INITIAL_STATES),
        ("readout", READOUTS),
    ],
)
def test_params_know_the_names_that_networks_know(key, known):
    assert sorted(get_args(ModelParams.model_fields[key].annotation)) == sorted(known)


def test_params_know_the_cells_that_networks_know():
    assert ModelParams.model_json_schema()["properties"]["cell"]["enum"] == sorted(CELLS)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernel", ["keras", "native"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("readout", "stock"),
    [
        ("mean", keras.layers.GlobalAveragePooling1D()),
        ("max", keras.layers.GlobalMaxPooling1D()),
        ("mean_max", lambda rows: tf.concat([tf.reduce_mean(rows, axis=1), tf.reduce_max(rows, axis=1)], axis=-1)),
        ("gated", None),
    ],
)
def test_network_pools_the_outputs_of_each_sequence(make_network, readout, stock, bidirectional, kernel):
    network = by_kernel(make_network(readout=readout, bidirectional=bidirectional), kernel)
    tokens = random_tokens(5, 3, 7)
    lengths = (7, 3, 1)
    mask = np.arange(7) < np.array(lengths)[:, np.newaxis]
    resets = np.zeros(mask.shape, bool)
    resets[:, 0] = True
    ends = np.array([[row, length - 1] for row, length in enumerate(lengths)], np.int32)
    pooled = []
    for row, length in enumerate(lengths):
        values = network.embedding(tokens[row : row + 1, :length])
        outputs = network.forwards[0](values)[0]
        if bidirectional:
            outputs = tf.concat([outputs, network.backwards[0](values)[0]], axis=-1)
        alone = tf.zeros(length, tf.int32), tf.constant([length - 1])
        pooled.append(stock(outputs) if stock else network.attention(outputs[0], *alone))
    expected = network.softmax(tf.concat(pooled, axis=0))
    assert_close(network(Inputs(tokens, mask, resets, ends))[0], expected)


def test_network_reads_every_step_by_itself_for_seq2seq_whatever_the_readout(make_network):
    tokens = random_tokens(6, 2, 5)
    networks = [make_network("seq2seq", readout=readout) for readout in READOUTS]
    assert not any(network.config.pooled for network in networks)
    assert len({logits_of(network, tokens).tobytes() for network in networks}) == 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernel", ["keras", "native"])
def test_network_drops_words_only_in_training(make_network, kernel):
    network = by_kernel(make_network(word_dropout=0.5), kernel)
    tokens = random_tokens(7, 4, 20)
    still = by_kernel(make_network(), kernel)
    assert np.array_equal(logits_of(network, tokens), logits_of(still, tokens))
    first, second = (logits_of(network, tokens, training=True) for _ in range(2))
    assert not np.array_equal(first, second)
    # Of a text without known words there is nothing to drop.
    unknown = np.full((4, 20), UNK_ID, np.int32)
    assert np.array_equal(logits_of(network, unknown, training=True), logits_of(still, unknown))
