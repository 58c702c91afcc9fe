"""A metric is added at one place, `METRICS`, and is found wherever figures are made or judged."""

import numpy as np
import pytest

from lengthwise.evaluation import metrics
from lengthwise.evaluation.level_tables import headline, level_figures
from lengthwise.evaluation.levels import Level
from lengthwise.evaluation.metrics import Metric, point_figures
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.reports.change.comparison import Rule, rule_of


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
