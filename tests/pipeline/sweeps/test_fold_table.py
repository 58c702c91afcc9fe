from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lengthwise.errors import SweepError
from lengthwise.evaluation.item_table import LevelScores
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.pipeline.sweeps.fold_runs import FoldItems
from lengthwise.pipeline.sweeps.fold_table import pooled

BOOTSTRAP = Bootstrap(100, 0.9, 1)
MODELS = {"majority": 0.2, "linear": 0.6, "classifier": 0.8}


@pytest.fixture
def folds():
    """Sentences of 60 authors, a third of them in each fold: right as often as each model is good."""
    rng = np.random.default_rng(0)
    folds = []
    for fold in range(3):
        authors = np.arange(60)[np.arange(60) % 3 == fold]
        group = np.repeat(authors, 5)
        luck = rng.random(len(group))
        models = {
            model: [
                LevelScores("sentence", group, {"accuracy": (luck < good) * 1.0, "nll": luck - good + 1}),
                LevelScores("author", authors, {"accuracy": (rng.random(len(authors)) < good) * 1.0}),
            ]
            for model, good in MODELS.items()
        }
        networks = {"classifier": models.pop("classifier")}
        folds.append(FoldItems(models, networks))
    return folds


def test_the_table_over_all_folds_has_every_item_once(folds):
    tables = pooled(folds, True, BOOTSTRAP)
    assert tables.head == "3 folds test 60 groups, each in one fold: 300 sentences, 60 authors."
    for model in MODELS:
        right = np.concatenate([fold.models[model][0].scores["accuracy"] for fold in folds])
        row = tables.figures.query("model == @model and level == 'sentence' and metric == 'accuracy'").iloc[0]
        assert row["value"] == pytest.approx(right.mean())
        assert row["low"] < row["value"] < row["high"]
    of_folds = tables.by_fold.query("model == 'linear' and level == 'sentence' and metric == 'accuracy'")
    assert of_folds[["fold", "groups", "items"]].to_numpy().tolist() == [[0, 20, 100], [1, 20, 100], [2, 20, 100]]
    assert of_folds["value"].mean() == pytest.approx(
        tables.figures.query("model == 'linear' and level == 'sentence' and metric == 'accuracy'")["value"].item()
    )


def test_differences_are_of_the_same_items_and_shown_beside_the_best_baseline(folds):
    tables = pooled(folds, True, BOOTSTRAP)
    rows = tables.differences.set_index(["network", "baseline", "level", "metric"])
    row = rows.loc[("classifier", "linear", "sentence", "accuracy")]
    one, other = (
        np.concatenate([fold.models[model][0].scores["accuracy"] for fold in folds])
        for model in ("classifier", "linear")
    )
    assert row["difference"] == pytest.approx(one.mean() - other.mean())
    assert 0 < row["low"] < row["difference"] < row["high"]
    shown = tables.text().partition("Paired differences")[2]
    # Of the likelihood less is better, and the linear model is the better baseline there, too.
    lines = [line for line in shown.splitlines() if line.startswith(("| sentence", "| author"))]
    assert [line.split("|")[1:5] for line in lines] == [
        [" sentence ", " accuracy ", " classifier ", " linear "],
        [" sentence ", " nll ", " classifier ", " linear "],
        [" author ", " accuracy ", " classifier ", " linear "],
    ]


def test_the_text_has_a_row_a_fold_and_the_mean_of_them(folds):
    text = pooled(folds, True, BOOTSTRAP).text()
    assert "By fold, accuracy by sentence:" in text
    of_folds = text.partition("By fold")[2].partition("Paired")[0].strip().splitlines()[2:]
    assert [line.split("|")[1].strip() for line in of_folds] == [
        *("fold", "---", "0", "1", "2", "mean", "standard deviation")
    ]


def test_a_group_that_two_folds_test_is_refused_unless_the_split_is_finer(folds):
    twice = [*folds[:2], folds[1]]
    with pytest.raises(SweepError, match="20 groups are tested more than once; expected folds of one corpus"):
        pooled(twice, True, BOOTSTRAP)
    assert pooled(twice, False, BOOTSTRAP).head == "3 folds test 40 groups: 300 sentences, 60 authors."


