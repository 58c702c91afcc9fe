import numpy as np
import pytest
from closeness import assert_close

from lengthwise.batching import for_evaluation
from lengthwise.batching.collate import collate
from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.models.inputs import network_inputs
from lengthwise.models.prediction import predict_split


def log_softmax(logits):
    logits = logits.astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", ["classifier", "seq2seq"])
def test_predict_split_scores_each_sequence_once_and_in_order(make_network, make_sequences, monkeypatch, task):
    monkeypatch.setattr(for_evaluation, "EVALUATION_STEPS", 40)  # Several batches.
    sequences = make_sequences(np.random.default_rng(3).integers(1, 12, 30), seed=4)
    network, seq2seq = make_network(task), make_network("seq2seq")
    made = predict_split(network, sequences)
    right, count = (np.zeros(int(sequences.lengths.max()), int) for _ in range(2))
    for place in range(30):
        alone = sequences.take([place])
        inputs = network_inputs(seq2seq.config, collate(evaluation_plan(alone.lengths), 0, alone))[0]
        scores = log_softmax(network(inputs)[0].numpy())
        assert_close(made.log_probabilities[place], scores[-1])
        steps = range(len(scores)) if task == "seq2seq" else [len(scores) - 1]
        for step in steps:
            right[step] += int(scores[step].argmax() == sequences["label"][place])
            count[step] += 1
    assert made.step_right.tolist() == right.tolist()
    assert made.step_count.tolist() == count.tolist()
    assert made.step_count.sum() == {"classifier": 30, "seq2seq": sequences.lengths.sum()}[task]


def test_predict_split_does_not_depend_on_the_rows_of_a_batch(make_network, make_sequences, monkeypatch):
    sequences = make_sequences(np.random.default_rng(5).integers(1, 9, 20))
    network = make_network("classifier")
    monkeypatch.setattr(for_evaluation, "EVALUATION_STEPS", 1)
    alone = predict_split(network, sequences).log_probabilities
    monkeypatch.setattr(for_evaluation, "EVALUATION_STEPS", 1000)
    assert_close(predict_split(network, sequences).log_probabilities, alone)


def test_predict_split_gives_the_same_bits_twice(make_network, make_sequences):
    sequences = make_sequences(np.random.default_rng(6).integers(1, 9, 20))
    network = make_network("seq2seq")
    first, second = (predict_split(network, sequences).log_probabilities for _ in range(2))
    assert np.array_equal(first, second)


def test_predict_split_of_nothing_is_nothing(make_network, make_sequences):
    made = predict_split(make_network("classifier"), make_sequences([]))
    assert made.log_probabilities.shape == (0, 6)
    assert len(made.step_count) == len(made.step_right) == 0
