"""The best epoch of a run is kept, and a run that is stopped and goes on keeps the same one."""

import json
from pathlib import Path

import pandas as pd
import pytest
from training_runs import FILES, bytes_of, stopped_run

from lengthwise.errors import ArgumentError
from lengthwise.models.saved import load_network
from lengthwise.pipeline.stages.train.training_run import train

EPOCHS = 7
# A learning rate at which validation gets worse again long before the last epoch.
OVERFITS = {"epochs": EPOCHS, "learning_rate": 0.1, "dropout": 0.0, "units": 16, "embedding": 16, "seed": 2}


@pytest.fixture(scope="module")
def course(corpus, train_params, tmp_path_factory):
    """The epochs of a run that keeps its last one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("course"))
        result = train(corpus.shards, FILES, "classifier", train_params(**OVERFITS))
        table = pd.read_csv("live/epochs.csv")
    assert (result.metrics["best_epoch"], result.metrics["epochs_trained"]) == (EPOCHS, EPOCHS)
    assert result.metrics["validation_loss"] == pytest.approx(table["validation_loss"].iloc[-1], rel=1e-5)
    return table


def best_of(course, by, epochs=EPOCHS):
    column = course[f"validation_{by}"][:epochs]
    number = int(column.idxmin() if by == "loss" else column.idxmax()) + 1
    # Else nothing here would be shown.
    assert number < EPOCHS - 1
    return number


@pytest.mark.parametrize("by", ["loss", pytest.param("accuracy", marks=pytest.mark.long)])
def test_the_weights_are_those_of_a_run_that_ends_with_the_best_epoch(course, corpus, train_params, here, by):
    number = best_of(course, by)
    result = train(corpus.shards, FILES, "classifier", train_params(**OVERFITS, best=by))
    kept = (here / "model" / "weights.safetensors").read_bytes()
    assert (result.metrics["best_epoch"], result.metrics["epochs_trained"]) == (number, EPOCHS)
    for name in ("train_loss", "validation_loss", "validation_accuracy"):
        assert result.metrics[name] == pytest.approx(course[name][number - 1], rel=1e-5)
    # What is measured of the network is measured of those weights.
    assert result.metrics["validation_sentence_accuracy"] == pytest.approx(result.metrics["validation_accuracy"])
    headline = json.loads(Path("live/headline.json").read_text(encoding="utf-8"))["clf"]
    assert headline["val_acc"] == pytest.approx(course["validation_accuracy"][number - 1], rel=1e-5)
    # The curves have every epoch.
    assert pd.read_csv("live/epochs.csv").equals(course)
    train(corpus.shards, FILES, "classifier", train_params(**{**OVERFITS, "epochs": number}))
    assert (here / "model" / "weights.safetensors").read_bytes() == kept


@pytest.mark.sampled(1)
@pytest.mark.parametrize("patience", [1, 2])
def test_a_run_ends_when_patience_does(course, corpus, train_params, here, patience):
    losses = course["validation_loss"].tolist()
    epochs = next((n for n in range(1, EPOCHS) if n - 1 - losses[:n].index(min(losses[:n])) >= patience), EPOCHS)
    assert epochs < EPOCHS
    result = train(corpus.shards, FILES, "classifier", train_params(**OVERFITS, best="loss", patience=patience))
    assert (result.metrics["best_epoch"], result.metrics["epochs_trained"]) == (epochs - patience, epochs)
    assert len(pd.read_csv("live/epochs.csv")) == epochs


@pytest.mark.parametrize(
    "changes",
    [
        {"best": "loss", "patience": 2, "name": "sgd", "momentum": 0.9, "schedule": "linear", "warmup_steps": 4},
        pytest.param(
            {"best": "accuracy", "name": "adamw", "weight_decay": 0.1, "class_weights": "balanced", "clip_norm": 1.0},
            marks=pytest.mark.long,
        ),
        pytest.param({"best": "loss", "ensemble": 2}, marks=pytest.mark.long),
        pytest.param({"best": "loss", "cell": "peephole_lstm", "name": "sgd"}, marks=pytest.mark.long),
    ],
)
# Where it is stopped, in epochs: before there is a best one, after the first, in the middle of a later one, at the end.
@pytest.mark.long
@pytest.mark.parametrize(
    "stops", [(2.5,), pytest.param((0.4, 1, 2.5, 99), marks=pytest.mark.long)], ids=["once", "often"]
)
def test_a_run_that_is_stopped_goes_on_to_the_same_bytes(corpus, train_params, here, changes, stops):
    params = train_params(**{**OVERFITS, "epochs": 4, **changes})
    whole = train(corpus.shards, FILES, "classifier", params)
    expected = bytes_of(here)
    steps = json.loads(expected["figures/cost.json"])["steps"]
    each = steps // whole.metrics["epochs_trained"]
    for stop in (min(int(epochs * each), steps - 1) for epochs in stops):
        (here / "model").rename(here / f"before {stop}")
        stopped_run(stop, corpus.shards, "classifier", params)
        again = train(corpus.shards, FILES, "classifier", params)
        assert again.timing["resumed_at_step"] == stop
        assert again.metrics == whole.metrics
        assert bytes_of(here) == expected
    load_network(here / "model")


def test_the_best_epoch_is_refused_where_nothing_is_held_out(corpus, train_params, here, monkeypatch):
    from lengthwise.pipeline.stages.train import training_run

    read = training_run.read_split
    monkeypatch.setattr(
        training_run, "read_split", lambda *args: read(*args)[:0] if args[2] == "validation" else read(*args)
    )
    with pytest.raises(ArgumentError, match="best: got 'loss', and there are no validation sequences; expected none"):
        train(corpus.shards, FILES, "classifier", train_params(best="loss"))
    assert "validation_loss" not in train(corpus.shards, FILES, "classifier", train_params()).metrics


def test_a_rise_of_the_learning_rate_that_takes_the_whole_run_is_refused(corpus, train_params, here):
    with pytest.raises(ArgumentError, match="warmup_steps: got 100000; expected fewer than the"):
        train(corpus.shards, FILES, "classifier", train_params(warmup_steps=100_000))
