"""A metric is added at one place, the table of its task, and is found wherever figures are made or judged."""

import numpy as np
import pytest

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.evaluation import metrics
from lengthwise.evaluation.level_tables import headline, level_figures
from lengthwise.evaluation.levels import Level, items_of
from lengthwise.evaluation.metrics import Metric, point_figures
from lengthwise.evaluation.ratios import Ratio
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.score import points_of, score_task
from lengthwise.evaluation.scoring.tag_scoring import TagScoring
from lengthwise.verdict.comparison import Rule, rule_of


def brier(level, factors):
    truth = np.eye(level.log_probabilities.shape[1])[level.labels]
    return {"brier": ((np.exp(level.log_probabilities) - truth) ** 2).sum(axis=1)}


@pytest.fixture
def levels():
    rng = np.random.default_rng(0)
    return [
        Level(name, np.log(rng.dirichlet(np.ones(6), items)), rng.integers(0, 6, items), np.arange(items) // 2)
        for name, items in (("sentence", 40), ("author", 10))
    ]


def test_a_metric_is_added_at_one_place(levels, factors, monkeypatch):
    key = ("evaluate/classifier.json", "sentence_brier")
    assert rule_of(key) is not None, "the accuracy of a factor may have any name"
    monkeypatch.setattr(metrics, "METRICS", [*metrics.METRICS, Metric("brier", brier, -1, 0.005, finest=True)])
    table = level_figures("classifier", levels, factors, Bootstrap(50, 0.9, 1))
    found = table[table["metric"] == "brier"].set_index("level")
    assert found.loc["sentence", "value"] == pytest.approx(brier(levels[0], factors)["brier"].mean())
    assert (found["low"] < found["value"]).all()
    assert headline(table)["sentence_brier"] == found.loc["sentence", "value"]
    assert "author_brier" not in headline(table)
    assert point_figures(levels[1], factors)["author_brier"] == pytest.approx(found.loc["author", "value"])
    assert rule_of(key) == Rule(-1, 0.005)


def longest_right(of, _):
    """A ratio that no task has: right steps of sequences of at least three steps."""
    long = of.steps >= 3
    return {"long": Ratio(of.right * long, of.steps * long)}


def test_a_metric_of_another_task_is_added_at_one_place_too(monkeypatch):
    rng = np.random.default_rng(0)
    lengths, group = rng.integers(1, 7, 40), np.arange(40) // 2
    steps = int(lengths.sum())
    columns = {name: np.arange(40) for name in ("sequence", "document", "label")} | {"group": group}
    sequences = Sequences(offsets_of(lengths), {"tags": rng.integers(0, 3, steps)}, columns)
    predictions = {"predicted": rng.integers(0, 3, steps), "log_probability": np.log(rng.random(steps))}
    scored = (sequences, predictions, items_of(columns, "document", {"document": "message", "group": "author"}))
    scoring, key = TagScoring("tags", ("a", "b", "c")), ("evaluate/tagger.json", "step_long")
    monkeypatch.setattr(TagScoring, "metrics", (*TagScoring.metrics, Metric("long", longest_right, 1, 0.02, at="step")))
    scores = score_task("tagger", scoring, *scored, Bootstrap(50, 0.9, 1))
    right = (sequences["tags"] == predictions["predicted"])[np.repeat(lengths, lengths) >= 3].mean()
    assert scores.headline["step_long"] == points_of(scores.levels)["step_long"] == pytest.approx(right)
    assert scores.levels[0].item_scores()["long"].mean() == pytest.approx(right)
    assert rule_of(key) == Rule(1, 0.02)
