# What makes an ablation honest: a strategy changes what a step costs, and nothing of what a sequence says.
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.batching.collate import collate
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.core.names import LABEL_TASKS
from lengthwise.layers.cells import CELLS
from lengthwise.models.inputs import INPUTS_SIGNATURE, Inputs, network_inputs
from lengthwise.models.network import Network
from lengthwise.training.losses import cross_entropy

LENGTHS = [1, 7, 3, 12, 2, 5, 9, 1, 4, 4]
SETTINGS = {"batch_size": 3, "buckets": 2, "tokens": 24, "window": 5}
# Every cell, by the kernel where it computes it, and one of those by Keras too.
CELLS_AND_KERNELS = [*((cell, "auto") for cell in sorted(CELLS)), ("gru", "keras")]


@dataclass(frozen=True)
class Compiled:
    # A network that is traced once, as in training: of all strategies together each step by itself takes far longer.
    network: Network
    function: Any

    def __call__(self, inputs, states):
        return self.function(inputs, tuple(states))

    def __getattr__(self, name):
        return getattr(self.network, name)


def compiled(network):
    signature = (INPUTS_SIGNATURE, network.states_signature)
    return Compiled(network, tf.function(network.__call__, input_signature=signature))


def by_keras(network):
    # The same network, its recurrent layers computed step by step.
    other = Network(network.config, "keras")
    for variable, like in zip(other.trainable_variables, network.trainable_variables, strict=True):
        variable.assign(like)
    assert other.kernel == "keras"
    return other


def batches_of(name, sequences, seed=0, padding="post", **settings):
    plan = make_strategy(name, {**SETTINGS, **settings}).plan(sequences.lengths, epoch_rng(seed, 0))
    return [collate(plan, number, sequences, padding) for number in range(len(plan))]


def epoch_logits(network, batches):
    # (sequence, step within it) -> logits; states go on from batch to batch as in training.
    found, read, states = {}, dict.fromkeys(range(len(LENGTHS)), 0), None
    for batch in batches:
        inputs, targets = network_inputs(network.config, batch)
        if states is None or not batch.continues:
            states = network.zero_states(len(batch.tokens))
        logits, states = network(inputs, [state[: len(batch.tokens)] for state in states])
        for segment, scores in zip(targets.segments.tolist(), logits.numpy(), strict=True):
            sequence = int(batch.sequences[segment])
            found[sequence, read[sequence]] = scores
            read[sequence] += 1
    return found


def alone(network, sequences):
    # Each sequence in a batch of its own.
    return epoch_logits(network, batches_of("padded", sequences, batch_size=1))


def assert_same_logits(left, right):
    # All by one scale: a row of small logits has the rounding errors of the states that all are read from.
    assert left.keys() == right.keys()
    assert_close(*(np.array([logits[key] for key in right]) for logits in (left, right)))


def sums_and_gradients(network, batches):
    # Summed loss of all batches, and its gradients.
    total, gradients, states = 0.0, [0.0] * len(network.trainable_variables), None
    for batch in batches:
        inputs, targets = network_inputs(network.config, batch)
        if states is None or not batch.continues:
            states = network.zero_states(len(batch.tokens))
        with tf.GradientTape() as tape:
            logits, states = network(inputs, [state[: len(batch.tokens)] for state in states])
            loss, _ = cross_entropy(logits, targets.labels)
        total += float(loss)
        made = tape.gradient(loss, network.trainable_variables, unconnected_gradients="zero")
        gradients = [before + tf.convert_to_tensor(now).numpy() for before, now in zip(gradients, made, strict=True)]
    return total, gradients


def assert_same_gradients(left, right):
    assert_close(left[0], right[0])
    # What is added up is of size 1, also where it cancels out.
    assert_close(left[1], right[1], terms=1.0)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("cell", "kernel"), CELLS_AND_KERNELS)
