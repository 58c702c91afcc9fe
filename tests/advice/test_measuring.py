import numpy as np
import pytest

from lengthwise.advice.costs import PARTS, Costs, TrainedNetwork
from lengthwise.advice.measuring import TimedShape, fitted_costs, measure_costs, probes

OF_BATCHES = PARTS[:4]
NETWORK = TrainedNetwork("simple", 2, 2, "keras")


@pytest.mark.parametrize("known", [(3e-3, 2e-5, 5e-7, 4e-6), (3e-3, 4e-4, 8e-6, 0.0), (0.0, 1e-4, 0.0, 1e-6)])
def test_fitted_costs_are_those_that_made_the_times(known):
    chosen = probes(64, 200)
    times = [float(np.dot(known, probe.counts)) for probe in chosen]
    found = fitted_costs(NETWORK, chosen, times)
    assert [getattr(found, part) for part in OF_BATCHES] == pytest.approx(known, rel=1e-6, abs=1e-12)
    assert found.measured


def test_fitted_costs_bear_noise_and_are_never_below_zero():
    known, rng = (3e-3, 4e-4, 8e-6, 1e-6), np.random.default_rng(0)
    chosen = probes(64, 200)
    for _ in range(50):
        times = [float(np.dot(known, probe.counts) * rng.uniform(0.9, 1.1)) for probe in chosen]
        found = fitted_costs(NETWORK, chosen, times)
        predicted = np.array([np.dot([getattr(found, part) for part in OF_BATCHES], probe.counts) for probe in chosen])
        assert np.abs(predicted / times - 1).max() < 0.25


@pytest.mark.parametrize(("batch_size", "widest"), [(1, 1), (1, 200), (64, 1), (8, 5), (64, 10**9)])
def test_probes_are_no_larger_than_asked_and_their_lengths_are_whole(batch_size, widest):
    for probe in probes(batch_size, widest):
        assert probe.rows <= batch_size
        assert probe.width <= min(max(2, widest), 200)
        assert len(probe.lengths) == probe.rows * probe.batches
        assert 1 <= probe.lengths.min() <= probe.lengths.max() == probe.width


def test_ramp_has_about_half_the_steps():
    assert TimedShape(64, 200, True, 4).counts == pytest.approx([1, 200, 12800, 6400], rel=0.02)


@pytest.mark.long
def test_measuring_trains_and_gives_costs():
    costs = measure_costs(NETWORK, batch_size=2, widest=3, rounds=1)
    assert isinstance(costs, Costs)
    assert costs.measured
    assert costs.network == NETWORK
    assert sum(getattr(costs, part) for part in PARTS) > 0
