import numpy as np
import pytest
import tensorflow as tf

from lengthwise.batching.collate import collate
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.core.names import LABEL_TASKS
from lengthwise.models.tasks import targets_of
from lengthwise.native.ops import FlatPlan, FlatSequences, flat_batch, load, ragged_layout

pytestmark = pytest.mark.native

SETTINGS = {"batch_size": 4, "buckets": 3, "tokens": 60, "window": 6}


def flat_plan(plan):
    columns = (getattr(plan, name).astype(np.int32) for name in ("sequence", "start", "stop", "row"))
    return FlatPlan(plan.offsets.astype(np.int64), *columns)


def flat_sequences(sequences):
    return FlatSequences(sequences["tokens"], sequences.offsets, sequences["label"].astype(np.int32))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("task", LABEL_TASKS)
@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_flat_batch_is_the_padded_one_without_padding(make_sequences, name, task):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sequences = make_sequences(np.minimum(rng.zipf(1.5, rng.integers(1, 30)), 50), 20, seed)
        plan = make_strategy(name, SETTINGS).plan(sequences.lengths, epoch_rng(seed, 0))
        for number in range(len(plan)):
            batch = collate(plan, number, sequences)
            layout, places = ragged_layout(batch.mask, batch.resets)
            targets = targets_of(task, batch)
            found = flat_batch(flat_plan(plan), flat_sequences(sequences), number, every_step=task == "seq2seq")
            for ours, theirs in zip(found.layout, layout, strict=True):
                np.testing.assert_array_equal(ours, theirs)
            np.testing.assert_array_equal(found.ids, batch.tokens.reshape(-1)[places.steps.numpy()])
            read = places.place.numpy()[tuple(targets.positions.T)]
            if task == "classifier":
                np.testing.assert_array_equal(found.read, read)
                np.testing.assert_array_equal(found.labels, targets.labels)
            else:
                assert found.read is None
                np.testing.assert_array_equal(found.labels.numpy()[read], targets.labels)
                assert len(read) == len(found.labels) == len(found.ids)
            assert bool(found.continues) == batch.continues


def legal():
    # Two rows: the sequences [7 8 9] and [5] in the first, the tokens 1 to 3 of [1 2 3 4] in the second.
    plan = FlatPlan(*(np.array(values) for values in ([0, 3], [0, 2, 1], [0, 0, 1], [3, 1, 3], [0, 0, 1])))
    plan = FlatPlan(plan.offsets.astype(np.int64), *(column.astype(np.int32) for column in plan[1:]))
    tokens = np.array([7, 8, 9, 1, 2, 3, 4, 5], np.int32)
    return plan, FlatSequences(tokens, np.array([0, 3, 7, 8]), np.array([4, 5, 3], np.int32)), 0


def test_flat_batch_of_a_worked_example():
    for every_step, read, labels in ((False, [4, 5], [4, 3]), (True, None, [4, 5, 4, 5, 4, 3])):
        batch = flat_batch(*legal(), every_step=every_step)
        assert batch.ids.numpy().tolist() == [7, 2, 8, 3, 9, 5]
        assert [values.numpy().tolist() for values in batch.layout] == [
            [0, 1],
            [2, 2, 1, 1],
            [True] + [False] * 4 + [True],
        ]
        assert (batch.read if every_step else batch.read.numpy().tolist()) == read
        assert batch.labels.numpy().tolist() == labels
        assert batch.continues


@pytest.mark.parametrize(
    ("part", "name", "values"),
    [
        (0, "offsets", [0, 4]),
        (0, "offsets", [-1, 3]),
        (0, "offsets", [3, 0]),
        (0, "offsets", [2, 2]),
        (0, "offsets", [0]),
        (0, "offsets", []),
        (0, "offsets", [[0, 3]]),
        (0, "sequence", [0, 3, 1]),
        (0, "sequence", [-1, 2, 1]),
        (0, "sequence", [0, 2]),
        (0, "start", [0, 0, -1]),
        (0, "start", [0, 0, 3]),
        (0, "start", [0, 0]),
        (0, "stop", [4, 1, 3]),
        (0, "stop", [0, 1, 3]),
        (0, "stop", [3, 1, 5]),
        (0, "stop", [3, 1, 3, 3]),
        (0, "row", [0, 0, 2]),
        (0, "row", [1, 1, 2]),
        (0, "row", [0, 1, 0]),
        (0, "row", [0, 0, -1]),
        (0, "row", [0]),
        (1, "tokens", [1] * 7),
        (1, "tokens", []),
        (1, "offsets", [0, 3, 7]),
        (1, "offsets", [0, 3, 7, 9]),
        (1, "offsets", [-1, 3, 7, 8]),
        (1, "offsets", [5, 3, 7, 8]),
        (1, "label", [4, 5]),
        (1, "label", []),
    ],
)
@pytest.mark.parametrize("every_step", [False, True])
def test_flat_batch_refuses_what_does_not_fit(part, name, values, every_step):
    parts = list(legal())
    like = getattr(parts[part], name)
    parts[part] = parts[part]._replace(**{name: np.array(values, like.dtype)})
    with pytest.raises(tf.errors.InvalidArgumentError):
        flat_batch(*parts, every_step=every_step)


@pytest.mark.parametrize("number", [-1, 1, 2**40, [0]])
def test_flat_batch_refuses_a_number_that_no_batch_has(number):
    with pytest.raises(tf.errors.InvalidArgumentError, match="number"):
        load().lengthwise_flat_batch(tf.constant(number, tf.int64), *legal()[0], *legal()[1], every_step=False)