def test_logits_are_the_same_under_every_strategy(make_network, make_sequences, cell, kernel):
    network, sequences = make_network("seq2seq", cell=cell), make_sequences(LENGTHS)
    network = compiled(by_keras(network) if kernel == "keras" else network)
    expected = alone(network, sequences)
    assert len(expected) == sum(LENGTHS)
    # Of every cell another epoch.
    seed = CELLS_AND_KERNELS.index((cell, kernel))
    for name in sorted(STRATEGIES):
        assert_same_logits(epoch_logits(network, batches_of(name, sequences, seed)), expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "changes",
    [
        {"layers": 3, "cell": "peephole_lstm"},
        {"initial_state": "zeros", "masking": True, "cell": "layer_norm_gru"},
        {"input": "one_hot", "activation": "relu", "cell": "simple"},
    ],
)
def test_logits_are_the_same_for_stacked_masked_and_one_hot_networks(make_network, make_sequences, changes):
    network, sequences = compiled(make_network("seq2seq", **changes)), make_sequences(LENGTHS)
    expected = alone(network, sequences)
    for name in sorted(STRATEGIES):
        assert_same_logits(epoch_logits(network, batches_of(name, sequences)), expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("changes", [{}, {"input": "one_hot", "activation": "relu", "cell": "simple"}])
def test_logits_are_other_ones_where_a_packed_neighbour_or_a_carried_state_is_mistaken(
    make_network, make_sequences, changes
):
    # What the tests above would see, also where logits are near 77.
    network, sequences = make_network("seq2seq", **changes), make_sequences(LENGTHS)
    expected = alone(network, sequences)
    packed, truncated = (batches_of(name, sequences) for name in ("packed", "truncated"))
    joined = [replace(batch, resets=batch.resets & (np.arange(batch.resets.shape[1]) == 0)) for batch in packed]
    forgetful = [replace(batch, continues=False) for batch in truncated]
    for batches in (joined, forgetful):
        with pytest.raises(AssertionError, match="units in the last place"):
            assert_same_logits(epoch_logits(network, batches), expected)


@pytest.mark.sampled(1)
@pytest.mark.native
@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("classifier", {}),
        ("seq2seq", {}),
        ("classifier", {"cell": "lstm", "layers": 2}),
        ("seq2seq", {"cell": "simple", "input": "one_hot", "masking": True}),
        ("classifier", {"bidirectional": True, "layers": 2, "initial_state": "zeros"}),
        ("seq2seq", {"cell": "lstm", "bidirectional": True, "masking": True}),
        ("classifier", {"front_end": "conv1d", "kernel": 4, "stride": 2, "bidirectional": True}),
        ("seq2seq", {"front_end": "conv1d", "kernel": 4, "stride": 2}),
        ("classifier", {"readout": "mean", "layers": 2}),
        ("classifier", {"readout": "max", "bidirectional": True, "cell": "lstm", "masking": True}),
        ("classifier", {"readout": "mean", "front_end": "conv1d", "stride": 2}),
        pytest.param("classifier", {"readout": "mean_max", "bidirectional": True}, marks=pytest.mark.long),
    ],
)
def test_the_kernel_changes_no_logits_and_no_gradients(make_network, make_sequences, task, changes):
    native, sequences = make_network(task, **changes), make_sequences(LENGTHS)
    assert native.kernel == "native"
    keras = by_keras(native)
    cases = [("bucketed", "post")] if "front_end" in changes else [("padded", "pre"), ("packed", "post")]
    cases += [("truncated", "post")] if not changes.keys() & {"bidirectional", "front_end", "readout"} else []
    for name, padding in cases:
        # Lanes of several sequences each; what is whole is in as few batches as there can be.
        batches = batches_of(name, sequences, padding=padding, batch_size=4 if name == "truncated" else len(LENGTHS))
        assert_same_gradients(sums_and_gradients(native, batches), sums_and_gradients(keras, batches))
    assert_same_logits(epoch_logits(native, batches), epoch_logits(keras, batches))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("masking", [False, True])
