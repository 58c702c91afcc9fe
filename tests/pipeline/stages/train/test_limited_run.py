# A run whose epochs draw at most so many sequences of a group: its steps, its tables, and its bytes after a stop.
import json

import numpy as np
import pandas as pd
import pytest
from training_runs import FILES, bytes_of, stopped_run

from lengthwise.batching.limited_groups import LimitedGroups
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.stats import plan_stats
from lengthwise.models.prediction import predict_split
from lengthwise.models.saved import load_network
from lengthwise.pipeline.stages.train.training_run import train
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.training.sharded_steps import ShardedSteps
from lengthwise.training.step import Steps

LIMIT = 3
SMALL = {"group_limit": LIMIT, "batch_size": 8, "window": 12, "tokens": 40, "dropout": 0.0}


@pytest.fixture(scope="module")
def training(corpus):
    return read_split(corpus.shards, read_index(corpus.shards), "train")


def plans_by_hand(training, params):
    limited = LimitedGroups(params.batching.chosen, LIMIT, by="group")
    return [
        limited.plan(training.lengths, training["group"], epoch_rng(params.course.seed, epoch))
        for epoch in range(params.course.epochs)
    ]


def test_the_largest_group_of_the_corpus_has_more_sequences_than_are_drawn(training):
    assert np.bincount(training["group"]).max() > 2 * LIMIT


def rates_of(monkeypatch):
    rates, original = [], Steps.__init__
    monkeypatch.setattr(
        Steps, "__init__", lambda self, *arguments: original(self, *arguments) or rates.append(arguments[1])
    )
    return rates


@pytest.mark.parametrize(
    ("task", "strategy"), [("classifier", "token_budget"), pytest.param("seq2seq", "exact", marks=pytest.mark.long)]
)
def test_train_takes_the_steps_of_all_epochs_and_no_learning_rate_is_left(
    corpus, training, train_params, here, monkeypatch, task, strategy
):
    params = train_params(strategy=strategy, schedule="cosine", epochs=3, **SMALL)
    rates, plans = rates_of(monkeypatch), plans_by_hand(training, params)
    result = train(corpus.shards, FILES, task, params)
    # Not those of the first epoch, three times.
    assert len({len(plan) for plan in plans}) > 1
    steps = sum(map(len, plans))
    cost = json.loads((here / "figures" / "cost.json").read_text(encoding="utf-8"))
    assert cost["steps"] == steps
    assert cost["batches"] == len(plans[0])
    (rate,) = rates
    assert 0 < float(rate(steps - 1)) < 0.01 * float(rate(0))
    assert float(rate(steps)) == pytest.approx(0, abs=1e-9)
    # What an epoch costs under every strategy, with the limit.
    table = pd.read_csv(here / "figures" / "batching.csv").set_index("strategy")
    assert sorted(table.index) == sorted(STRATEGIES)
    for name in table.index:
        limited = LimitedGroups(make_strategy(name, params.batching.model_dump()), LIMIT, by="group")
        plan = limited.plan(training.lengths, training["group"], epoch_rng(params.course.seed, 0))
        assert table.loc[name, "batches"] == len(plan)
        assert table.loc[name, "padding_share"] == pytest.approx(plan_stats(plan).padding_share)
    assert len(pd.read_csv(here / "live" / "epochs.csv")) == 3
    # Of validation all sequences are read.
    held_out = read_split(corpus.shards, read_index(corpus.shards), "validation")
    said = predict_split(load_network(here / "model"), held_out)
    assert result.metrics["validation_accuracy"] == pytest.approx(said.step_right.sum() / said.step_count.sum())


LANES = {"strategy": "truncated", "cell": "lstm", "window": 3, "epochs": 2}
WORDS = {"strategy": "packed", "schedule": "cosine", "word_dropout": 0.2, "best": "loss", "epochs": 3}


@pytest.mark.parametrize(
    ("task", "changes", "share", "death", "of"),
    [
        ("seq2seq", LANES, 0.7, True, Steps),
        ("classifier", WORDS, 0.5, False, Steps),
        pytest.param("classifier", WORDS, 0.9, True, Steps, marks=pytest.mark.long),
        pytest.param("classifier", WORDS | {"logical_shards": 3}, 0.6, True, ShardedSteps, marks=pytest.mark.long),
    ],
)
def test_train_with_a_limit_goes_on_after_a_stop_or_a_death_to_the_same_bytes(
    corpus, train_params, here, task, changes, share, death, of
):
    params = train_params(**SMALL | changes)
    whole = train(corpus.shards, FILES, task, params)
    expected = bytes_of(here)
    stop = round(share * json.loads(expected["figures/cost.json"])["steps"])
    assert stop > 5
    (here / "model").rename(here / "before")
    stopped_run(stop, corpus.shards, task, params, death=death, of=of)
    assert not (here / "model").exists()
    again = train(corpus.shards, FILES, task, params)
    assert again.timing["resumed_at_step"] == stop - death
    assert again.metrics == whole.metrics
    assert bytes_of(here) == expected


@pytest.mark.long
def test_train_with_a_limit_learns_with_every_strategy(corpus, train_params, here):
    for name in sorted(STRATEGIES):
        train(corpus.shards, FILES, "seq2seq", train_params(strategy=name, epochs=4, **SMALL))
        losses = pd.read_csv(here / "live" / "epochs.csv")["train_loss"].tolist()
        assert losses[-1] < losses[0], name
