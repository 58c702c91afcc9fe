import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.batching.collate import collate
from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.batching.plan import batches_in_order, epoch_rng
from lengthwise.batching.registry import make_strategy
from lengthwise.batching.truncated import Truncated
from lengthwise.core.names import LABEL_TASKS, TASKS
from lengthwise.models.ensemble import make_network as make_network_of
from lengthwise.models.inputs import network_inputs
from lengthwise.training.step import Steps
from lengthwise.training.sums import Sums


@pytest.fixture
def make_batch(make_sequences):
    def make(lengths, vocabulary_size=20, seed=0):
        sequences = make_sequences(lengths, vocabulary_size, seed)
        return collate(batches_in_order(sequences.lengths, np.arange(len(lengths)), len(lengths)), 0, sequences)

    return make


def dense_gradients(network, batch):
    inputs, targets = network_inputs(network.config, batch)
    with tf.GradientTape() as tape:
        logits, _ = network(inputs)
        chosen = tf.gather(tf.nn.log_softmax(logits), targets.labels, axis=1, batch_dims=1)
        loss = -tf.reduce_mean(chosen)
    gradients = []
    for gradient in tape.gradient(loss, network.trainable_variables):
        if isinstance(gradient, tf.IndexedSlices):
            dense = np.zeros(tuple(gradient.dense_shape.numpy()))
            np.add.at(dense, gradient.indices.numpy(), gradient.values.numpy())
        else:
            dense = gradient.numpy().astype(np.float64)
        gradients.append(dense)
    return gradients


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", LABEL_TASKS)
def test_steps_train_as_adam_does_on_the_dense_gradient(make_network, make_batch, task):
    network = make_network(task, vocabulary_size=4)  # 4 ids for 23 tokens: each is used several times.
    batch = make_batch([5, 9, 2, 7], vocabulary_size=4)
    steps = Steps(network, 0.01, None)
    expected = [variable.numpy().astype(np.float64) for variable in network.trainable_variables]
    first = [np.zeros_like(values) for values in expected]
    second = [np.zeros_like(values) for values in expected]
    for step in range(1, 5):
        for place, gradient in enumerate(dense_gradients(network, batch)):
            first[place] = 0.9 * first[place] + 0.1 * gradient
            second[place] = 0.999 * second[place] + 0.001 * gradient**2
            rate = 0.01 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            expected[place] -= rate * first[place] / (np.sqrt(second[place]) + 1e-7)
        steps.train(steps.prepare(batch))
        for variable, values in zip(network.trainable_variables, expected, strict=True):
            assert_close(variable, values, 1e-4, name=str((step, variable.path)))


def test_steps_move_every_weight_and_the_initial_state(make_network, make_batch):
    network = make_network()
    before = {variable.path: variable.numpy().copy() for variable in network.trainable_variables}
    steps = Steps(network, 0.01, None)
    steps.train(steps.prepare(make_batch([5, 9, 2, 7], vocabulary_size=20)))
    for variable in network.trainable_variables:
        assert not np.array_equal(before[variable.path], variable), variable.path


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", LABEL_TASKS)
def test_steps_return_loss_right_and_count_of_the_weights_before(make_network, make_batch, task):
    network, batch = make_network(task), make_batch([5, 9, 2, 7])
    inputs, targets = network_inputs(network.config, batch)
    logits = network(inputs)[0].numpy().astype(np.float64)
    scores = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    count = len(targets.labels)
    loss = -scores[np.arange(count), targets.labels].sum()
    right = (logits.argmax(axis=1) == targets.labels).sum()
    assert count == {"classifier": 4, "seq2seq": 23}[task]
    steps = Steps(network, 0.01, None)
    assert np.allclose(steps.evaluate(steps.prepare(batch)), [loss, right, count], rtol=1e-5)
    assert np.allclose(steps.train(steps.prepare(batch))[0], [loss, right, count], rtol=1e-5)
    assert not np.allclose(steps.evaluate(steps.prepare(batch))[0], loss, rtol=1e-4)


