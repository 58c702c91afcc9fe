import numpy as np
import pytest
from closeness import EXACT, assert_close
from sklearn.metrics import accuracy_score, f1_score, log_loss, recall_score

from lengthwise.evaluation.levels import Level
from lengthwise.evaluation.metrics import figures_of_level, point_figures
from lengthwise.evaluation.resampling import Bootstrap

BOOTSTRAP = Bootstrap(samples=300, confidence=0.9, seed=1)
NAMES = ["male 10s", "male 20s", "male 30s", "female 10s", "female 20s", "female 30s"]


def make_level(seed, count=400, authors=40, labels=range(6), sharpness=2.0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(list(labels), count)
    scores = rng.normal(0, 1, (count, 6))
    scores[np.arange(count), truth] += sharpness * rng.random(count)
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return Level("sentence", scores, truth, rng.integers(100, 100 + authors, count))


def values_of(table):
    return dict(zip(table["metric"], table["value"], strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_figures_equal_scikit_learn(factors, seed):
    level = make_level(seed)
    values = values_of(figures_of_level(level, factors, BOOTSTRAP))
    predicted, truth = level.log_probabilities.argmax(axis=1), level.labels
    probabilities = np.exp(level.log_probabilities)
    assert values["accuracy"] == pytest.approx(accuracy_score(truth, predicted), abs=1e-12)
    assert values["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"), abs=1e-12)
    assert values["nll"] == pytest.approx(log_loss(truth, probabilities, labels=range(6)), rel=1e-6)
    recalls = recall_score(truth, predicted, average=None, labels=range(6))
    assert [values[f"recall {name}"] for name in NAMES] == pytest.approx(recalls.tolist(), abs=1e-12)
    gender = probabilities.reshape(-1, 2, 3).sum(axis=2).argmax(axis=1)
    bracket = probabilities.reshape(-1, 2, 3).sum(axis=1).argmax(axis=1)
    assert values["gender_accuracy"] == pytest.approx(accuracy_score(truth // 3, gender), abs=1e-12)
    assert values["age_bracket_accuracy"] == pytest.approx(accuracy_score(truth % 3, bracket), abs=1e-12)


def test_point_figures_are_those_with_intervals(factors):
    level = make_level(2)
    values = values_of(figures_of_level(level, factors, BOOTSTRAP))
    assert point_figures(level, factors) == {
        f"{level.name}_accuracy": pytest.approx(values["accuracy"]),
        f"{level.name}_gender": pytest.approx(values["gender_accuracy"]),
        f"{level.name}_age_bracket": pytest.approx(values["age_bracket_accuracy"]),
        f"{level.name}_nll": pytest.approx(values["nll"]),
    }


def test_figures_are_in_a_fixed_order(factors):
    table = figures_of_level(make_level(1), factors, BOOTSTRAP)
    assert table.columns.tolist() == ["metric", "value", "low", "high"]
    first = ["accuracy", "gender_accuracy", "age_bracket_accuracy", "nll", "macro_f1"]
    assert table["metric"].tolist() == first + [f"recall {name}" for name in NAMES]


@pytest.mark.parametrize("absent", [0, 3, 5])
def test_figures_leave_out_a_class_that_does_not_occur(factors, absent):
    present = [label for label in range(6) if label != absent]
    level = make_level(7, labels=present)
    predicted = level.log_probabilities.argmax(axis=1)
    assert absent in predicted  # Predicted, though never right: still no class to be counted.
    values = values_of(figures_of_level(level, factors, BOOTSTRAP))
    assert f"recall {NAMES[absent]}" not in values
    assert len(values) == 10
    expected = f1_score(level.labels, predicted, labels=present, average="macro")
    assert values["macro_f1"] == pytest.approx(expected, abs=1e-12)


def test_figures_count_a_class_that_is_never_predicted_with_an_f1_of_zero(factors):
    level = make_level(3)
    level.log_probabilities[:, 4] = -50.0
    predicted = level.log_probabilities.argmax(axis=1)
    values = values_of(figures_of_level(level, factors, BOOTSTRAP))
    assert values["recall female 20s"] == 0.0
    expected = f1_score(level.labels, predicted, average="macro", zero_division=0)
    assert values["macro_f1"] == pytest.approx(expected, abs=1e-12)


def test_figures_have_finite_intervals_around_their_values(factors):
    table = figures_of_level(make_level(4), factors, BOOTSTRAP)
    assert np.isfinite(table[["value", "low", "high"]].to_numpy()).all()
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert (table["low"] < table["high"]).all()


def test_figures_have_finite_intervals_where_one_author_alone_has_a_class(factors):
    level = make_level(5, labels=range(5))
    level.labels[0], level.author[0] = 5, 999
    table = figures_of_level(level, factors, BOOTSTRAP).set_index("metric")
    assert np.isfinite(table.to_numpy()).all()
    recall = table.loc["recall female 30s"]
    assert recall["low"] == recall["value"] == recall["high"]


def test_intervals_equal_resampling_the_authors_items_by_hand(factors):
    level = make_level(6, count=60, authors=7)
    bootstrap = Bootstrap(samples=50, confidence=0.8, seed=3)
    right = level.log_probabilities.argmax(axis=1) == level.labels
    accuracies, losses = [], []
    for weights in bootstrap.weights(7):
        chosen = [
            place
            for author, times in zip(np.unique(level.author), weights, strict=True)
            for place in np.flatnonzero(level.author == author).tolist() * int(times)
        ]
        accuracies.append(right[chosen].mean())
        losses.append(-level.log_probabilities[chosen, level.labels[chosen]].mean())
    table = figures_of_level(level, factors, bootstrap).set_index("metric")
    for name, values in (("accuracy", accuracies), ("nll", losses)):
        assert table.loc[name, ["low", "high"]].tolist() == pytest.approx(np.quantile(values, [0.1, 0.9]), abs=1e-12)


def test_intervals_are_the_same_for_the_same_seed_and_wider_for_more_confidence(factors):
    level = make_level(8)
    first, again = (figures_of_level(level, factors, Bootstrap(200, 0.9, 5)) for _ in range(2))
    assert first.equals(again)
    other = figures_of_level(level, factors, Bootstrap(200, 0.9, 6))
    assert not first["low"].equals(other["low"])
    assert first["value"].equals(other["value"])
    wide = figures_of_level(level, factors, Bootstrap(200, 0.99, 5))
    assert (wide["high"] - wide["low"] >= first["high"] - first["low"]).all()


def test_intervals_take_sentences_of_an_author_as_alike(factors):
    # Each author is right always or never: 400 sentences tell no more than 10 authors do.
    level = make_level(9, authors=10, sharpness=0.0)
    level.log_probabilities[:] = -5.0
    guess = np.where(level.author % 2 == 0, level.labels, (level.labels + 1) % 6)
    level.log_probabilities[np.arange(400), guess] = -0.1
    clustered = figures_of_level(level, factors, BOOTSTRAP).set_index("metric").loc["accuracy"]
    alone = Level("sentence", level.log_probabilities, level.labels, np.arange(400))
    independent = figures_of_level(alone, factors, BOOTSTRAP).set_index("metric").loc["accuracy"]
    assert clustered["value"] == independent["value"]
    assert clustered["high"] - clustered["low"] > 3 * (independent["high"] - independent["low"])


def test_bootstrap_draws_as_many_authors_as_there_are():
    weights = Bootstrap(500, 0.9, 1).weights(20)
    assert weights.shape == (500, 20)
    assert (weights.sum(axis=1) == 20).all()
    assert np.abs(weights.mean(axis=0) - 1).max() < 0.25


def test_figures_do_not_depend_on_the_order_of_items(factors):
    level = make_level(10)
    order = np.random.default_rng(1).permutation(400)
    turned = Level("sentence", level.log_probabilities[order], level.labels[order], level.author[order])
    left, right = (figures_of_level(one, factors, BOOTSTRAP) for one in (level, turned))
    assert_close(left[["value", "low", "high"]], right[["value", "low", "high"]], EXACT)
