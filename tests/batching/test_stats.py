import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.batching.padded import Padded
from lengthwise.batching.plan import Plan, batches_in_order, epoch_rng
from lengthwise.batching.stats import PlanStats, plan_stats


@settings(max_examples=up_to(100), deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 12))
def test_plan_stats_equals_brute_force(lengths, batch_size):
    padding, computed, widths = 0, 0, set()
    for begin in range(0, len(lengths), batch_size):
        batch = lengths[begin : begin + batch_size]
        widths.add(max(batch))
        computed += max(batch) * len(batch)
        padding += sum(max(batch) - length for length in batch)
    batches = -(-len(lengths) // batch_size)
    stats = plan_stats(batches_in_order(np.array(lengths), np.arange(len(lengths)), batch_size))
    assert stats.batches == batches
    assert stats.distinct_widths == len(widths)
    assert stats.padding_per_batch == pytest.approx(padding / batches, abs=1e-12)
    assert stats.padding_share == pytest.approx(padding / computed, abs=1e-12)


def test_plan_stats_counts_gaps_between_spans_as_padding():
    columns = ([0, 1], [0, 0], [2, 3], [0, 0], [0, 0], [0, 4])
    plan = Plan(*(np.array(column, np.int32) for column in columns))
    assert plan_stats(plan) == PlanStats(batches=1, padding_per_batch=2.0, padding_share=2 / 7, distinct_widths=1)


def test_plan_stats_of_nothing_is_zero():
    empty = batches_in_order(np.array([], np.int64), np.array([], np.int64), 4)
    assert plan_stats(empty) == PlanStats(batches=0, padding_per_batch=0.0, padding_share=0.0, distinct_widths=0)


def test_plan_stats_of_padded_sentences_of_5_to_30_tokens_is_what_the_maximum_predicts():
    # Among 256 lengths uniform in 5..30 one is nearly surely 30: padding is 30 - 17.5 steps in a row.
    lengths = np.random.default_rng(1).integers(5, 31, 256 * 200)
    stats = plan_stats(Padded(256).plan(lengths, epoch_rng(1, 0)))
    assert stats.padding_per_batch == pytest.approx(256 * 12.5, rel=0.02)
    assert stats.padding_share == pytest.approx(12.5 / 30, abs=0.01)


def test_plan_stats_does_not_overflow_32_bits():
    plan = batches_in_order(np.full(70_000, 70_000), np.arange(70_000), 70_000)
    assert plan_stats(plan).padding_share == 0.0
    assert plan.steps.tolist() == [70_000 * 70_000]