def test_steps_evaluate_without_dropout_and_without_training(make_network, make_batch):
    network, batch = make_network(dropout=0.9), make_batch([5, 9, 2, 7])
    before = [variable.numpy().copy() for variable in network.trainable_variables]
    steps = Steps(network, 0.01, None)
    assert np.array_equal(steps.evaluate(steps.prepare(batch)), steps.evaluate(steps.prepare(batch)))
    after = [variable.numpy() for variable in network.trainable_variables]
    assert all(np.array_equal(left, right) for left, right in zip(before, after, strict=True))


def test_steps_clip_the_norm_of_all_gradients_together(make_network, make_batch):
    batch = make_batch([5, 9, 2, 7])
    norm = np.sqrt(sum((gradient**2).sum() for gradient in dense_gradients(make_network(), batch)))
    updates = []
    for clip_norm in (None, norm * 1.01, norm / 100):
        network = make_network()
        steps = Steps(network, 0.01, clip_norm)
        # Adam's first step does not see the gradients' size: its second moments do.
        steps.train(steps.prepare(batch))
        updates.append([variable.numpy() for variable in steps.optimizer.variables])
    assert_close(updates[0], updates[1])
    moments = [np.sqrt(sum((values**2).sum() for values in update if values.ndim)) for update in updates]
    assert np.isclose(moments[2], moments[0] / 100, rtol=0.01)


def test_steps_carry_the_states_of_rows_that_continue(make_network, make_sequences):
    sequences = make_sequences([7, 5, 9, 4])
    plan = Truncated(batch_size=2, window=4).plan(sequences.lengths, epoch_rng(1, 0))
    network = make_network("seq2seq")
    steps = Steps(network, 1e-12, None)  # Weights as good as still, so that the windows' losses add up.
    whole = steps.evaluate(steps.prepare(collate(evaluation_plan(sequences.lengths), 0, sequences)))
    sums, states = Sums(), None
    for number in range(len(plan)):
        figures, states = steps.train(steps.prepare(collate(plan, number, sequences)), states)
        sums.add(figures)
    assert np.allclose([sums.loss, sums.correct, sums.count], whole, rtol=1e-5)


def test_steps_learn_nothing_from_a_window_without_predictions(make_network, make_sequences):
    sequences = make_sequences([9])
    plan = Truncated(batch_size=1, window=3).plan(sequences.lengths, epoch_rng(1, 0))
    network = make_network("classifier")
    before = [variable.numpy() for variable in network.trainable_variables]
    steps = Steps(network, 0.1, None)
    figures, _ = steps.train(steps.prepare(collate(plan, 0, sequences)))
    assert figures.tolist() == [0, 0, 0]
    assert all(np.array_equal(left, right) for left, right in zip(before, network.trainable_variables, strict=True))


def test_steps_drop_outputs_anew_in_each_training_step(make_network, make_batch):
    network, batch = make_network(dropout=0.9), make_batch([5, 9, 2, 7])
    steps = Steps(network, 1e-12, None)
    assert len({float(steps.train(steps.prepare(batch))[0][0]) for _ in range(5)}) > 1


def test_steps_are_traced_once_for_26_widths_and_any_number_of_rows(make_network, make_batch):
    network = make_network()
    steps = Steps(network, 0.01, None)
    for width in range(5, 31):
        steps.train(steps.prepare(make_batch([width] * (1 + width % 3))))
    assert steps.traces == 1
    for width in range(5, 31, 5):
        steps.evaluate(steps.prepare(make_batch([width, 2])))
    assert steps.traces == 2


def test_sums_add_up_and_divide_last():
    sums = Sums()
    sums.add(np.array([3.0, 1.0, 2.0], np.float32))
    sums.add(np.array([1.0, 1.0, 6.0], np.float32))
    assert sums == Sums(4.0, 2.0, 8.0)
    assert (sums.mean_loss, sums.accuracy) == (0.5, 0.25)