def test_logits_are_the_same_in_both_directions_and_however_rows_are_filled_up(make_network, make_sequences, masking):
    sequences = make_sequences(LENGTHS)
    network = compiled(make_network("seq2seq", cell="gru", layers=2, bidirectional=True, masking=masking))
    expected = alone(network, sequences)
    for name in sorted(set(STRATEGIES) - {"truncated"}):
        # Where rows are filled up at the end all the tests of one direction do it.
        assert_same_logits(epoch_logits(network, batches_of(name, sequences, padding="pre")), expected)
    assert_same_logits(epoch_logits(network, batches_of("padded", sequences)), expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("conv_padding", ["causal", "same", "valid"])
def test_logits_are_the_same_behind_a_front_end(make_network, make_sequences, conv_padding):
    network = make_network(
        "seq2seq", front_end="conv1d", kernel=4, stride=3, conv_padding=conv_padding, bidirectional=True
    )
    sequences = make_sequences(LENGTHS)
    expected = alone(network, sequences)
    for name in sorted(set(STRATEGIES) - {"packed", "truncated"}):
        assert_same_logits(epoch_logits(network, batches_of(name, sequences)), expected)


# Traced for long; their logits are compared above, and layer_norm_lstm stands for them here.
SLOW_CELLS = ("layer_norm_gru", "layer_norm_simple", "peephole_lstm")


# A task is another readout, and no other cell.
@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("cell", "kernel", "task"),
    [
        *(
            pytest.param(
                *pair, sorted(LABEL_TASKS)[number % 2], marks=[pytest.mark.long] if pair[0] in SLOW_CELLS else []
            )
            for number, pair in enumerate(CELLS_AND_KERNELS)
        ),
        ("gru", "auto", sorted(LABEL_TASKS)[1]),
    ],
)
def test_loss_and_gradients_are_the_same_for_the_same_sequences(make_network, make_sequences, cell, kernel, task):
    network, sequences = make_network(task, cell=cell), make_sequences(LENGTHS)
    network = compiled(by_keras(network) if kernel == "keras" else network)
    # No cut: a window longer than all sequences together, so that no gradient stops.
    expected = sums_and_gradients(network, batches_of("padded", sequences, batch_size=len(LENGTHS)))
    for name in sorted(STRATEGIES):
        batches = batches_of(name, sequences, window=12 if name == "packed" else 10_000)
        assert name != "truncated" or len(batches) == 1
        assert_same_gradients(sums_and_gradients(network, batches), expected)


def test_a_cut_stops_the_gradient_and_not_the_state(make_network, make_sequences):
    network, sequences = make_network("classifier"), make_sequences([12])
    whole = sums_and_gradients(network, batches_of("padded", sequences))
    cut = sums_and_gradients(network, batches_of("truncated", sequences))
    assert cut[0] == pytest.approx(whole[0], rel=1e-5)
    names = [variable.path.split("/", 1)[1] for variable in network.trainable_variables]
    initial = names.index("forward_0/initial_state_0/state")
    assert np.abs(whole[1][initial]).max() > 1e-6
    assert not cut[1][initial].any()


def widened(batch, steps, rng):
    # More padding, with ids in it that no mask may be made from.
    def wider(values, filler):
        return np.concatenate([values, filler], axis=1)

    rows = len(batch.tokens)
    nothing = np.zeros((rows, steps), bool)
    garbage = rng.integers(0, 20, (rows, steps)).astype(np.int32)
    return lambda inputs: Inputs(
        wider(batch.tokens, garbage), wider(batch.mask, nothing), wider(batch.resets, nothing), inputs.positions
    )


