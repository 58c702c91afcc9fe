# The validation of several workers: each computes a part, all have the same figures, and nobody waits for ever.
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from threading import Event

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stars import star_of

from lengthwise.batching.plan import plan_of_batches
from lengthwise.errors import WorkerError
from lengthwise.system.peers import SECONDS_VARIABLE
from lengthwise.training.sharded_steps import ShardedSteps, batches_of_shards
from lengthwise.training.step import Steps
from lengthwise.training.team import Team

SHARDS = 8
# Batches of one sequence and of three: more than one round of them, and the last round is not full.
ROWS = [1, 3, 1] * 9
# The first batch of the last round.
LAST = 16
# What reads flat batches, and what reads rows, since Keras computes its cell.
READERS_OF = {"flat": ("classifier", {"ensemble": 2}), "rows": ("regressor", {"activation": "softsign"})}


@pytest.fixture
def make_validation(make_network, make_sequences):
    """Sequences, a plan of them, and a function that makes the steps of a team with the same network each time."""

    def prepare(kind):
        task, changes = READERS_OF[kind]
        lengths = np.random.default_rng(2).integers(1, 12, sum(ROWS))
        sequences = make_sequences(lengths.tolist())
        plan = plan_of_batches(np.repeat(np.arange(len(ROWS)), ROWS), np.arange(sum(ROWS)), lengths)
        keras.utils.set_random_seed(3)
        network = make_network(task, **changes)
        network.adapt([sequences])
        assert network.reads_flat_batches == (kind == "flat")
        made = Steps(network, 0.3, None)

        def steps(team=None):
            found = made if team is None else ShardedSteps(network, 0.3, None, None, team)
            # Traced once for all of them.
            name = "_evaluate_flat" if kind == "flat" else "_evaluate"
            found.__dict__[name] = getattr(made, name)
            return found

        return sequences, plan, steps

    return prepare


def evaluated_in_all(plan, sequences, all_steps):
    """What each worker yields, or the error that it ends with."""

    def evaluate(steps):
        try:
            return list(steps.evaluate_over(plan, sequences))
        except WorkerError as error:
            return str(error)

    with ThreadPoolExecutor(len(all_steps)) as pool:
        return list(pool.map(evaluate, all_steps))


def before_each(steps, act):
    """Let steps do something with the number of a batch before they compute it; what it raises ends them."""
    original = steps._evaluation

    def evaluation(plan, sequences):
        evaluate = original(plan, sequences)

        def one(number):
            act(number)
            return evaluate(number)

        return one

    steps._evaluation = evaluation
    return steps


