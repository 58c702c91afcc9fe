# What every strategy has to keep, whatever the lengths are.
from dataclasses import fields

import numpy as np
import pytest
from scipy.stats import spearmanr

from lengthwise.batching.collate import collate
from lengthwise.batching.plan import Plan, epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy

SEEDS = 40
COLUMNS = ("sequence", "start", "stop", "batch", "row", "column")
SKEWED = np.random.default_rng(0)
LENGTHS = {
    "empty": [],
    "one": [7],
    "few": [3, 1, 2],
    "all_equal": [9] * 40,
    "all_1": [1] * 33,
    "one_huge": [2] * 30 + [3000],
    "two_lengths": [5] * 20 + [6] * 21,
    "article": SKEWED.integers(5, 31, 101).tolist(),
    "zipf": np.minimum(SKEWED.zipf(1.6, 120), 2000).tolist(),
}
SETTINGS = {
    "common": {"batch_size": 8, "buckets": 5, "tokens": 3000, "window": 16},
    "batch_size_1": {"batch_size": 1, "buckets": 3, "tokens": 3000, "window": 7},
    "one_bucket": {"batch_size": 7, "buckets": 1, "tokens": 3001, "window": 1},
    "more_buckets_than_sequences": {"batch_size": 4, "buckets": 1000, "tokens": 3000, "window": 30},
    "batch_size_beyond_the_corpus": {"batch_size": 100_000, "buckets": 2, "tokens": 2**31 - 1, "window": 100_000},
}

pytestmark = pytest.mark.parametrize("name", sorted(STRATEGIES))


@pytest.fixture(params=sorted(LENGTHS))
def lengths(request):
    return np.array(LENGTHS[request.param], np.int64)


@pytest.fixture(params=sorted(SETTINGS))
def settings(request):
    return SETTINGS[request.param]


def plans_of(name, settings, lengths, seeds=SEEDS, epoch=0):
    strategy = make_strategy(name, settings)
    return [strategy.plan(lengths, epoch_rng(seed, epoch)) for seed in range(seeds)]


def setting_names(name):
    return {field.name for field in fields(STRATEGIES[name])}


def correlation_with_number(values):
    return 0.0 if len(set(values.tolist())) == 1 else spearmanr(np.arange(len(values)), values).statistic


def same(left: Plan, right: Plan) -> bool:
    return all(np.array_equal(getattr(left, column), getattr(right, column)) for column in COLUMNS)


def assert_every_token_exactly_once(plan, lengths, offsets):
    assert np.all(plan.start >= 0)
    assert np.all(plan.start < plan.stop)
    assert np.all(plan.stop <= lengths[plan.sequence])
    # +1 where a span begins, -1 where it ends: the running sum says how often each token occurs.
    occurrences = np.zeros(offsets[-1] + 1, int)
    np.add.at(occurrences, offsets[plan.sequence] + plan.start, 1)
    np.add.at(occurrences, offsets[plan.sequence] + plan.stop, -1)
    assert np.all(np.cumsum(occurrences)[:-1] == 1)


def assert_spans_by_batch_row_and_column_without_gaps(plan):
    rows = plan.rows
    assert np.all(rows >= 1)
    assert np.all(np.diff(plan.batch) >= 0)
    # Rows are counted through all batches: each has a span, and a span is in the row of the one before or in the next.
    places = np.cumsum(rows)[plan.batch] - rows[plan.batch] + plan.row
    steps = np.diff(places, prepend=-1)
    assert np.all((steps == 0) | (steps == 1))
    assert places[-1:].tolist() == [int(rows.sum()) - 1][: len(plan)]
    follows = steps[1:] == 0
    ends = plan.column + plan.stop - plan.start
    assert np.all(plan.column[1:][follows] >= ends[:-1][follows])
    assert np.all(plan.column[steps == 1] == 0)


@pytest.mark.sampled(8)
def test_strategy_plans_every_token_exactly_once_in_rows_without_gaps(name, settings, lengths):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    counts = set()
    for plan in plans_of(name, settings, lengths):
        assert_every_token_exactly_once(plan, lengths, offsets)
        assert_spans_by_batch_row_and_column_without_gaps(plan)
        assert "batch_size" not in setting_names(name) or np.all(plan.rows <= settings["batch_size"])
        counts.add(len(plan))
    # Keras counts the batches of the first epoch and cuts the others off there.
    assert len(counts) == 1


def test_strategy_has_columns_of_32_bits_and_sizes_of_64(name, settings, lengths):
    plan = plans_of(name, settings, lengths, seeds=1)[0]
    assert {column: getattr(plan, column).dtype for column in COLUMNS} == dict.fromkeys(COLUMNS, np.dtype(np.int32))
    assert len({len(getattr(plan, column)) for column in COLUMNS}) == 1
    for sizes in (plan.rows, plan.widths, plan.steps):
        assert sizes.dtype == np.int64
        assert sizes.shape == (len(plan),)


