import numpy as np
import pytest
from scipy import stats

from lengthwise.evaluation.item_figures import mean_figures, paired_figures
from lengthwise.evaluation.item_table import LevelScores, joined
from lengthwise.evaluation.level_tables import COLUMNS, level_figures
from lengthwise.evaluation.levels import Level
from lengthwise.evaluation.metrics import item_scores
from lengthwise.evaluation.resampling import Bootstrap

BOOTSTRAP = Bootstrap(200, 0.9, 3)


@pytest.fixture
def level():
    rng = np.random.default_rng(0)
    return Level("sentence", np.log(rng.dirichlet(np.ones(6), 60)), rng.integers(0, 6, 60), rng.integers(0, 17, 60))


def test_means_and_intervals_are_those_of_the_evaluation(level, factors):
    scores = LevelScores("sentence", level.author, item_scores(level, factors))
    found = mean_figures("gru", [scores], BOOTSTRAP)
    expected = level_figures("gru", [level], factors, BOOTSTRAP)
    expected = expected[expected["metric"].isin(scores.scores)]
    assert list(found.columns) == list(COLUMNS)
    assert found["metric"].tolist() == expected["metric"].tolist()
    for column in ("value", "low", "high"):
        assert found[column].to_numpy() == pytest.approx(expected[column].to_numpy(), rel=1e-12)


def test_figures_of_joined_folds_are_those_of_all_items_at_once(level, factors):
    scores = item_scores(level, factors)
    folds = [level.author % 3 == fold for fold in range(3)]
    parts = [
        [LevelScores("sentence", level.author[rows], {metric: of[rows] for metric, of in scores.items()})]
        for rows in folds
    ]
    found = mean_figures("gru", joined(parts), BOOTSTRAP)
    whole = mean_figures("gru", [LevelScores("sentence", level.author, scores)], BOOTSTRAP)
    for column in ("value", "low", "high"):
        assert found[column].to_numpy() == pytest.approx(whole[column].to_numpy(), rel=1e-12)


def test_paired_figures_are_the_paired_t_test_of_the_groups():
    # More groups than are tested by swaps, of one item each: SciPy has the same interval.
    rng = np.random.default_rng(2)
    one, other, group = rng.random(400), rng.random(400), rng.permutation(400)
    (row,) = paired_figures(
        [LevelScores("document", group, {"nll": one})], [LevelScores("document", group, {"nll": other})], 0.9
    ).itertuples(index=False)
    expected = stats.ttest_rel(one, other).confidence_interval(0.9)
    assert (row.level, row.metric) == ("document", "nll")
    assert (row.one, row.other, row.difference) == pytest.approx((one.mean(), other.mean(), (one - other).mean()))
    assert (row.low, row.high) == pytest.approx((expected.low, expected.high))


def test_paired_figures_leave_out_what_is_not_of_the_same_items():
    one = [LevelScores(name, np.arange(9), {"accuracy": np.ones(9)}) for name in ("sentence", "document", "author")]
    other = [
        LevelScores("sentence", np.arange(9)[::-1], {"accuracy": np.ones(9)}),
        LevelScores("document", np.arange(9), {"nll": np.ones(9)}),
        LevelScores("author", np.arange(9), {"accuracy": np.zeros(9)}),
    ]
    assert paired_figures(one, other, 0.9)["level"].tolist() == ["author"]


def test_paired_figures_of_too_few_groups_have_no_ends():
    one = [LevelScores("author", np.arange(2), {"accuracy": np.array([1.0, 0.5])})]
    (row,) = paired_figures(one, one, 0.99).itertuples(index=False)
    assert (row.low, row.high) == (-np.inf, np.inf)
