import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.batching import truncated
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.truncated import Truncated

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=60)


def lanes_of(plan):
    # The spans of each lane in the order of time.
    lanes = {}
    for number in range(len(plan.sequence)):
        span = tuple(int(getattr(plan, name)[number]) for name in ("batch", "column", "sequence", "start", "stop"))
        lanes.setdefault(int(plan.row[number]), []).append(span)
    return lanes


@settings(max_examples=up_to(300), deadline=None)
@given(LENGTHS, st.integers(1, 25), st.integers(1, 9), st.integers(0, 1000))
def test_truncated_lanes_hold_whole_sequences_one_after_another(lengths, window, batch_size, seed):
    lengths = np.array(lengths)
    plan = Truncated(batch_size, window).plan(lengths, epoch_rng(seed, 0))
    for spans in lanes_of(plan).values():
        position, sequence, reached = None, None, 0
        for batch, column, here, start, stop in spans:
            # A row goes on where it stopped; within a lane no step is left out and no batch.
            first = int(plan.widths[0])
            at = column if batch == 0 else first + (batch - 1) * window + column
            assert position in (None, at)
            position = at + stop - start
            assert (here, start) == (sequence, reached) if start else sequence != here
            if not start and sequence is not None:
                assert reached == lengths[sequence]
            sequence, reached = here, stop
        assert reached == lengths[sequence]


@settings(max_examples=up_to(100), deadline=None)
@given(LENGTHS, st.integers(1, 25), st.integers(1, 9), st.integers(0, 1000))
def test_truncated_rows_of_a_batch_are_the_first_rows_of_the_batch_before(lengths, window, batch_size, seed):
    plan = Truncated(batch_size, window).plan(np.array(lengths), epoch_rng(seed, 0))
    assert plan.rows[0] == min(batch_size, len(lengths))
    assert np.all(np.diff(plan.rows) <= 0)
    # All windows but the first and the last are whole.
    assert set(plan.widths[1:-1].tolist()) <= {window}
    assert plan.widths.max() <= window


@pytest.mark.parametrize(("length", "expected"), [(100, range(1, 10)), (101, range(1, 11)), (107, range(1, 7))])
def test_truncated_begins_every_epoch_with_another_cut(length, expected):
    lengths = np.array([length] * 4)
    first = [int(Truncated(4, 10).plan(lengths, epoch_rng(seed, 0)).widths[0]) for seed in range(300)]
    assert set(first) == set(expected)


@pytest.mark.parametrize("most_turns", [20_000, 3])
def test_truncated_lanes_are_of_nearly_the_same_length(monkeypatch, most_turns):
    monkeypatch.setattr(truncated, "MOST_TURNS", most_turns)
    lengths = np.minimum(np.random.default_rng(1).zipf(1.4, 4000), 3000)
    plan = Truncated(batch_size=16, window=64).plan(lengths, epoch_rng(1, 0))
    loads = np.bincount(plan.row, plan.stop - plan.start)
    assert loads.max() - loads.min() < 0.02 * loads.mean()


def test_truncated_does_not_put_long_sequences_first():
    lengths = np.arange(1, 201)
    place = np.zeros(200)
    for seed in range(200):
        plan = Truncated(batch_size=4, window=50).plan(lengths, epoch_rng(seed, 0))
        place[plan.sequence[plan.start == 0]] += plan.batch[plan.start == 0]
    assert abs(np.corrcoef(lengths[:150], place[:150])[0, 1]) < 0.3
