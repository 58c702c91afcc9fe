# A network of groups says what is said by reading each sequence alone and then each group alone.
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.batching.collate import collate
from lengthwise.batching.padded import Padded
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.core.names import OUTERS
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.models import group_prediction
from lengthwise.models.ensemble import make_network
from lengthwise.models.group_prediction import group_logits
from lengthwise.models.groups import groups_of, of_each_sequence
from lengthwise.models.inputs import network_inputs
from lengthwise.models.prediction import predict_split
from lengthwise.models.saved import load_network, save_network
from lengthwise.training.group_parts import GroupsInMemory
from lengthwise.training.group_steps import GroupSteps

SETTINGS = {"batch_size": 3, "buckets": 2, "tokens": 30, "window": 4}
WHOLE = sorted(name for name, kind in STRATEGIES.items() if not kind.packs and not kind.cuts)
READS = [name for name in OUTERS if name != "none"]


@pytest.fixture(scope="module")
def sequences(make_sequences):
    made = make_sequences(np.random.default_rng(0).integers(1, 9, 30))
    rng = np.random.default_rng(3)
    group = rng.integers(0, 7, 30) * 10
    columns = {"group": group, "sequence": rng.permutation(30), "label": group // 10 % 6}
    return Sequences(made.offsets, made.per_step, columns)


def alone(network, nested):
    # Logits of each group, every sequence and every group by itself.
    said = []
    for number in range(len(nested.inner)):
        one = nested.inner[number : number + 1]
        batch = collate(Padded(1).plan(one.lengths), 0, one)
        said.append(network.say(network_inputs(network.config, batch)[0])[0])
    logits = []
    for begin, end in zip(nested.outer.offsets[:-1], nested.outer.offsets[1:], strict=True):
        place = np.arange(end - begin, dtype=np.int32)[np.newaxis]
        logits.append(network.judge(np.stack(said[begin:end]), place)[0])
    return np.stack(logits)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("outer", READS)
@pytest.mark.parametrize("kernel", ["native", pytest.param("keras", marks=pytest.mark.long)])
@pytest.mark.parametrize("changes", [{"readout": "mean_max"}, {"front_end": "conv1d"}, {"bidirectional": True}])
def test_group_logits_equal_those_of_each_sequence_and_group_alone(
    sequences, make_config, monkeypatch, outer, kernel, changes
):
    network = make_network(make_config(outer=outer, **changes), kernel)
    nested = groups_of(sequences)
    expected = alone(network, nested)
    assert_close(group_logits(network, nested), expected)
    # However small the batches are.
    small = Padded(2).plan(nested.outer.lengths), Padded(3).plan(nested.inner.lengths)
    monkeypatch.setattr(group_prediction, "evaluation_plan", lambda lengths: small[len(lengths) == len(nested.inner)])
    assert_close(group_logits(network, nested), expected)


@pytest.fixture(scope="module")
def reader(sequences, make_config):
    # A network, and by the size of the sample what it says of each group that was drawn, read alone.
    network = make_network(make_config(outer="attention", readout="attention"), "native")
    nested, said = groups_of(sequences), {}
    for sample in (None, 2):
        drawn = groups_of(nested.inner.take(GroupsInMemory(nested, sample).plans(Padded(3), 5).of(1, 0).drawn))
        said[sample] = dict(zip(drawn.outer["group"].tolist(), alone(network, drawn), strict=True))
    call = tf.function(lambda inputs: network(inputs)[0], input_signature=(network.inputs_signature,))
    return network, call, said


def batches_of(network, nested, strategy, sample=None, padding="post"):
    plan = GroupsInMemory(nested, sample).plans(strategy, 5).of(1, 0)
    steps = GroupSteps(network, 0.01, None)
    return plan, list(steps._padded(plan, nested, 0, padding))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("sample", [None, 2])
@pytest.mark.parametrize("padding", ["post", "pre"])
def test_batches_of_every_strategy_that_reads_whole_groups_say_the_same(sequences, reader, name, sample, padding):
    network, call, said = reader
    nested = groups_of(sequences)
    plan, batches = batches_of(network, nested, make_strategy(name, SETTINGS), sample, padding)
    seen = []
    for number, batch in enumerate(batches):
        logits = call(batch.inputs).numpy()
        spans = plan.outer.sequence[plan.outer.offsets[number] : plan.outer.offsets[number + 1]]
        for group, label, of_group in zip(nested.outer["group"][spans], batch.labels.numpy(), logits, strict=True):
            assert_close(of_group, said[sample][int(group)])
            assert label == group // 10 % 6
            seen.append(int(group))
    assert sorted(seen) == sorted(said[sample])


def test_loss_and_gradients_are_the_same_however_groups_are_batched(sequences, make_config):
    network = make_network(make_config(outer="gated", dropout=0.0), "native")
    nested, found = groups_of(sequences), []
    for strategy in (Padded(100), Padded(1), make_strategy("token_budget", SETTINGS)):
        steps = GroupSteps(network, 0.01, None)
        with tf.GradientTape() as tape:
            small = 0.0
            for batch in batches_of(network, nested, strategy)[1]:
                small += steps._figures(network(batch.inputs, training=True)[0], batch.labels)[0]
        gradients = tape.gradient(small, network.trainable_variables)
        assert None not in gradients
        # As one: single gradients may be small sums of large terms.
        parts = [tf.reshape(tf.convert_to_tensor(gradient), [-1]).numpy() for gradient in gradients]
        found.append((float(small), np.concatenate(parts)))
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert_close(other, one)


def test_each_sequence_gets_what_is_said_of_its_group_and_a_saved_network_says_the_same(
    sequences, make_config, tmp_path
):
    network = make_network(make_config(outer="last"), "native")
    nested = groups_of(sequences)
    scores = predict_split(network, sequences, None).log_probabilities
    expected = tf.nn.log_softmax(group_logits(network, nested)).numpy()
    for number, group in enumerate(sequences["group"]):
        assert_close(scores[number], expected[nested.outer["group"].tolist().index(group)])
    assert of_each_sequence(nested, sequences, nested.outer["label"]).tolist() == sequences["label"].tolist()
    save_network(network, tmp_path / "model")
    again = load_network(tmp_path / "model", "native")
    assert predict_split(again, sequences, None).log_probabilities.tobytes() == scores.tobytes()


def test_groups_of_different_labels_and_several_networks_are_rejected(sequences, make_config):
    mixed = Sequences(sequences.offsets, sequences.per_step, {**sequences.per_sequence, "label": np.arange(30)})
    with pytest.raises(ArgumentError, match=r"^outer: reads groups, and got 'label', which differs within group \d+;"):
        groups_of(mixed)
    with pytest.raises(ArgumentError, match=r"^ensemble: got 2 networks of groups; expected 1$"):
        make_network(make_config(outer="last", ensemble=2), "keras")
