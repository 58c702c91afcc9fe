import numpy as np
import pandas as pd
import pytest
from closeness import EXACT, assert_close

from lengthwise.evaluation.level_tables import COLUMNS, confusion_table, headline, level_figures, write_level_tables
from lengthwise.evaluation.levels import Level
from lengthwise.evaluation.resampling import Bootstrap

BOOTSTRAP = Bootstrap(20, 0.9, 1)


@pytest.fixture
def levels():
    rng = np.random.default_rng(1)
    return [
        Level(name, np.log(rng.dirichlet(np.ones(6), count)), rng.integers(0, 6, count), np.arange(count) // 2)
        for name, count in (("sentence", 90), ("document", 40), ("author", 20))
    ]


def test_level_figures_names_model_and_level(levels, factors):
    figures = level_figures("classifier", levels, factors, BOOTSTRAP)
    assert figures.columns.tolist() == list(COLUMNS)
    assert set(figures["model"]) == {"classifier"}
    assert figures["level"].drop_duplicates().tolist() == ["sentence", "document", "author"]


def test_headline_has_the_accuracies_of_each_level_one_likelihood_and_at_most_12_keys(levels, factors):
    figures = level_figures("classifier", levels, factors, BOOTSTRAP)
    chosen = headline(figures)
    expected = {f"{level.name}_{kind}" for level in levels for kind in ("accuracy", "gender", "age_bracket")}
    assert set(chosen) == {*expected, "sentence_nll"}
    assert len(chosen) <= 12
    assert {type(value) for value in chosen.values()} == {float}
    for level in levels:
        accuracy = (level.log_probabilities.argmax(axis=1) == level.labels).mean()
        assert chosen[f"{level.name}_accuracy"] == pytest.approx(accuracy)


def test_confusion_table_counts_every_pair(levels, factors):
    level = levels[0]
    table = confusion_table(level, factors)
    assert table.columns.tolist() == ["actual", "predicted", "count"]
    assert len(table) == len(table.drop_duplicates(["actual", "predicted"])) == 36
    assert table["count"].sum() == 90
    names = [f"{gender} {bracket}" for gender in ("male", "female") for bracket in ("10s", "20s", "30s")]
    counts = table.set_index(["actual", "predicted"])["count"]
    predicted = level.log_probabilities.argmax(axis=1)
    for actual in range(6):
        assert counts[names[actual]].sum() == (level.labels == actual).sum()
        for guess in range(6):
            both = (level.labels == actual) & (predicted == guess)
            assert counts[names[actual], names[guess]] == both.sum()


def test_write_level_tables_writes_one_confusion_a_level(levels, factors, tmp_path):
    figures = level_figures("classifier", levels, factors, BOOTSTRAP)
    write_level_tables(tmp_path, figures, levels, factors)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "confusion_author.csv",
        "confusion_document.csv",
        "confusion_sentence.csv",
        "levels.csv",
    ]
    read = pd.read_csv(tmp_path / "levels.csv")
    assert read.columns.tolist() == list(COLUMNS)
    assert_close(read["value"], figures["value"], EXACT)
    assert pd.read_csv(tmp_path / "confusion_author.csv")["count"].sum() == 20
