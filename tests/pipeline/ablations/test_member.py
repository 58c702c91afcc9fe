import json

import numpy as np
import pandas as pd
import pytest

from lengthwise.models.prediction import predict_split
from lengthwise.models.saved import load_network
from lengthwise.pipeline.ablations.member import run_member, steps_to
from lengthwise.pipeline.settings.params import TrainParams
from lengthwise.pipeline.stages.train.live import LiveFiles
from lengthwise.pipeline.stages.train.training_run import TrainFiles, train
from lengthwise.prepare.shards.reader import read_index, read_split

UNITS = 3


@pytest.fixture(scope="module")
def settings(root):
    from lengthwise.pipeline.settings.params import load_params

    params = load_params(root / "params.yaml").train
    model = params.model.model_copy(update={"units": UNITS, "embedding": 4})
    return params.model_copy(update={"model": model, "epochs": 2})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_settings(folder, train_params, task="classifier", accuracy=0.01):
    folder.mkdir()
    content = {"task": task, "train": train_params.model_dump(), "kernel": "auto", "accuracy": accuracy}
    (folder / "settings.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def read_authors(folder):
    return pd.read_csv(folder / "authors.csv").set_index(["level", "author"])


@pytest.mark.parametrize("task", ["classifier", pytest.param("seq2seq", marks=pytest.mark.long)])
def test_member_is_what_train_and_predict_make_of_its_seed(corpus, settings, here, task):
    result = run_member(7, corpus.shards, write_settings(here / "prepared", settings, task), here / "member")
    params = TrainParams.model_validate({**settings.model_dump(), "seed": 7})
    live = LiveFiles(here / "epochs.csv", here / "steps.csv", here / "headline.json")
    train(corpus.shards, TrainFiles(here / "model", here / "figures", live), task, params)
    test = read_split(corpus.shards, read_index(corpus.shards), "test")
    said = predict_split(load_network(here / "model"), test).log_probabilities
    authors = read_authors(here / "member")
    assert set(authors.index.get_level_values("level")) == {"sentence", "document", "author"}
    for author in np.unique(test["group"]):
        of_author = test["group"] == author
        right = said[of_author].argmax(axis=1) == test["label"][of_author]
        row = authors.loc["sentence", author]
        assert (row["items"], row["right"]) == (of_author.sum(), right.sum())
        loss = -said[of_author, test["label"][of_author]].astype(float).sum()
        np.testing.assert_allclose(row["nll"], loss, rtol=1e-5)
        documents = np.unique(test["document"][of_author])
        assert authors.loc["document", author]["items"] == len(documents)
        assert authors.loc["author", author]["items"] == 1
    assert authors.loc["sentence"]["items"].sum() == len(test)
    assert (here / "member" / "epochs.csv").read_bytes() == (here / "epochs.csv").read_bytes()
    cost = json.loads((here / "figures" / "cost.json").read_text(encoding="utf-8"))
    assert {name: cost[name] for name in ("parameters", "steps", "padding_share")} == {
        name: result.metrics[name] for name in ("parameters", "steps", "padding_share")
    }
    assert result.metrics["steps_to_accuracy"] in (cost["batches"], 2 * cost["batches"])
    assert result.timing["seconds_per_epoch"] > 0


@pytest.fixture
def smaller_corpus(here, make_shards, write_corpus, invent_posts):
    return make_shards(write_corpus(here / "smaller", invent_posts(2, 40)))


def test_member_takes_the_shards_of_its_ablation_if_it_has_some(corpus, smaller_corpus, settings, here):
    prepared = write_settings(here / "prepared", settings)
    smaller_corpus.shards.rename(prepared / "shards")
    run_member(1, corpus.shards, prepared, here / "member")
    test = read_split(prepared / "shards", read_index(prepared / "shards"), "test")
    assert read_authors(here / "member").loc["sentence"]["items"].sum() == len(test)
    assert len(test) != len(read_split(corpus.shards, read_index(corpus.shards), "test"))


@pytest.mark.long
def test_member_without_the_wanted_accuracy_says_nothing_of_steps_to_it(corpus, settings, here):
    result = run_member(1, corpus.shards, write_settings(here / "prepared", settings, accuracy=0.9999), here / "member")
    assert "steps_to_accuracy" not in result.metrics


@pytest.mark.parametrize(
    ("accuracies", "wanted", "steps"),
    [
        ([0.1, 0.5, 0.4], 0.5, 20),
        ([0.1, 0.5, 0.4], 0.45, 20),
        ([0.6], 0.5, 10),
        ([0.1, 0.2], 0.5, None),
        ([], 0.5, None),
    ],
)
def test_steps_to_are_those_at_the_end_of_the_first_good_epoch(accuracies, wanted, steps):
    epochs = pd.DataFrame({"epoch": range(1, len(accuracies) + 1), "validation_accuracy": accuracies})
    assert steps_to(epochs, wanted, 10) == steps


def test_steps_to_of_a_run_without_a_validation_split_are_unknown():
    assert steps_to(pd.DataFrame({"epoch": [1], "train_accuracy": [1.0]}), 0.5, 10) is None
