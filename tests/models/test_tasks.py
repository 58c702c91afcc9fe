import numpy as np
import pytest

from lengthwise.batching.collate import collate
from lengthwise.batching.plan import Plan, batches_in_order
from lengthwise.models.tasks import PREDICTIONS_AT, at_every_step, at_last_step


@pytest.fixture
def packed(make_sequences):
    # Row 0: sequences 1 and 0 with a gap between them; row 1: sequence 2.
    sequences = make_sequences([2, 3, 1])
    columns = ([1, 0, 2], [0, 0, 0], [3, 2, 1], [0, 0, 0], [0, 0, 1], [0, 4, 0])
    return collate(Plan(*(np.array(column, np.int32) for column in columns)), 0, sequences), sequences


def test_tasks_are_the_two_models():
    assert {"classifier": at_last_step, "seq2seq": at_every_step} == PREDICTIONS_AT


def test_classifier_predicts_once_per_sequence_at_its_last_step(packed):
    batch, sequences = packed
    targets = at_last_step(batch)
    assert targets.positions.tolist() == [[0, 2], [0, 5], [1, 0]]
    assert targets.segments.tolist() == [0, 1, 2]
    assert targets.labels.tolist() == sequences["label"][[1, 0, 2]].tolist()


def test_seq2seq_predicts_at_every_token_and_at_no_padding(packed):
    batch, sequences = packed
    targets = at_every_step(batch)
    assert targets.positions.tolist() == [[0, 0], [0, 1], [0, 2], [0, 4], [0, 5], [1, 0]]
    assert targets.segments.tolist() == [0, 0, 0, 1, 1, 2]
    assert targets.labels.tolist() == sequences["label"][[1, 1, 1, 0, 0, 2]].tolist()


@pytest.mark.parametrize("task", sorted(PREDICTIONS_AT))
def test_tasks_give_integers_of_32_bits(packed, task):
    targets = PREDICTIONS_AT[task](packed[0])
    assert {array.dtype.name for array in (targets.positions, targets.segments, targets.labels)} == {"int32"}


def test_seq2seq_ends_each_sequence_where_the_classifier_reads_it(make_sequences):
    sequences = make_sequences([3, 7, 1, 4])
    batch = collate(batches_in_order(sequences.lengths, np.array([2, 0, 3, 1]), 4), 0, sequences)
    every, last = at_every_step(batch), at_last_step(batch)
    ends = np.flatnonzero(np.diff(every.segments, append=-1))
    assert every.positions[ends].tolist() == last.positions.tolist()
    assert every.labels[ends].tolist() == last.labels.tolist()
    assert len(every.labels) == 15