# With a task each; only a classifier pools.
PADDED = [
    ("classifier", {}),
    ("seq2seq", {"masking": True}),
    ("seq2seq", {"bidirectional": True}),
    ("classifier", {"bidirectional": True, "masking": True, "layers": 2, "cell": "layer_norm_lstm"}),
    ("seq2seq", {"front_end": "conv1d", "conv_padding": "same", "stride": 1}),
    ("classifier", {"front_end": "conv1d", "conv_padding": "valid", "stride": 2, "bidirectional": True}),
    ("seq2seq", {"front_end": "conv1d", "conv_padding": "causal", "kernel": 5, "masking": True, "cell": "lstm"}),
    ("classifier", {"readout": "mean"}),
    ("classifier", {"readout": "max", "masking": True, "bidirectional": True, "layers": 2}),
    ("classifier", {"readout": "mean_max", "front_end": "conv1d", "conv_padding": "valid", "stride": 2}),
]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("task", "changes", "kernel"),
    [
        *((task, changes, "auto") for task, changes in PADDED),
        *((task, changes, "keras") for task, changes in PADDED if changes.get("cell") != "layer_norm_lstm"),
    ],
)
def test_padding_changes_nothing(make_network, make_sequences, task, changes, kernel):
    network, sequences = make_network(task, **changes), make_sequences([1, 6, 3, 5])
    network = by_keras(network) if kernel == "keras" else network
    rng = np.random.default_rng(5)
    (batch,) = batches_of("padded", sequences, batch_size=100)
    inputs, targets = network_inputs(network.config, batch)
    results = []
    for steps in (0, 1, 5):
        with tf.GradientTape() as tape:
            logits, _ = network(widened(batch, steps, rng)(inputs))
            loss, count = cross_entropy(logits, targets.labels)
            mean = loss / count
        gradients = [tf.convert_to_tensor(made).numpy() for made in tape.gradient(mean, network.trainable_variables)]
        results.append((logits.numpy(), float(mean), gradients))
    for logits, mean, gradients in results[1:]:
        assert_close(logits, results[0][0])
        assert_close(mean, results[0][1])
        for left, right in zip(gradients, results[0][2], strict=True):
            assert_close(left, right)


def test_a_classifier_predicts_each_sequence_once_where_it_ends(make_network, make_sequences):
    sequences = make_sequences(LENGTHS)
    classifier, seq2seq = make_network("classifier"), make_network("seq2seq")
    last = {place: length - 1 for place, length in enumerate(LENGTHS)}
    everywhere = alone(seq2seq, sequences)
    for name in sorted(STRATEGIES):
        found = epoch_logits(classifier, batches_of(name, sequences))
        assert sorted(found) == [(place, 0) for place in range(len(LENGTHS))]
        for (place, _), scores in found.items():
            assert_close(scores, everywhere[place, last[place]])


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("changes", "kernel"),
    [
        ({"readout": "mean"}, "auto"),
        ({"readout": "max", "bidirectional": True, "masking": True}, "auto"),
        ({"readout": "mean_max"}, "auto"),
        pytest.param({"readout": "mean"}, "keras", marks=pytest.mark.long),
        pytest.param({"readout": "max", "bidirectional": True, "masking": True}, "keras", marks=pytest.mark.long),
    ],
)
def test_a_pooled_readout_is_the_same_under_every_strategy_that_keeps_sequences_whole(
    make_network, make_sequences, changes, kernel
):
    network, sequences = make_network("classifier", **changes), make_sequences(LENGTHS)
    network = compiled(by_keras(network) if kernel == "keras" else network)
    expected = alone(network, sequences)
    whole = sums_and_gradients(network, batches_of("padded", sequences, batch_size=len(LENGTHS)))
    # Keras computes any step as any other.
    names = ["exact", "packed", "padded"] if kernel == "keras" else sorted(set(STRATEGIES) - {"truncated"})
    for number, name in enumerate(names):
        batches = batches_of(name, sequences, padding=("post", "pre")[number % 2])
        assert_same_logits(epoch_logits(network, batches), expected)
        assert_same_gradients(sums_and_gradients(network, batches), whole)
