# Plans of outer sequences under every strategy: what is drawn, where it stands, and what is counted.
import numpy as np
import pytest

from lengthwise.batching.padded import Padded
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.sampled import Sampled
from lengthwise.core.ragged import offsets_of
from lengthwise.errors import ArgumentError

SETTINGS = {"batch_size": 4, "buckets": 3, "tokens": 90, "window": 5}
SHAPES = {
    "empty": [],
    "one": [1],
    "few": [5, 1, 2],
    "one_huge": [2] * 9 + [700],
    "zipf": np.minimum(np.random.default_rng(1).zipf(1.6, 60), 300).tolist(),
}
SAMPLES = (None, 1, 3, 90)
by_strategy = pytest.mark.parametrize("name", sorted(STRATEGIES))
by_shape = pytest.mark.parametrize("shape", sorted(SHAPES))


def lengths_of(shape, sample, name):
    outer = np.array(SHAPES[shape], np.int64)
    if sample is None and name == "token_budget":
        outer = np.minimum(outer, SETTINGS["tokens"])
    return outer, np.random.default_rng(2).integers(1, 9, int(outer.sum()))


def plan_of(name, sample, shape, seed=0, epoch=0, window=None):
    outer, inner = lengths_of(shape, sample, name)
    return (
        outer,
        inner,
        Sampled(make_strategy(name, SETTINGS), sample, window).plan(outer, inner, epoch_rng(seed, epoch)),
    )


@by_strategy
@by_shape
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.sampled(3)
def test_every_outer_sequence_has_its_sample_once_in_its_order(name, shape, sample):
    for seed in range(3):
        outer, inner, plan = plan_of(name, sample, shape, seed)
        offsets = offsets_of(outer)
        owner = np.searchsorted(offsets, plan.drawn, side="right") - 1
        most = outer if sample is None else np.minimum(outer, sample)
        assert np.bincount(owner, minlength=len(outer)).tolist() == most.tolist()
        assert (np.diff(plan.drawn) > 0).all()
        assert plan.left_out == (
            len(inner) - len(plan.drawn),
            int(inner.sum() - inner[plan.drawn].sum()),
        )


@by_strategy
@by_shape
@pytest.mark.parametrize("window", [None, 12])
@pytest.mark.sampled(5)
def test_batches_have_each_drawn_sequence_once_at_its_place(name, shape, window):
    _, inner, plan = plan_of(name, 6, shape, seed=3, window=window)
    inner_offsets, seen = offsets_of(inner), []
    for number in range(len(plan)):
        batch = plan.batch(number, inner_offsets)
        there = batch.outer.mask
        assert ((batch.place >= 0) == there).all()
        assert ((batch.last >= 0) == there).all()
        numbers = batch.outer.fill(batch.outer.steps)[there]
        if window is None:
            assert batch.inner.sequences[batch.place[there], 0].tolist() == numbers.tolist()
        # The step at `last` is the last one of that very sequence.
        ends = batch.inner.fill(batch.inner.steps).reshape(-1)[batch.last[there]]
        assert ends.tolist() == (inner_offsets[numbers + 1] - 1).tolist()
        assert batch.inner.ends.reshape(-1)[batch.last[there]].all()
        assert int(batch.inner.mask.sum()) == int(plan.steps[number])
        seen += numbers.tolist()
    assert sorted(seen) == plan.drawn.tolist()


@by_strategy
def test_plan_is_a_function_of_seed_and_epoch(name):
    first, again, later, other = (
        plan_of(name, 3, "zipf", seed, epoch)[2] for seed, epoch in ((4, 1), (4, 1), (4, 2), (5, 1))
    )
    assert first.drawn.tobytes() == again.drawn.tobytes()
    assert first.outer.sequence.tobytes() == again.outer.sequence.tobytes()
    assert len({plan.drawn.tobytes() for plan in (first, later, other)}) == 3
    # Keras counts the batches of the first epoch.
    assert len({len(plan) for plan in (first, later, other)}) == 1


def test_every_inner_sequence_is_drawn_as_often_as_any_other():
    outer, inner = np.array([40, 10]), np.ones(50, np.int64)
    counts = np.zeros(50)
    for seed in range(2000):
        counts[Sampled(Padded(2), 8).plan(outer, inner, epoch_rng(seed, 0)).drawn] += 1
    assert np.abs(counts[:40] / 2000 - 8 / 40).max() < 0.04
    assert np.abs(counts[40:] / 2000 - 8 / 10).max() < 0.04


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sampled("padded"), "strategy: got 'padded'; expected a strategy, such as"),
        (lambda: Sampled(Padded(2), sample=0), "sample: got 0; expected a whole number from 1"),
        (lambda: Sampled(Padded(2)).plan([2], [3]), "inner_lengths: got 1; expected 2, the sum of outer_lengths"),
        (lambda: Sampled(Padded(2)).plan([0], []), "outer_lengths: got 0 for sequence 0; expected 1 or more"),
        (lambda: Sampled(Padded(2)).plan([1], [0]), "inner_lengths: got 0 for sequence 0; expected 1 or more"),
    ],
)
def test_what_does_not_fit_is_rejected(make, message):
    with pytest.raises(ArgumentError, match=f"^{message}"):
        make()
