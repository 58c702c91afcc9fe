from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from stars import star_of

from lengthwise.errors import WorkerError
from lengthwise.training.team import Team


@pytest.fixture
def call_all():
    """Call a function with each team of some workers, all at once, and return what it returns."""

    def call(count, function, shards=8):
        with star_of(count) as peers, ThreadPoolExecutor(count) as pool:
            return list(pool.map(function, [Team(shards, peer) for peer in peers]))

    return call


def values(shards, seed=0):
    return np.random.default_rng(seed).lognormal(0, 8, (shards, 50)).astype(np.float32)


@pytest.mark.parametrize("shards", [8, 12])
def test_sum_has_the_same_bytes_for_any_number_of_workers(call_all, shards):
    every = values(shards)
    alone = Team(shards)
    expected = alone.sum(list(every)).tobytes()
    for count in (2, 3, 8):
        found = call_all(count, lambda team: team.sum(list(every[slice(*team.own)])).tobytes(), shards)
        assert found == [expected] * count


@pytest.mark.parametrize("who", [None, 0, 2])
def test_all_workers_end_and_save_after_the_same_step(call_all, who):
    def decided(team):
        received, saved = [], []
        team.listen(received, lambda: len(saved) == 1)
        for step in range(4):
            if step == 2 and team.rank == who:
                received.append(15)
            team.sum(list(values(8)[slice(*team.own)]))
            saved.append((team.signal, team.save))
        # What the others wish to save is not asked for.
        return saved

    signal = 0 if who is None else 15
    expected = [(0, False), (0, True), (signal, False), (signal, False)]
    assert call_all(3, decided) == [expected] * 3


def test_what_the_first_has_comes_to_all(call_all):
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.int64(7).reshape(()), np.zeros((0, 4), np.float32)]

    def heard(team):
        mine = ({"epoch": 3}, arrays) if team.rank == 0 else ({"epoch": 1}, [])
        progress, found = team.from_first(*mine)
        return progress, [(array.dtype, array.shape, array.tobytes()) for array in found]

    expected = {"epoch": 3}, [(array.dtype, array.shape, array.tobytes()) for array in arrays]
    assert call_all(3, heard) == [expected] * 3


def test_arrays_of_all_come_to_the_first(call_all):
    def said(team):
        return [[array.tolist() for array in arrays] for arrays in team.gathered([np.full(team.rank, team.rank)] * 2)]

    assert call_all(3, said) == [[[[], []], [[1], [1]], [[2, 2], [2, 2]]], [], []]


def test_workers_of_other_runs_are_told_what_differs(call_all):
    def agreed(team):
        try:
            team.agree({"kernel_arch": "native", "data": "abc" if team.rank != 1 else "xyz"})
        except WorkerError as error:
            return str(error)
        return ""

    line = "worker 1: got data xyz; expected abc, as in worker 0; make them the same"
    assert call_all(3, agreed) == [line] * 3
    call_all(3, lambda team: team.agree({"data": "abc"}))


def test_more_workers_than_shards_are_refused(call_all):
    with pytest.raises(WorkerError, match=r"^workers: got 3; expected at most 2, as many as logical shards"):
        call_all(3, lambda team: team, shards=2)