def test_a_model_that_a_fold_lacks_is_left_out(folds):
    fewer = [*folds[:2], FoldItems({"linear": folds[2].baselines["linear"]}, folds[2].networks)]
    assert set(pooled(fewer, True, BOOTSTRAP).figures["model"]) == {"linear", "classifier"}
    none = [FoldItems({}, fold.networks) for fold in folds]
    tables = pooled(none, True, BOOTSTRAP)
    assert set(tables.figures["model"]) == {"classifier"}
    assert len(tables.differences) == 0
    assert "Paired" not in tables.text()


def test_two_together_are_one_more_model_and_compared_with_each_of_the_two(folds):
    rng = np.random.default_rng(1)
    together = []
    for fold in folds:
        levels = [
            LevelScores(level.name, level.group, {"accuracy": (rng.random(len(level.group)) < 0.9) * 1.0})
            for level in fold.models["linear"]
        ]
        together.append(replace(fold, together={"classifier_and_linear": levels}))
    before, tables = pooled(folds, True, BOOTSTRAP), pooled(together, True, BOOTSTRAP)
    assert [*dict.fromkeys(tables.figures["model"])] == [*MODELS, "classifier_and_linear"]
    assert (tables.by_fold["model"] == "classifier_and_linear").sum() == 3 * 2
    # All else is what it is without.
    assert tables.differences.query("network == 'classifier'").equals(before.differences)
    more = tables.differences.query("network == 'classifier_and_linear'").set_index(["baseline", "level"])
    assert [*more.index] == [(part, level) for part in ("linear", "classifier") for level in ("sentence", "author")]
    for (part, level), row in more.iterrows():
        place = ("sentence", "author").index(level)
        one = np.concatenate([fold.together["classifier_and_linear"][place].scores["accuracy"] for fold in together])
        other = np.concatenate([fold.models[part][place].scores["accuracy"] for fold in folds])
        assert row["difference"] == pytest.approx(one.mean() - other.mean())
    text = tables.text()
    assert "| level | metric | majority | linear | classifier | classifier and linear |" in text
    assert "Paired differences from the best baseline, and of two together from each:" in text
    for part in ("linear", "classifier"):
        assert f"| sentence | accuracy | classifier and linear | {part} | " in text
    assert "two together" not in before.text()


def test_two_together_are_left_out_where_a_fold_lacks_them(folds):
    first = replace(folds[0], together={"classifier_and_linear": folds[0].models["linear"]})
    assert pooled([first, *folds[1:]], True, BOOTSTRAP).text() == pooled(folds, True, BOOTSTRAP).text()


def test_a_network_is_not_compared_with_the_baselines_of_another_task(folds):
    mixed = [
        FoldItems(
            {**fold.baselines, "tagger_linear": fold.baselines["linear"]},
            {**fold.networks, "tagger": fold.networks["classifier"]},
        )
        for fold in folds
    ]
    pairs = pooled(mixed, True, BOOTSTRAP).differences[["network", "baseline"]].drop_duplicates().to_numpy().tolist()
    assert sorted(pairs) == [["classifier", "linear"], ["classifier", "majority"], ["tagger", "tagger_linear"]]


def test_tables_are_written_whole_and_replace_what_was_there(folds, tmp_path):
    tables = pooled(folds, True, BOOTSTRAP)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.csv").write_text("old")
    tables.write(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("differences.csv", "folds.csv", "folds.md", "levels.csv")
    ]
    assert (tmp_path / "out" / "folds.md").read_text() == f"{tables.text()}\n"
    read = pd.read_csv(tmp_path / "out" / "levels.csv")
    assert read["value"].to_numpy() == pytest.approx(tables.figures["value"].to_numpy(), rel=1e-5)
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    pooled(folds, True, BOOTSTRAP).write(tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == first
