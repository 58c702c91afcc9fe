from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import make_strategy
from lengthwise.models.ensemble import Ensemble, make_network
from lengthwise.models.network import Network
from lengthwise.models.outputs import each_alone, log_probabilities_of
from lengthwise.models.prediction import predict_split
from lengthwise.models.saved import load_network, save_network
from lengthwise.training.step import Steps

SETTINGS = {"batch_size": 3, "buckets": 2, "tokens": 40, "window": 5}
KERNELS = [pytest.param("native", marks=pytest.mark.native), "keras"]


def alone(member, kernel):
    network = Network(member.config, kernel)
    copy_weights(member, network)
    return network


def copy_weights(network, other):
    for variable, like in zip(other.trainable_variables, network.trainable_variables, strict=True):
        variable.assign(like)


def ensemble_of(make_network, kernel, task="classifier", **changes):
    # Random weights, which are not the same in any two members.
    config = make_network(task, ensemble=2, **changes).config
    ensemble = Ensemble(config, kernel)
    rng = np.random.default_rng(5)
    for variable in ensemble.trainable_variables:
        variable.assign(rng.normal(0, 0.7, variable.shape).astype(np.float32))
    return ensemble


def log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_an_ensemble_of_one_is_a_network(make_network):
    config = make_network().config
    assert isinstance(make_network_of(config, 1), Network)
    ensemble = make_network_of(config, 2)
    assert isinstance(ensemble, Ensemble)
    assert [member.config for member in ensemble.members] == [config, config]
    network = make_network_of(config, 1)
    assert network.members == [network]


def make_network_of(config, ensemble):
    return make_network(replace(config, ensemble=ensemble))


def test_members_begin_with_other_weights_and_the_first_with_those_of_a_network_alone(make_network):
    config = make_network(initial_state="learned").config
    keras.utils.set_random_seed(3)
    network = Network(config)
    keras.utils.set_random_seed(3)
    first, second, third = Ensemble(replace(config, ensemble=3)).members
    np.testing.assert_array_equal(first.embedding.embeddings, network.embedding.embeddings)
    for one, other in ((first, second), (first, third), (second, third)):
        assert not np.allclose(one.embedding.embeddings, other.embedding.embeddings)
        assert not np.allclose(one.softmax.kernel, other.softmax.kernel)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("kernel", "task", "changes"),
    [
        ("keras", "classifier", {}),
        pytest.param("native", "seq2seq", {"cell": "lstm", "layers": 2}, marks=pytest.mark.native),
        pytest.param("native", "classifier", {"readout": "mean_max", "bidirectional": True}, marks=pytest.mark.native),
        ("keras", "classifier", {"front_end": "conv1d", "stride": 2}),
    ],
)
def test_an_ensemble_predicts_the_mean_of_its_members_log_probabilities(
    make_network, make_sequences, kernel, task, changes
):
    sequences = make_sequences([9, 1, 5, 7, 3, 12])
    ensemble = ensemble_of(make_network, kernel, task, **changes)
    said = [predict_split(alone(member, kernel), sequences).log_probabilities for member in ensemble.members]
    expected = log_softmax(np.mean(said, axis=0, dtype=np.float64))
    made = predict_split(ensemble, sequences)
    assert_close(made.log_probabilities, expected)
    # Not what the first says, nor the mean of the probabilities.
    assert np.abs(expected - said[0]).max() > 0.01
    assert np.abs(expected - np.log(np.exp(said).mean(axis=0))).max() > 0.01


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("kernel", "task", "strategy", "changes", "clip_norm"),
    [
        pytest.param("native", "classifier", "bucketed", {}, None, marks=[pytest.mark.native, pytest.mark.long]),
        pytest.param("native", "seq2seq", "bucketed", {}, 0.01, marks=pytest.mark.native),
        pytest.param(
            "native", "classifier", "truncated", {"cell": "lstm", "layers": 2}, 0.01, marks=pytest.mark.native
        ),
        ("keras", "classifier", "packed", {}, 0.01),
        pytest.param("keras", "seq2seq", "truncated", {}, None, marks=pytest.mark.long),
    ],
)
def test_each_member_learns_as_if_it_were_alone(
    make_network, make_sequences, kernel, task, strategy, changes, clip_norm
):
    sequences = make_sequences(np.random.default_rng(1).integers(1, 14, 20))
    plan = make_strategy(strategy, SETTINGS).plan(sequences.lengths, epoch_rng(1, 0))
    ensemble = ensemble_of(make_network, kernel, task, **changes)
    before = [variable.numpy().copy() for variable in ensemble.trainable_variables]
    networks = [alone(member, kernel) for member in ensemble.members]
    list(Steps(ensemble, 0.01, clip_norm).train_over(plan, sequences))
    for member, network in zip(ensemble.members, networks, strict=True):
        list(Steps(network, 0.01, clip_norm).train_over(plan, sequences))
        for ours, theirs in zip(member.trainable_variables, network.trainable_variables, strict=True):
            assert_close(ours, theirs, 1e-4, name=ours.path)
    for variable, old in zip(ensemble.trainable_variables, before, strict=True):
        assert not np.array_equal(variable, old), variable.path


@pytest.mark.parametrize("kernel", [KERNELS[0], pytest.param("keras", marks=pytest.mark.long)])
def test_the_figures_of_a_step_are_those_of_what_the_members_say_together(make_network, make_sequences, kernel):
    sequences = make_sequences([9, 1, 5, 7, 3, 12])
    plan = make_strategy("padded", SETTINGS | {"batch_size": 6}).plan(sequences.lengths, epoch_rng(1, 0))
    ensemble = ensemble_of(make_network, kernel)
    said = predict_split(ensemble, sequences).log_probabilities
    right = (said.argmax(axis=1) == sequences["label"]).sum()
    expected = [-said[np.arange(6), sequences["label"]].sum(), right, 6]
    steps = Steps(ensemble, 1e-12, None)
    for figures in (*steps.evaluate_over(plan, sequences), *(made for made, _ in steps.train_over(plan, sequences))):
        np.testing.assert_allclose(figures, [expected], rtol=1e-4)


def test_an_ensemble_is_saved_and_read_back(make_network, make_sequences, tmp_path):
    sequences = make_sequences([9, 1, 5, 7])
    ensemble = ensemble_of(make_network, "keras")
    save_network(ensemble, tmp_path / "model")
    again = load_network(tmp_path / "model", "keras")
    assert isinstance(again, Ensemble)
    np.testing.assert_array_equal(
        predict_split(again, sequences).log_probabilities, predict_split(ensemble, sequences).log_probabilities
    )
    paths = [variable.path for variable in again.trainable_variables]
    assert len(set(paths)) == len(paths) == 2 * len(again.members[0].trainable_variables)


def test_log_probabilities_are_those_of_a_network_or_of_the_members_together():
    logits = np.random.default_rng(0).normal(0, 2, (3, 5, 4))
    np.testing.assert_allclose(log_probabilities_of(tf.constant(logits[0])), log_softmax(logits[0]))
    together = log_softmax(log_softmax(logits).mean(axis=0))
    np.testing.assert_allclose(log_probabilities_of(tf.constant(logits)), together)
    assert np.exp(together).sum(axis=1) == pytest.approx(1)
    assert [tuple(part.shape) for part in each_alone(tf.constant(logits))] == [(5, 4)] * 3
    assert [tuple(part.shape) for part in each_alone(tf.constant(logits[0]))] == [(5, 4)]
