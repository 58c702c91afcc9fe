import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from dvc.repo import Repo
from scipy.special import log_softmax

from lengthwise.evaluation.level_tables import headline
from lengthwise.evaluation.levels import items_of, pool
from lengthwise.evaluation.metrics import figures_of_level
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.reports.change.paired import agreeing, paired_intervals, predictions_at
from lengthwise.reports.places import with_cached
from lengthwise.reports.run import Run

BOOTSTRAP = Bootstrap(400, 0.95, 1)


def make_predictions(seed, authors=30, skill=1.0, hardness=None):
    rng = np.random.default_rng(0)
    author = np.sort(rng.integers(0, authors, 600))
    label = rng.integers(0, 6, authors)[author]
    document = np.cumsum(rng.random(600) < 0.3)
    # A document has one author.
    document = np.unique(np.stack([author, document]), axis=1, return_inverse=True)[1].ravel()
    scores = np.random.default_rng(seed).normal(0, 1, (600, 6))
    easy = np.zeros(authors) if hardness is None else hardness
    scores[np.arange(600), label] += skill + easy[author]
    ids = {"sequence": np.arange(600), "document": document, "author": author, "label": label}
    logs = log_softmax(scores, axis=1).astype(np.float32)
    return pd.DataFrame({**ids, **{f"log_probability_{number}": column for number, column in enumerate(logs.T)}})


def headline_of(predictions, factors):
    # As the stage evaluate makes it.
    columns = {name: predictions[name].to_numpy() for name in ("label", "sequence", "document", "author")}
    logs = predictions.filter(like="log_probability").to_numpy()
    levels = [pool(items, logs) for items in items_of(columns, "sentence")]
    tables = [figures_of_level(level, factors, BOOTSTRAP).assign(level=level.name) for level in levels]
    return headline(pd.concat(tables))


def test_paired_intervals_have_the_headline_of_both_runs(factors):
    old, new = make_predictions(1), make_predictions(2, skill=1.2)
    found = paired_intervals(old, new, "sentence", factors, BOOTSTRAP)
    before, after = headline_of(old, factors), headline_of(new, factors)
    assert set(found) == set(before)
    for name, (one, other, interval) in found.items():
        assert (one, other) == pytest.approx((before[name], after[name]), abs=1e-12)
        assert interval.low <= other - one <= interval.high
    known = agreeing(found, before, after)
    assert known == {name: interval for name, (_, _, interval) in found.items()}


def test_paired_intervals_are_those_of_a_bootstrap_written_out(factors):
    old, new = make_predictions(1), make_predictions(2, skill=1.3)
    right = [
        side.filter(like="log_probability").to_numpy().argmax(axis=1) == side["label"].to_numpy() for side in (old, new)
    ]
    members = [np.flatnonzero(old["author"] == author) for author in range(30)]
    differences = []
    for weights in BOOTSTRAP.weights(30).astype(int):
        drawn = np.concatenate([members[author] for author in np.repeat(np.arange(30), weights)])
        differences.append(right[1][drawn].mean() - right[0][drawn].mean())
    interval = paired_intervals(old, new, "sentence", factors, BOOTSTRAP)["sentence_accuracy"][2]
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))


def test_paired_intervals_of_the_same_predictions_are_zero(factors):
    old = make_predictions(1)
    for before, after, interval in paired_intervals(old, old.copy(), "sentence", factors, BOOTSTRAP).values():
        assert before == after
        assert (interval.low, interval.high) == (0, 0)


def test_paired_intervals_are_narrow_where_both_runs_find_the_same_authors_hard(factors):
    hardness = np.random.default_rng(5).normal(0, 3, 30)
    old, new = (make_predictions(seed, hardness=hardness) for seed in (1, 2))
    interval = paired_intervals(old, new, "sentence", factors, BOOTSTRAP)["sentence_accuracy"][2]
    resampled = figures_of_level(pool(*_level(new)), factors, BOOTSTRAP).set_index("metric").loc["accuracy"]
    assert interval.high - interval.low < 0.5 * (resampled["high"] - resampled["low"])


def _level(predictions):
    columns = {name: predictions[name].to_numpy() for name in ("label", "sequence", "document", "author")}
    return items_of(columns, "sentence")[0], predictions.filter(like="log_probability").to_numpy()


def test_paired_intervals_begin_at_the_unit_of_the_shards(factors):
    old, new = make_predictions(1), make_predictions(2)
    found = paired_intervals(old, new, "document", factors, BOOTSTRAP)
    assert {name.split("_")[0] for name in found} == {"document", "author"}
    assert "document_nll" in found


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.assign(label=(table["label"] + 1) % 6),
        lambda table: table.assign(author=table["author"] + 1),
        lambda table: table.iloc[:-1],
        lambda table: table.drop(columns="author"),
        lambda table: table.drop(columns="log_probability_5"),
        lambda table: table.assign(more=1.0),
    ],
)
def test_paired_intervals_of_other_sequences_are_none(factors, change):
    old = make_predictions(1)
    assert paired_intervals(old, change(make_predictions(2)), "sentence", factors, BOOTSTRAP) == {}


def test_paired_intervals_of_too_few_classes_or_sequences_are_none(factors):
    narrow = make_predictions(1).drop(columns="log_probability_5")
    assert paired_intervals(narrow, narrow, "sentence", factors, BOOTSTRAP) == {}
    empty = make_predictions(1).iloc[:0]
    assert paired_intervals(empty, empty, "sentence", factors, BOOTSTRAP) == {}


@pytest.mark.parametrize("wrong", [0.123, None, "text", float("nan")])
def test_agreeing_believes_no_predictions_that_metrics_do_not_show(factors, wrong):
    old, new = make_predictions(1), make_predictions(2)
    found = paired_intervals(old, new, "sentence", factors, BOOTSTRAP)
    before, after = headline_of(old, factors), headline_of(new, factors)
    assert agreeing(found, {**before, "author_gender": wrong}, after) == {}
    assert agreeing(found, before, {**after, "sentence_nll": wrong}) == {}


@pytest.fixture
def cached(tmp_path):
    # A project with predictions in its DVC cache, and the lock that names them.
    with Repo.init(str(tmp_path), no_scm=True):
        pass
    make_predictions(1).to_parquet(tmp_path / "predictions.parquet")
    digest = hashlib.md5((tmp_path / "predictions.parquet").read_bytes()).hexdigest()
    place = tmp_path / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    place.parent.mkdir(parents=True)
    shutil.move(tmp_path / "predictions.parquet", place)
    lock = {"stages": {"evaluate@m": {"outs": [{"path": "data/predictions/m.parquet", "md5": digest}]}}}
    return tmp_path, place, Run("here", {"dvc.lock": yaml.safe_dump(lock).encode()})


def test_predictions_of_a_run_are_those_in_the_cache(cached):
    folder, place, run = cached
    path = "data/predictions/m.parquet"
    found = predictions_at(with_cached(run, folder, bool), path)
    pd.testing.assert_frame_equal(found, make_predictions(1))
    assert predictions_at(run, path) is None
    place.write_bytes(b"PAR1 damaged")
    assert predictions_at(with_cached(run, folder, bool), path) is None
