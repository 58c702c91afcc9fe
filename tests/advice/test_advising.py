# The advice is what the plans say, and the choice is within what it promises.
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lengthwise as lw
from lengthwise.advice.advising import StrategyAdvice, first_epoch
from lengthwise.advice.choosing import NEARLY, choose
from lengthwise.advice.costs import Costs, TrainedNetwork
from lengthwise.batching.grid import grid_of
from lengthwise.batching.registry import STRATEGIES
from lengthwise.core.ragged import offsets_of
from lengthwise.errors import ArgumentError

LENGTHS = st.lists(st.one_of(st.integers(1, 9), st.integers(1, 200)), min_size=1, max_size=60)


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 40), st.integers(0, 5), st.sampled_from([None, 1, 7, 64]))
def test_padding_and_batches_are_those_of_the_filled_batches(lengths, batch_size, seed, window):
    advice = lw.advise(lengths, batch_size=batch_size, seed=seed, window=window)
    assert list(advice.strategies) == list(STRATEGIES)
    offsets = offsets_of(np.array(lengths))
    for name, row in advice.strategies.items():
        plan = first_epoch(row.strategy, np.array(lengths), seed)
        masks = [grid_of(plan, number, offsets).mask for number in range(len(plan))]
        computed, steps = sum(mask.size for mask in masks), sum(int(mask.sum()) for mask in masks)
        assert steps == sum(lengths) == advice.steps, name
        assert row.padding == computed - steps, name
        assert row.padding_share == pytest.approx((computed - steps) / computed, abs=1e-12)
        assert (row.batches, row.widest) == (len(masks), max(mask.shape[1] for mask in masks))
        assert row.rows == pytest.approx(np.mean([len(mask) for mask in masks]))
        assert -1 - 1e-9 <= row.neighbours <= 1 + 1e-9
        assert 0 <= row.alike <= 1


def test_strategies_update_after_about_as_many_sequences():
    lengths = np.random.default_rng(0).integers(1, 60, 5000)
    advice = lw.advise(lengths, batch_size=50)
    for name in set(STRATEGIES) - {"exact"}:
        assert advice.strategies[name].batches == pytest.approx(100, rel=0.12), name


def test_order_by_length_is_told_from_random_order():
    lengths = np.random.default_rng(1).geometric(0.05, 4000)
    rows = lw.advise(lengths, batch_size=20).strategies
    assert rows["padded"].alike == pytest.approx(0, abs=0.05)
    assert rows["stratified"].alike == pytest.approx(0, abs=0.05)
    assert 0.3 < rows["bucketed"].alike < rows["exact"].alike == 1
    for name in set(STRATEGIES) - {"truncated"}:
        assert rows[name].neighbours == pytest.approx(0, abs=0.12), name
    # The same sequences stand in neighbouring batches.
    assert rows["truncated"].neighbours > 0.2


@pytest.mark.sampled(1)
@pytest.mark.parametrize("memory", [200_000, 2_000_000, 20_000_000, 10**12])
def test_memory_gives_each_strategy_the_largest_power_of_two_that_fits(memory):
    lengths = np.random.default_rng(2).integers(1, 80, 700)
    advice = lw.advise(lengths, memory=memory)
    assert advice.memory == memory
    for name, row in advice.strategies.items():
        assert row.fits == (row.peak_bytes <= memory)
        if name in ("packed", "token_budget", "truncated"):
            continue
        size = row.strategy.batch_size
        assert size in (1, 2, 4, 8, 16, 32, 64, 128, 256)
        assert row.fits or size == 1
        if size < 256:
            assert not lw.advise(lengths, batch_size=2 * size, memory=memory).strategies[name].fits
    if any(row.fits for row in advice.strategies.values()):
        assert advice.strategies[advice.choice.name].fits


def test_batch_size_is_kept_beside_a_memory():
    advice = lw.advise([5] * 300, batch_size=100, memory=10)
    assert advice.strategies["padded"].strategy.batch_size == 100
    assert not any(row.fits for row in advice.strategies.values())
    assert "No strategy fits into the memory." in advice.choice.reasons


