# No choice reads the test split: what is trained, kept and tuned is the same, whatever the test split says.
from dataclasses import replace

import pandas as pd
import pytest
from training_runs import FILES, bytes_of

from lengthwise.evaluation.baseline_options import BaselineOptions, LinearOptions, NgramOptions, TagModelOptions
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.pipeline.stages.baselines import evaluate_baselines
from lengthwise.pipeline.stages.train.training_run import train
from lengthwise.prepare.shards.reader import read_index, read_split


@pytest.fixture(scope="module")
def two_corpora(tmp_path_factory, write_corpus, invent_posts, make_shards):
    # Splits go by ids alone: the same authors are in the test split of both, where they say and are something else.
    posts = invent_posts(1, 60)
    corpora = [make_shards(write_corpus(tmp_path_factory.mktemp("one"), posts, rows_per_slice=16))]
    of_test = read_split(corpora[0].shards, read_index(corpora[0].shards), "test")
    tested = set(pd.read_parquet(corpora[0].documents)["group"][of_test["document"]])
    others = [
        replace(
            post,
            codes=(1 - post.codes[0], (post.codes[1] + 1) % 3),
            sentences=[[f"w{len(token)}" for token in sentence] for sentence in post.sentences],
        )
        if post.author in tested
        else post
        for post in posts
    ]
    corpora.append(make_shards(write_corpus(tmp_path_factory.mktemp("other"), others, rows_per_slice=16)))
    return corpora


def test_the_two_differ_in_the_test_split_alone(two_corpora):
    splits = [
        {name: read_split(of.shards, read_index(of.shards), name) for name in ("train", "validation", "test")}
        for of in two_corpora
    ]
    for name in ("train", "validation", "test"):
        one, other = (of[name] for of in splits)
        assert len(one) == len(other) > 0
        same = one["tokens"].tolist() == other["tokens"].tolist() and one["label"].tolist() == other["label"].tolist()
        assert same == (name != "test")


def test_no_network_and_no_best_epoch_depends_on_the_test_split(two_corpora, train_params, tmp_path, monkeypatch):
    written = []
    for number, corpus in enumerate(two_corpora):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        train(corpus.shards, FILES, "classifier", train_params(epochs=4, best="loss", patience=2))
        written.append({name: of for name, of in bytes_of(folder).items() if not name.startswith("figures/cost")})
    assert written[0] == written[1]
    assert any(name.startswith("model/") for name in written[0])


def test_no_baseline_and_no_choice_of_its_strength_depends_on_the_test_split(two_corpora, tmp_path):
    options = BaselineOptions(LinearOptions(1.0, 50, tuned=True), TagModelOptions(1, 10, 1), NgramOptions(3))
    chosen = []
    for number, corpus in enumerate(two_corpora):
        folder = tmp_path / str(number)
        figures = evaluate_baselines(corpus.shards, folder, ["classifier"], options, Bootstrap(20, 0.95, 1))
        of_validation = {name: of for name, of in figures["linear"].items() if name.startswith("validation")}
        chosen.append(((folder / "tables" / "linear" / "regularization.csv").read_bytes(), of_validation))
    assert chosen[0] == chosen[1]
    assert len(pd.read_csv(tmp_path / "0" / "tables" / "linear" / "regularization.csv")) > 3
