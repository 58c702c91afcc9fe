import numpy as np
import pytest

from lengthwise.advice.costs import (
    COMPUTES_PADDING,
    FLOATS,
    GATES,
    SHIPPED,
    Costs,
    TrainedNetwork,
    costs_of,
    peak_bytes,
)
from lengthwise.batching.packed import Packed
from lengthwise.batching.padded import Padded
from lengthwise.batching.padded_to_longest import PaddedToLongest
from lengthwise.core.names import NATIVE_CELLS
from lengthwise.errors import ArgumentError

LENGTHS = np.random.default_rng(0).integers(1, 40, 200)


def test_seconds_are_the_sum_over_batches():
    costs = Costs(TrainedNetwork(), 0.5, 0.03, 0.002, 0.0001, 7.0)
    plan = Packed(8, 64).plan(LENGTHS)
    by_hand = 7.0
    for rows, width, steps in zip(plan.rows, plan.widths, plan.steps, strict=True):
        by_hand += 0.5 + 0.03 * width + 0.002 * rows * width + 0.0001 * steps
    assert costs.seconds(plan) == pytest.approx(by_hand)


def test_the_native_kernel_is_not_charged_for_padding_as_keras_is():
    narrow, wide = Padded(20).plan(LENGTHS), PaddedToLongest(20).plan([*LENGTHS[1:], 2000])
    for measure in (lambda kernel, plan: costs_of(TrainedNetwork(kernel=kernel)).seconds(plan),
                    lambda kernel, plan: peak_bytes(plan, TrainedNetwork(kernel=kernel))):  # fmt: skip
        native, keras = (measure(kernel, wide) / measure(kernel, narrow) for kernel in ("native", "keras"))
        assert 1 < native < keras


def test_peak_is_of_the_largest_batch():
    network = TrainedNetwork("gru", 10, 6, "keras")
    plan = Padded(20).plan(LENGTHS)
    (units, features), _ = FLOATS["keras", "gru"]
    largest = max(int(rows * width) for rows, width in zip(plan.rows, plan.widths, strict=True))
    kept = 16 * (3 * 10 * 16 + 3 * 10) + 48 * 200 + 4 * LENGTHS.sum()
    assert peak_bytes(plan, network) == pytest.approx(kept + 4 * largest * (10 * units + 6 * features), abs=4)


def test_every_cell_of_the_kernel_has_costs():
    assert set(GATES) == set(NATIVE_CELLS)
    assert {kernel for kernel, _ in FLOATS} == set(SHIPPED) == set(COMPUTES_PADDING)
    assert {cell for _, cell in FLOATS} == set(NATIVE_CELLS)


@pytest.mark.parametrize("kernel", COMPUTES_PADDING)
def test_costs_grow_with_the_network(kernel):
    plan = Padded(20).plan(LENGTHS)
    sizes = [costs_of(TrainedNetwork("lstm", units, 32, kernel)) for units in (8, 64, 512)]
    seconds = [costs.seconds(plan) for costs in sizes]
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[2]
    assert not any(costs.measured for costs in sizes)
    known = SHIPPED[kernel]
    assert costs_of(known.network) == known


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: TrainedNetwork("elman"), "cell: got 'elman'; expected one of gru, layer_norm_gru, layer_norm_lstm, "),
        (lambda: TrainedNetwork(kernel="auto"), "kernel: got 'auto'; expected one of keras, native"),
        (lambda: TrainedNetwork(units=0), "units: got 0; expected a whole number from 1"),
        (lambda: TrainedNetwork(features=1.5), "features: got 1.5"),
        (lambda: TrainedNetwork(features=10**9), "features: got 1000000000"),
        (lambda: Costs(TrainedNetwork(), -1, 0, 0, 0), "per_batch: got -1; expected a finite number"),
        (lambda: Costs(TrainedNetwork(), 0, float("nan"), 0, 0), "per_sequential_step: got nan"),
    ],
)
def test_networks_and_costs_validate_themselves(make, told):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value).startswith(told)