def test_sums_of_nothing_are_zero():
    assert (Sums().mean_loss, Sums().accuracy) == (0.0, 0.0)


def twin(network, kernel):
    other = make_network_of(network.config, kernel)
    for variable, like in zip(other.trainable_variables, network.trainable_variables, strict=True):
        variable.assign(like)
    return other


SETTINGS = {"batch_size": 3, "buckets": 2, "tokens": 40, "window": 5}
CONVOLUTION = {"front_end": "conv1d", "kernel": 4, "stride": 2, "conv_padding": "same"}


@pytest.mark.sampled(1)
@pytest.mark.native
@pytest.mark.parametrize(
    ("task", "name", "changes"),
    [
        *((task, name, {}) for task, name in zip(sorted(TASKS), ("packed", "truncated") * 3, strict=False)),
        ("classifier", "bucketed", {"input": "one_hot", "vocabulary_size": 7}),
        ("seq2seq", "token_budget", {"input": "one_hot", "cell": "lstm"}),
        ("classifier", "truncated", {"layers": 2, "cell": "simple", "initial_state": "zeros"}),
        pytest.param("classifier", "bucketed", {"readout": "mean"}, marks=pytest.mark.long),
        ("classifier", "packed", {"readout": "mean"}),
        ("classifier", "packed", {"readout": "gated"}),
        ("classifier", "packed", {"readout": "mean_max", "ensemble": 2}),
        ("classifier", "packed", {"bidirectional": True, "cell": "layer_norm_gru", "layers": 2}),
        ("tagger", "bucketed", {"bidirectional": True, "initial_state": "learned"}),
        pytest.param("classifier", "packed", {"bidirectional": True, "readout": "mean"}, marks=pytest.mark.long),
        ("classifier", "packed", {"several": True}),
        ("tagger", "packed", {"affixes": 3}),
        ("regressor", "truncated", {"features": 2, "feature_columns": ("features",), "tokens": False}),
        ("language_model", "truncated", {"features": 2, "feature_columns": ("features",), "affixes": 2, "layers": 2}),
        ("tagger", "truncated", {"ensemble": 2}),
        ("regressor", "bucketed", {"ensemble": 2, "readout": "attention"}),
        ("seq2seq", "packed", {"ensemble": 2, "several": True}),
        pytest.param("classifier", "padded", {"readout": "max", "layers": 2}, marks=pytest.mark.long),
    ],
)
def test_steps_over_flat_batches_are_those_over_padded_ones(make_network, make_sequences, task, name, changes):
    assert_flat_as_padded(make_network, make_sequences, task, name, changes)


@pytest.mark.sampled(1)
@pytest.mark.native
@pytest.mark.parametrize(
    ("task", "name", "changes"),
    [
        # Strategies with one sequence a row.
        ("classifier", "padded", {}),
        ("seq2seq", "bucketed", {"conv_padding": "valid", "readout": "last"}),
        ("classifier", "token_budget", {"conv_padding": "causal", "bidirectional": True, "layers": 2}),
        ("classifier", "exact", {"input": "one_hot", "stride": 3}),
        ("regressor", "bucketed", {"readout": "attention", "affixes": 2}),
        ("seq2seq", "padded", {"ensemble": 2, "stride": 1}),
    ],
)
def test_steps_behind_a_front_end_are_those_over_padded_batches(make_network, make_sequences, task, name, changes):
    assert_flat_as_padded(make_network, make_sequences, task, name, CONVOLUTION | changes)


def assert_flat_as_padded(make_network, make_sequences, task, name, changes):
    lengths = [1, 7, 3, 12, 2, 5, 9, 1, 4, 4, 30, 6]
    sequences = make_sequences(lengths, changes.get("vocabulary_size", 20), 0)
    plan = make_strategy(name, SETTINGS).plan(sequences.lengths, epoch_rng(1, 0))
    flat = make_network(task, dropout=0.0, masking=True, **changes)
    padded = twin(flat, "keras")
    assert flat.reads_flat_batches
    assert not padded.reads_flat_batches
    made = []
    for network in (flat, padded):
        steps = Steps(network, 0.01, 0.5)
        figures, states = zip(*steps.train_over(plan, sequences), strict=True)
        evaluated = np.concatenate(list(steps.evaluate_over(evaluation_plan(sequences.lengths), sequences)))
        assert steps.traces == 2
        made.append((np.concatenate(figures), evaluated, states[-1], network.trainable_variables))
    assert_close(*made, 1e-4)