@pytest.mark.sampled(8)
def test_strategy_repeats_a_plan_for_the_same_seed_and_epoch(name, settings, lengths):
    first, second = (plans_of(name, settings, lengths, seeds=10) for _ in range(2))
    assert all(same(left, right) for left, right in zip(first, second, strict=True))


@pytest.mark.sampled
@pytest.mark.parametrize("lengths_name", ["all_equal", "article", "zipf"])
def test_strategy_orders_every_epoch_and_seed_otherwise(name, lengths_name):
    lengths = np.array(LENGTHS[lengths_name], np.int64)
    strategy = make_strategy(name, SETTINGS["common"])
    plans = [strategy.plan(lengths, epoch_rng(seed, epoch)) for seed in range(15) for epoch in range(15)]
    orders = {plan.sequence.tobytes() for plan in plans}
    assert len(orders) == len(plans)


def test_strategy_does_not_write_to_the_lengths(name, settings, lengths):
    lengths.flags.writeable = False
    before = lengths.copy()
    plans_of(name, settings, lengths, seeds=3)
    assert np.array_equal(lengths, before)


@pytest.mark.sampled(4)
def test_strategy_gives_batches_whose_length_does_not_drift_with_their_number(name):
    lengths = np.minimum(np.random.default_rng(5).zipf(1.5, 1003), 500)
    widths, means = [], []
    for plan in plans_of(name, {**SETTINGS["common"], "tokens": 500}, lengths, seeds=100):
        widths.append(correlation_with_number(plan.widths))
        means.append(correlation_with_number(plan.steps / plan.rows))
    assert abs(np.mean(widths)) < 0.05
    assert abs(np.mean(means)) < 0.05


@pytest.mark.sampled(4)
def test_strategy_gives_each_sequence_every_part_of_an_epoch(name):
    lengths = np.arange(1, 65)
    batch = np.zeros(64)
    for plan in plans_of(name, {**SETTINGS["common"], "tokens": 200}, lengths, seeds=400):
        spans = np.bincount(plan.sequence)
        batch += np.bincount(plan.sequence, plan.batch) / spans / (len(plan) - 1) / 400
    assert np.all(np.abs(batch - 0.5) < 0.1)


@pytest.mark.sampled(2)
def test_strategy_collates_to_masks_and_resets_that_agree_with_its_spans(name, settings, lengths, make_sequences):
    sequences = make_sequences(lengths)
    for plan in plans_of(name, settings, lengths, seeds=2):
        batches = [collate(plan, number, sequences) for number in range(len(plan))]
        assert sum(int(batch.mask.sum()) for batch in batches) == int((plan.stop - plan.start).sum())
        assert sum(int(batch.resets.sum()) for batch in batches) == int((plan.start == 0).sum())
        assert [batch.tokens.shape for batch in batches] == list(
            zip(plan.rows.tolist(), plan.widths.tolist(), strict=True)
        )
        assert [int(batch.mask.sum()) for batch in batches] == plan.steps.tolist()
        seen = sorted(number for batch in batches for number in batch.sequences.tolist())
        assert seen == sorted(plan.sequence.tolist())


def test_strategy_gives_the_same_tail_from_any_step_of_a_fresh_plan(name, make_sequences):
    lengths = np.array(LENGTHS["zipf"], np.int64)
    sequences = make_sequences(lengths)
    strategy = make_strategy(name, SETTINGS["common"])
    whole = strategy.plan(lengths, epoch_rng(3, 4))
    batches = [collate(whole, number, sequences) for number in range(len(whole))]
    for step in range(len(whole)):
        fresh = strategy.plan(lengths, epoch_rng(3, 4))
        assert all(
            np.array_equal(getattr(fresh, column)[fresh.offsets[step] :], getattr(whole, column)[whole.offsets[step] :])
            for column in COLUMNS
        )
        again = collate(fresh, step, sequences)
        assert np.array_equal(again.tokens, batches[step].tokens)
        assert np.array_equal(again.sequences, batches[step].sequences)


def test_strategy_takes_no_chance_from_elsewhere(name):
    lengths = np.array(LENGTHS["article"], np.int64)
    strategy = make_strategy(name, SETTINGS["common"])
    np.random.seed(1)  # noqa: NPY002
    first = strategy.plan(lengths, epoch_rng(1, 0))
    np.random.seed(2)  # noqa: NPY002
    assert same(first, strategy.plan(lengths, epoch_rng(1, 0)))
