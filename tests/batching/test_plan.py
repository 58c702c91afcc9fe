import re
from dataclasses import fields

import numpy as np
import pytest

from lengthwise.batching.padded import Padded
from lengthwise.batching.plan import Plan, batches_in_order, epoch_rng, plan_of_batches
from lengthwise.batching.registry import STRATEGIES, make_strategy


@pytest.fixture
def packed() -> Plan:
    # Batch 0: row 0 holds two spans, row 1 one; batch 1: one row with a gap before its second span.
    columns = {
        "sequence": [0, 1, 2, 3, 4],
        "start": [0, 0, 0, 2, 0],
        "stop": [2, 1, 4, 5, 1],
        "batch": [0, 0, 0, 1, 1],
        "row": [0, 0, 1, 0, 0],
        "column": [0, 2, 0, 0, 5],
    }
    return Plan(**{name: np.array(values, np.int32) for name, values in columns.items()})


def test_plan_sizes_of_rows_with_several_spans(packed):
    assert len(packed) == 2
    assert packed.offsets.tolist() == [0, 3, 5]
    assert packed.rows.tolist() == [2, 1]
    assert packed.widths.tolist() == [4, 6]
    assert packed.steps.tolist() == [7, 4]


def test_plan_of_nothing_has_no_batches():
    plan = batches_in_order(np.array([], np.int64), np.array([], np.int64), 4)
    assert len(plan) == 0
    assert [len(sizes) for sizes in (plan.rows, plan.widths, plan.steps)] == [0, 0, 0]


def test_batches_in_order_keeps_the_order_and_a_smaller_last_batch():
    plan = batches_in_order(np.array([4, 1, 2, 7, 3]), np.array([3, 0, 4, 2, 1]), 2)
    assert plan.sequence.tolist() == [3, 0, 4, 2, 1]
    assert plan.stop.tolist() == [7, 4, 3, 2, 1]
    assert plan.batch.tolist() == [0, 0, 1, 1, 2]
    assert plan.row.tolist() == [0, 1, 0, 1, 0]
    assert plan.start.tolist() == plan.column.tolist() == [0] * 5


def test_plan_of_batches_numbers_rows_in_batches_of_unequal_sizes():
    plan = plan_of_batches(np.array([0, 1, 1, 1, 2]), np.array([4, 3, 2, 1, 0]), np.arange(5) + 1)
    assert plan.row.tolist() == [0, 0, 1, 2, 0]
    assert plan.stop.tolist() == [5, 4, 3, 2, 1]
    assert plan.rows.tolist() == [1, 3, 1]
    assert plan.widths.tolist() == [5, 4, 1]


def test_epoch_rng_differs_for_every_seed_and_epoch():
    draws = {epoch_rng(seed, epoch).integers(2**62) for seed in range(30) for epoch in range(30)}
    assert len(draws) == 900
    assert epoch_rng(7, 3).integers(2**62) == epoch_rng(7, 3).integers(2**62)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_plan_takes_a_list_of_lengths_and_needs_no_generator(name):
    strategy = make_strategy(name, {"batch_size": 2, "buckets": 2, "tokens": 9, "window": 3})
    plan = strategy.plan([3, 9, 1])
    assert sorted(plan.sequence[plan.start == 0].tolist()) == [0, 1, 2]
    same = strategy.plan(np.array([3, 9, 1], np.uint8), epoch_rng(0, 0))
    assert plan.sequence.tolist() == same.sequence.tolist()
    assert len(strategy.plan([])) == 0


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3, 0, 1], "lengths: got 0 for sequence 1; expected 1 or more; leave empty sequences out"),
        ([3, -2], "lengths: got -2 for sequence 1; expected 1 or more; leave empty sequences out"),
        ([1.5], "lengths: got float64 of shape (1,); expected whole numbers, one for each sequence"),
        ([[1], [2]], "lengths: got int64 of shape (2, 1); expected whole numbers, one for each sequence"),
        ([[1], [2, 3]], "lengths: got nested lists; expected whole numbers, one for each sequence"),
        ([True], "lengths: got bool of shape (1,); expected whole numbers, one for each sequence"),
        (3, "lengths: got int64 of shape (); expected whole numbers, one for each sequence"),
    ],
)
def test_plan_says_in_one_line_what_is_wrong_with_lengths(lengths, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Padded(2).plan(lengths)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("value", [0, -1, 1.0, True, "2", None])
def test_strategy_names_the_field_that_is_no_whole_number_from_1(name, value):
    good = {field.name: 4 for field in fields(STRATEGIES[name])}
    for field in good:
        with pytest.raises(ValueError, match=re.escape(f"{field}: got {value!r}; expected a whole number from 1")):
            STRATEGIES[name](**good | {field: value})
        assert STRATEGIES[name](**good | {field: np.int64(3)})