@pytest.mark.sampled(1)
@pytest.mark.native
@pytest.mark.parametrize(("name", "changes"), [("bucketed", {}), ("truncated", {}), ("bucketed", CONVOLUTION)])
def test_steps_over_the_rest_of_a_plan_go_on_from_the_states_before(make_network, make_sequences, name, changes):
    sequences = make_sequences(np.random.default_rng(0).integers(1, 40, 50), 20, 0)
    plan = make_strategy(name, SETTINGS).plan(sequences.lengths, epoch_rng(1, 0))
    whole = make_network(dropout=0.0, **changes)
    parts = twin(whole, "native")
    expected = [figures for figures, _ in Steps(whole, 0.01, None).train_over(plan, sequences)]
    # Each call that is cut off gives on its states, through NumPy, as a run that is resumed does.
    steps, found, states = Steps(parts, 0.01, None), [], None
    while (first := sum(map(len, found))) < len(plan):
        figures, states = next(steps.train_over(plan, sequences, first, states=states))
        states = [np.array(state) for state in states]
        found.append(figures)
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    for ours, theirs in zip(parts.trainable_variables, whole.trainable_variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.native
def test_steps_of_one_call_are_few_enough_to_stop_between_them(make_network, make_sequences, monkeypatch):
    monkeypatch.setattr("lengthwise.training.calls.CALL_TOKENS", 100)
    lengths = np.concatenate([np.ones(120, int), [150, 30, 30, 30, 30]])
    sequences = make_sequences(lengths, 20, 0)
    plan = batches_in_order(sequences.lengths, np.arange(len(lengths)), 1)
    calls = [len(figures) for figures, _ in Steps(make_network(), 0.01, None).train_over(plan, sequences)]
    # The first step alone, then sixteen, or as many as have a hundred tokens together.
    assert calls == [1, *[16] * 7, 8, 4]
    assert sum(calls) == len(plan) == 125


def test_steps_over_a_plan_without_batches_change_nothing(make_network, make_sequences):
    sequences = make_sequences([], 20, 0)
    plan = make_strategy("padded", SETTINGS).plan(sequences.lengths, epoch_rng(1, 0))
    steps = Steps(make_network(), 0.01, None)
    assert list(steps.train_over(plan, sequences)) == []
    assert list(steps.evaluate_over(plan, sequences)) == []


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "kernel", [pytest.param("native", marks=pytest.mark.native), pytest.param("keras", marks=pytest.mark.long)]
)
def test_steps_drop_words_in_training_only(make_network, make_sequences, kernel):
    sequences = make_sequences([9, 5, 7, 3])
    plan = make_strategy("padded", SETTINGS).plan(sequences.lengths, epoch_rng(1, 0))
    losses = {}
    # By chance alone, one in seventy times the loss without the words is that of all words, to a thousandth.
    keras.utils.set_random_seed(1)
    for rate in (0.0, 0.8):
        # Weights as good as still.
        steps = Steps(twin(make_network(word_dropout=rate), kernel), 1e-12, None)
        trained = sum(figures.sum(axis=0)[0] for figures, _ in steps.train_over(plan, sequences))
        evaluated = sum(figures.sum(axis=0)[0] for figures in steps.evaluate_over(plan, sequences))
        losses[rate] = trained, evaluated
    assert losses[0.8][1] == pytest.approx(losses[0.0][1], rel=1e-6)
    assert losses[0.0][0] == pytest.approx(losses[0.0][1], rel=1e-5)
    assert losses[0.8][0] != pytest.approx(losses[0.8][1], rel=1e-3)
