from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import keras
import numpy as np
import pytest
from closeness import assert_close
from stars import star_of

from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import make_strategy
from lengthwise.training.optimizers import UpdateRule
from lengthwise.training.sharded_steps import ShardedSteps
from lengthwise.training.step import Steps
from lengthwise.training.team import Team

LENGTHS = [9, 2, 5, 4, 7, 1, 3, 8, 6, 2, 5, 11]
SETTINGS = {"batch_size": 5, "buckets": 2, "tokens": 40, "window": 3}
# Task, network and strategy: flat batches and rows, carried states, an ensemble, chance of both kinds.
KINDS = [
    ("classifier", {"word_dropout": 0.3}, "bucketed"),
    ("seq2seq", {"layers": 2}, "truncated"),
    ("tagger", {"ensemble": 2}, "packed"),
    ("regressor", {"front_end": "conv1d", "word_dropout": 0.3}, "padded"),
]
DROPPED = {"dropout": 0.5}
KEPT = {"dropout": 0.0, "word_dropout": 0.0}


@pytest.fixture
def make(make_network, make_sequences):
    """Sequences, a plan, and a function that makes the same network each time."""

    def prepare(task, changes, strategy, clip_norm=0.5):
        sequences = make_sequences(LENGTHS)
        plan = make_strategy(strategy, SETTINGS).plan(sequences.lengths, epoch_rng(1, 0))

        def steps(team=None):
            keras.utils.set_random_seed(3)
            network = make_network(task, **changes)
            network.adapt([sequences])
            optimizer = keras.optimizers.SGD(0.3)
            optimizer.build(network.trainable_variables)
            rule = UpdateRule(optimizer)
            arguments = (network, 0.3, clip_norm, rule)
            return network, Steps(*arguments) if team is None else ShardedSteps(*arguments, team)

        return sequences, plan, steps

    return prepare


def trained(network, steps, plan, sequences, epochs=2):
    figures = [figures for _ in range(epochs) for figures, _ in steps.train_over(plan, sequences)]
    return [variable.numpy() for variable in network.trainable_variables], np.concatenate(figures)


def bytes_of(weights):
    return [array.tobytes() for array in weights]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("task", "changes", "strategy"), KINDS)
def test_steps_of_shards_are_those_of_whole_batches(make, task, changes, strategy):
    shards = 3 if task == "classifier" else 8
    sequences, plan, steps = make(task, changes | KEPT, strategy)
    expected, figures = trained(*steps(), plan, sequences)
    found, sums = trained(*steps(Team(shards)), plan, sequences)
    assert_close(found, expected)
    assert_close(sums, figures)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("task", "changes", "strategy"), [pytest.param(*kind, marks=pytest.mark.long) for kind in KINDS[::2]] + KINDS[1::2]
)
def test_weights_have_the_same_bytes_for_any_threads_and_workers(make, task, changes, strategy):
    sequences, plan, steps = make(task, changes | DROPPED, strategy)
    alone, figures = trained(*steps(Team(4)), plan, sequences)
    threads, _ = trained(*steps(Team(4, threads=3)), plan, sequences)
    assert bytes_of(threads) == bytes_of(alone)
    with star_of(3) as peers, ThreadPoolExecutor(3) as pool:
        # Made one after another: seeds are of the whole process.
        workers = [steps(Team(4, peer)) for peer in peers]
        for weights, theirs in pool.map(lambda worker: trained(*worker, plan, sequences), workers):
            assert bytes_of(weights) == bytes_of(alone)
            assert theirs.tobytes() == figures.tobytes()


@pytest.mark.parametrize("number", [2, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 4))])
def test_states_of_whole_batches_go_on_where_they_were(make, number):
    sequences, plan, steps = make("seq2seq", DROPPED, "truncated")
    network, undisturbed = steps(Team(4))
    expected, _ = trained(network, undisturbed, plan, sequences, epochs=1)
    network, stopped = steps(Team(4))
    *_, (_, states) = islice(stopped.train_over(plan, sequences), number)
    carried = stopped.whole(states)
    assert len(carried) == len(network.states_signature)
    network_after, after = steps(Team(4))
    for variable, before in zip(network_after.variables, network.variables, strict=True):
        variable.assign(before)
    after.optimizer.iterations.assign(stopped.optimizer.iterations)
    for _ in after.train_over(plan, sequences, number, states=carried):
        pass
    assert bytes_of([variable.numpy() for variable in network_after.trainable_variables]) == bytes_of(expected)


def test_figures_of_evaluation_are_those_of_whole_batches(make):
    for task, changes, strategy in KINDS[:1] + KINDS[3:]:
        sequences, plan, steps = make(task, changes, strategy)
        expected = np.concatenate(list(steps()[1].evaluate_over(plan, sequences)))
        found = np.concatenate(list(steps(Team(2, threads=2))[1].evaluate_over(plan, sequences)))
        assert_close(found, expected)