def test_costs_of_another_network_are_rejected():
    costs = Costs(TrainedNetwork(units=8), 1, 0, 0, 0)
    assert lw.advise([1, 2], costs=costs).costs is costs
    assert lw.advise([1, 2], batch_size=1, costs=costs).strategies["padded"].seconds == 2
    with pytest.raises(ArgumentError, match=r"^costs: got .*expected .*; measure them$"):
        lw.advise([1, 2], costs=costs, network=TrainedNetwork(units=9))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"lengths": []}, "lengths: got none; expected one at least"),
        ({"lengths": [1, 0]}, "lengths: got 0 for sequence 1; expected a whole number from 1 to 2147483647"),
        ({"lengths": [3, -2]}, "lengths: got -2 for sequence 1"),
        ({"lengths": [1.5]}, "lengths: got float64 of shape (1,); expected whole numbers"),
        ({"lengths": ["a"]}, "lengths: got <U1 of shape (1,)"),
        ({"lengths": [[1], [2, 3]]}, "lengths: got "),
        ({"lengths": [True]}, "lengths: got bool"),
        ({"lengths": [2**31]}, "lengths: got 2147483648 for sequence 0; expected a whole number from 1 to 2147483647"),
        ({"lengths": [10**30]}, "lengths: got "),
        ({"batch_size": 0}, "batch_size: got 0; expected a whole number from 1"),
        ({"batch_size": 2.0}, "batch_size: got 2.0"),
        ({"buckets": True}, "buckets: got True"),
        ({"window": -1}, "window: got -1"),
        ({"tokens": 8}, "tokens: got 8; expected at least 9"),
        ({"memory": 0}, "memory: got 0"),
        ({"memory": "2GB"}, "memory: got '2GB'"),
        ({"seed": -1}, "seed: got -1"),
        ({"lengths": [10**9], "window": 1}, "window: got 1; expected at least 20"),
    ],
)
def test_advise_rejects_in_one_line(arguments, told):
    with pytest.raises(ArgumentError) as caught:
        lw.advise(**{"lengths": [9, 1], **arguments})
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lengths", [[10**9], [10**9] + [10] * 500, [2**31 - 1, 1]])
def test_advise_takes_lengths_that_no_memory_holds(lengths):
    advice = lw.advise(lengths)
    assert advice.strategies["padded_to_longest"].peak_bytes > 10**9
    assert advice.steps == sum(lengths)


def advice_of(name, seconds, *, alike=0.0, neighbours=0.0, fits=True):
    kind = STRATEGIES[name]
    strategy = kind(**{field.name: 8 for field in fields(kind)})
    return StrategyAdvice(name, strategy, 9, 8.0, 8, 0, 0.0, neighbours, alike, seconds, 100, fits)


def test_choice_prefers_random_batches_among_the_fast():
    rows = [advice_of("padded", 1.1), advice_of("bucketed", 1.0, alike=0.6), advice_of("exact", 1.0, alike=1.0)]
    assert choose(rows, "native").name == "padded"
    rows[0] = advice_of("padded", 1.2)
    assert choose(rows, "native").name == "bucketed"


def test_choice_prefers_whole_rows_to_packed_ones_and_those_to_cut_ones():
    rows = [advice_of("exact", 1.1, alike=1.0), advice_of("packed", 1.0), advice_of("truncated", 0.98)]
    assert [choose(rows[place:], "keras").name for place in (1, 2)] == ["packed", "truncated"]
    rows[0] = advice_of("bucketed", 1.1, alike=0.7)
    rows[1] = advice_of("packed", 1.0, alike=0.3)
    assert choose(rows, "keras").name == "bucketed"


def test_choice_prefers_packed_rows_to_batches_of_one_length():
    rows = [advice_of("exact", 1.0, alike=1.0), advice_of("packed", 1.1, alike=0.5), advice_of("truncated", 1.0)]
    assert choose(rows, "native").name == "packed"


def test_choice_leaves_out_what_does_not_fit():
    rows = [advice_of("padded", 1.0, fits=False), advice_of("truncated", 9.0)]
    chosen = choose(rows, "keras")
    assert chosen.name == "truncated"
    assert "Not within the memory: padded." in chosen.reasons


@settings(max_examples=15, deadline=None)
@given(LENGTHS, st.sampled_from(["native", "keras"]))
def test_choice_is_nearly_the_fastest(lengths, kernel):
    advice = lw.advise(lengths, batch_size=8, network=TrainedNetwork(kernel=kernel))
    fastest = min(row.seconds for row in advice.strategies.values())
    assert advice.strategies[advice.choice.name].seconds <= NEARLY * fastest
    assert all(reason.endswith(".") for reason in advice.choice.reasons)


def test_choice_is_padded_where_nothing_tells_strategies_apart():
    for kernel in ("native", "keras"):
        assert lw.advise([7] * 100, batch_size=10, network=TrainedNetwork(kernel=kernel)).choice.name == "padded"
