import numpy as np
import pytest

from lengthwise.batching.collate import collate
from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.batching.plan import Plan, batches_in_order, epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.core.names import EVERY_STEP_TASKS, LABEL_TASKS, STEP_TASKS, TASKS
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.models.tasks import (
    NOTHING,
    TARGETS,
    next_tokens,
    targets_of,
    task_columns,
)


@pytest.fixture
def packed(make_sequences):
    # Row 0: sequences 1 and 0 with a gap between them; row 1: sequence 2.
    sequences = make_sequences([2, 3, 1])
    columns = ([1, 0, 2], [0, 0, 0], [3, 2, 1], [0, 0, 0], [0, 0, 1], [0, 4, 0])
    return collate(Plan(*(np.array(column, np.int32) for column in columns)), 0, sequences), sequences


def test_every_task_has_a_target():
    assert sorted(TARGETS) == sorted(TASKS)
    assert {*STEP_TASKS} < {*EVERY_STEP_TASKS}


def test_classifier_predicts_once_per_sequence_at_its_last_step(packed):
    batch, sequences = packed
    targets = targets_of("classifier", batch)
    assert targets.positions.tolist() == [[0, 2], [0, 5], [1, 0]]
    assert targets.segments.tolist() == [0, 1, 2]
    assert targets.labels.tolist() == sequences["label"][[1, 0, 2]].tolist()


def test_seq2seq_predicts_at_every_token_and_at_no_padding(packed):
    batch, sequences = packed
    targets = targets_of("seq2seq", batch)
    assert targets.positions.tolist() == [[0, 0], [0, 1], [0, 2], [0, 4], [0, 5], [1, 0]]
    assert targets.segments.tolist() == [0, 0, 0, 1, 1, 2]
    assert targets.labels.tolist() == sequences["label"][[1, 1, 1, 0, 0, 2]].tolist()


@pytest.mark.parametrize("task", TASKS)
def test_targets_are_those_of_the_steps_and_sequences_that_stand_in_the_batch(packed, make_config, task):
    batch, sequences = packed
    columns = task_columns(make_config(task), sequences)
    targets = targets_of(task, batch, columns.target)
    assert {array.dtype.name for array in (targets.positions, targets.segments)} == {"int32"}
    steps = batch.steps[tuple(targets.positions.T)]
    spans = batch.sequences[targets.segments]
    expected = {
        **dict.fromkeys(LABEL_TASKS, sequences["label"][spans]),
        "tagger": sequences["tags"][steps],
        "regressor": sequences["numbers"][spans].astype(np.float32),
        "language_model": [
            NOTHING if step + 1 == sequences.offsets[span + 1] else sequences["tokens"][step + 1]
            for step, span in zip(steps, spans, strict=True)
        ],
    }
    np.testing.assert_array_equal(targets.labels, expected[task])


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("task", STEP_TASKS)
def test_every_step_gets_its_own_target_once_an_epoch_under_every_strategy(make_sequences, make_config, task, name):
    rng = np.random.default_rng(len(name))
    sequences = make_sequences(rng.integers(1, 30, 40))
    target = task_columns(make_config(task), sequences).target
    settings = {"batch_size": 4, "buckets": 3, "tokens": 60, "window": 7}
    plan = make_strategy(name, settings).plan(sequences.lengths, epoch_rng(1, 0))
    seen = np.zeros(len(target), int)
    for number in range(len(plan)):
        batch = collate(plan, number, sequences)
        targets = targets_of(task, batch, target)
        steps = batch.steps[batch.mask]
        seen[steps] += 1
        np.testing.assert_array_equal(targets.labels, target[steps])
    assert (seen == 1).all()


def test_the_next_token_of_a_sequence_is_never_that_of_another():
    sequences = Sequences(np.array([0, 2, 2, 3, 6]), {"tokens": np.array([5, 6, 7, 8, 9, 5])})
    assert next_tokens(sequences).tolist() == [6, NOTHING, NOTHING, 9, 5, NOTHING]


def test_seq2seq_ends_each_sequence_where_the_classifier_reads_it(make_sequences):
    sequences = make_sequences([3, 7, 1, 4])
    batch = collate(batches_in_order(sequences.lengths, np.array([2, 0, 3, 1]), 4), 0, sequences)
    every, last = targets_of("seq2seq", batch), targets_of("classifier", batch)
    ends = np.flatnonzero(np.diff(every.segments, append=-1))
    assert every.positions[ends].tolist() == last.positions.tolist()
    assert every.labels[ends].tolist() == last.labels.tolist()
    assert len(every.labels) == 15


def test_what_a_task_needs_and_sequences_lack_is_told(make_sequences, make_config):
    sequences = make_sequences([3, 2])
    bare = Sequences(sequences.offsets, {"tokens": sequences["tokens"]})
    for task, column in (("tagger", "tags"), ("regressor", "numbers")):
        with pytest.raises(ArgumentError, match=f"sequences: have no column '{column}'"):
            task_columns(make_config(task), bare)
    batch = collate(evaluation_plan(bare.lengths), 0, bare)
    with pytest.raises(ArgumentError, match="target: is None; expected one for each step, as tagger predicts them"):
        targets_of("tagger", batch)