@pytest.mark.parametrize("kind", READERS_OF)
def test_validation_is_shared_and_has_the_bytes_of_whole_batches_in_all_workers(make_validation, kind):
    sequences, plan, steps = make_validation(kind)
    expected = [figures.tobytes() for figures in steps().evaluate_over(plan, sequences)]
    for count, threads in ((1, 1), (1, 3), (2, 1), (3, 2), (4, 1), (8, 1)):
        with star_of(count) as peers:
            computed = [[] for _ in peers]
            workers = [
                before_each(steps(Team(SHARDS, peer, threads)), numbers.append)
                for peer, numbers in zip(peers, computed, strict=True)
            ]
            for figures in evaluated_in_all(plan, sequences, workers):
                assert [one.tobytes() for one in figures] == expected
        assert sorted(chain(*computed)) == list(range(len(plan)))
        assert max(map(len, computed)) <= -(-len(plan) // count) + 3


@given(st.integers(1, 40), st.integers(1, 40))
def test_every_batch_of_a_round_is_of_one_shard_and_all_shards_have_nearly_as_many(batches, shards):
    shares = batches_of_shards(batches, shards)
    assert len(shares) == shards
    assert [number for share in shares for number in share] == list(range(batches))
    assert all(share.stop == after.start for share, after in pairwise(shares))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    # The first half of the shards has its half of them: few batches are not all of one worker.
    if shards % 2 == 0:
        assert abs(2 * shares[shards // 2].start - batches) <= 1


@pytest.mark.parametrize("shards", [1, 3, 20])
def test_rounds_of_fewer_and_more_shards_have_the_same_bytes(make_validation, shards):
    sequences, plan, steps = make_validation("flat")
    expected = b"".join(figures.tobytes() for figures in steps().evaluate_over(plan, sequences))
    found = b"".join(figures.tobytes() for figures in steps(Team(shards, threads=2)).evaluate_over(plan, sequences))
    assert found == expected


def test_an_empty_validation_is_empty_in_all_workers(make_validation):
    sequences, _, steps = make_validation("flat")
    empty = plan_of_batches(np.zeros(0, np.int64), np.zeros(0, np.int64), sequences.lengths)
    with star_of(2) as peers:
        assert evaluated_in_all(empty, sequences, [steps(Team(SHARDS, peer)) for peer in peers]) == [[], []]


# In the first round of batches, and in the last.
@pytest.mark.parametrize(("who", "at"), [(0, LAST), (1, 0), (2, LAST)])
def test_a_worker_that_dies_in_validation_is_told_by_all_others(make_validation, who, at):
    sequences, plan, steps = make_validation("rows")
    with star_of(3) as peers:

        def act(number):
            if number >= at:
                raise WorkerError("died")

        def evaluate(rank):
            team = Team(SHARDS, peers[rank])
            here = before_each(steps(team), act) if rank == who else steps(team)
            # As a process does: whatever ends it ends its connections.
            with peers[rank], pytest.raises(WorkerError) as raised:
                list(here.evaluate_over(plan, sequences))
            return str(raised.value)

        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(evaluate, range(3)))
    gone = "is gone; expected it to the end of the run; look there why it ended, and run again to go on"
    # The others hear of it from the first, who ends.
    expected = [f"worker {who}: {gone}", *[f"first: {gone}"] * 2]
    expected[who] = "died"
    assert found == expected


def test_a_worker_that_leaves_before_validation_is_told(make_validation):
    sequences, plan, steps = make_validation("rows")
    with star_of(2) as peers:
        with peers[1]:
            pass
        (found,) = evaluated_in_all(plan, sequences, [steps(Team(SHARDS, peers[0]))])
    assert found.startswith("worker 1: is gone; ")


@pytest.mark.parametrize("who", [0, 1])
def test_a_worker_that_hangs_in_validation_is_told_in_time(make_validation, monkeypatch, who):
    monkeypatch.setenv(SECONDS_VARIABLE, "1")
    sequences, plan, steps = make_validation("rows")
    over = Event()
    with star_of(2) as peers, ThreadPoolExecutor(1) as pool:
        hanging = before_each(steps(Team(SHARDS, peers[who])), lambda number: number < LAST or over.wait())
        pool.submit(evaluated_in_all, plan, sequences, [hanging])
        begun = time.monotonic()
        (found,) = evaluated_in_all(plan, sequences, [steps(Team(SHARDS, peers[1 - who]))])
        taken = time.monotonic() - begun
        for peer in peers:
            peer.__exit__(None, None, None)
        over.set()
    assert found.startswith(f"{('first', 'worker 1')[who]}: no answer in 1 seconds; expected one; ")
    assert taken < 10


@pytest.mark.parametrize("who", [0, 1])
def test_a_signal_in_validation_is_known_to_all_workers_after_it(make_validation, who):
    sequences, plan, steps = make_validation("rows")
    with star_of(2) as peers:
        teams, received = [Team(SHARDS, peer) for peer in peers], []
        for rank, team in enumerate(teams):
            team.listen(received if rank == who else [], lambda: False)
        workers = [steps(team) for team in teams]
        before_each(workers[who], lambda number: number < LAST or received.append(15))
        evaluated_in_all(plan, sequences, workers)
        assert [team.signal for team in teams] == [15, 15]
