import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from blog_words import LEVELS, WORDS
from dvc.repo import Repo
from scipy.special import log_softmax

from lengthwise.evaluation.level_tables import headline
from lengthwise.evaluation.levels import items_of, pool
from lengthwise.evaluation.metrics import figures_of_level
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.reports.change.report import agrees, are_comparable, headline_differences, predictions_at
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
    ids = {"sequence": np.arange(600), "document": document, "group": author, "label": label}
    logs = log_softmax(scores, axis=1).astype(np.float32)
    return pd.DataFrame({**ids, **{f"log_probability_{number}": column for number, column in enumerate(logs.T)}})


def headline_of(predictions, factors):
    # As the stage evaluate makes it.
    columns = {name: predictions[name].to_numpy() for name in ("label", "sequence", "document", "group")}
    logs = predictions.filter(like="log_probability").to_numpy()
    levels = [pool(items, logs) for items in items_of(columns, "sentence", WORDS)]
    tables = [figures_of_level(level, factors, BOOTSTRAP).assign(level=level.name) for level in levels]
    return headline(pd.concat(tables))


def test_differences_have_the_headline_of_both_runs(factors):
    old, new = make_predictions(1), make_predictions(2, skill=1.2)
    found = headline_differences(new, old, LEVELS, factors, 0.95)
    before, after = headline_of(old, factors), headline_of(new, factors)
    assert set(found) == set(before)
    for name, one in found.items():
        assert (one.other, one.one) == pytest.approx((before[name], after[name]), abs=1e-12)
        assert one.low <= one.value <= one.high
    assert agrees(found, before, after)


def test_differences_of_the_same_predictions_are_zero(factors):
    old = make_predictions(1)
    for one in headline_differences(old, old.copy(), LEVELS, factors, 0.95).values():
        assert (one.value, one.low, one.high) == (0, 0, 0)


def test_differences_are_narrow_where_both_runs_find_the_same_authors_hard(factors):
    hardness = np.random.default_rng(5).normal(0, 3, 30)
    old, new = (make_predictions(seed, hardness=hardness) for seed in (1, 2))
    one = headline_differences(new, old, LEVELS, factors, 0.95)["sentence_accuracy"]
    resampled = figures_of_level(pool(*_level(new)), factors, BOOTSTRAP).set_index("metric").loc["accuracy"]
    assert one.high - one.low < 0.5 * (resampled["high"] - resampled["low"])


def _level(predictions):
    columns = {name: predictions[name].to_numpy() for name in ("label", "sequence", "document", "group")}
    return items_of(columns, "sentence", WORDS)[0], predictions.filter(like="log_probability").to_numpy()


def test_differences_begin_at_the_unit_of_the_shards(factors):
    found = headline_differences(make_predictions(2), make_predictions(1), ("document", WORDS), factors, 0.95)
    assert {name.split("_")[0] for name in found} == {"document", "author"}
    assert "document_nll" in found


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.assign(label=(table["label"] + 1) % 6),
        lambda table: table.assign(group=table["group"] + 1),
        lambda table: table.iloc[:-1],
        lambda table: table.drop(columns="group"),
        lambda table: table.drop(columns="log_probability_5"),
        lambda table: table.assign(more=1.0),
    ],
)
def test_predictions_of_other_sequences_or_classes_are_not_compared(factors, change):
    old, new = make_predictions(1), change(make_predictions(2))
    assert are_comparable(old, old, factors)
    assert not are_comparable(old, new, factors)
    assert not are_comparable(new, old, factors)


def test_predictions_of_too_few_classes_or_sequences_are_not_compared(factors):
    narrow = make_predictions(1).drop(columns="log_probability_5")
    assert not are_comparable(narrow, narrow, factors)
    empty = make_predictions(1).iloc[:0]
    assert not are_comparable(empty, empty, factors)


@pytest.mark.parametrize("wrong", [0.123, None, "text", float("nan")])
def test_predictions_that_metrics_do_not_show_are_not_believed(factors, wrong):
    old, new = make_predictions(1), make_predictions(2)
    found = headline_differences(new, old, LEVELS, factors, 0.95)
    before, after = headline_of(old, factors), headline_of(new, factors)
    assert not agrees(found, {**before, "author_gender": wrong}, after)
    assert not agrees(found, before, {**after, "sentence_nll": wrong})


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
