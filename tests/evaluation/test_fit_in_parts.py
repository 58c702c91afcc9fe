"""Linear models of features that memory does not hold are near those of features that it holds."""

import io
import tracemalloc

import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import split_of_messages
from sklearn.linear_model import LogisticRegression, Ridge

from lengthwise.core.labels import LabelFactor
from lengthwise.evaluation import bounded_rows
from lengthwise.evaluation.baseline_options import BaselineOptions, LinearOptions, NgramOptions, TagModelOptions
from lengthwise.evaluation.baseline_task import BaselineTask
from lengthwise.evaluation.bounded_rows import RowsInParts, rows_of_level
from lengthwise.evaluation.fit_baselines import baseline_work, fit_baselines
from lengthwise.evaluation.fit_in_parts import RidgeInParts, logistic_in_parts
from lengthwise.evaluation.input_columns import InputColumns
from lengthwise.evaluation.item_features import ItemFeatures
from lengthwise.evaluation.item_parts import ItemParts
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.system.progress import Progress

SCORED = {
    "classes": ClassScoring((LabelFactor("mood", ("calm", "loud", "sad")),)),
    "labels": LabelScoring(("some", "two", "all")),
    "numbers": NumberScoring(("tenfold", "rest")),
}
WAYS = {
    "classes": ("lbfgs", "minibatches"),
    "labels": ("lbfgs", "minibatches"),
    "numbers": ("ridge", "conjugate_gradients"),
}
INPUTS = InputColumns({"tokens": 60}, ("x",))


def quiet(total):
    return Progress("baselines", total, "iterations", stream=io.StringIO())


def make_split(seed, count=600, length=8, vocabulary=60):
    """Documents of two sequences, whose tokens and numbers say a part of what is predicted."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 2 * length, count)
    document = np.arange(count) // 2
    class_of = rng.integers(0, 3, document.max() + 1)[document]
    row = np.repeat(np.arange(count), lengths)
    telling = rng.random(len(row)) < 0.1
    tokens = np.where(telling, class_of[row], rng.integers(3, vocabulary, len(row)))
    per_step = {
        "tokens": tokens.astype(np.int32),
        "x": rng.normal(class_of[row], 4.0)[:, np.newaxis].astype(np.float32),
    }
    return split_of_messages(lengths, per_step, document, class_of)


def task_of(kind, memory_mb, inputs=INPUTS, iterations=100, **options):
    linear = LinearOptions(1.0, iterations, memory_mb=memory_mb, **options)
    judge = 1 if options.get("tuned") else None
    return BaselineTask(SCORED[kind], inputs, BaselineOptions(linear, TagModelOptions(1, 8, 1), NgramOptions(2)), judge)


def fitted(task, *splits):
    training, *asked = splits
    work = baseline_work(task, training)
    with quiet(work) as progress:
        made = fit_baselines(task, training, asked, progress)
        assert progress.done == work
    return made


@pytest.fixture
def small_megabytes(monkeypatch):
    # 64 of them are 64 KiB.
    monkeypatch.setattr(bounded_rows, "MIB", 1 << 10)


def in_parts_of(split, known, inputs=INPUTS, most=20_000):
    parts = ItemParts.within(inputs, split.sequences, known, most, shuffled=True)
    assert len(parts) > 3
    return RowsInParts(ItemFeatures(inputs, split.sequences, known, parts=parts), parts)


@pytest.mark.usefixtures("small_megabytes")
@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", SCORED)
def test_models_beyond_the_bound_say_nearly_what_those_within_say(kind):
    splits = [make_split(seed) for seed in (1, 2, 3)]
    within, beyond = (fitted(task_of(kind, *bounds), *splits) for bounds in ((None, INPUTS, 100), (64, INPUTS, 15)))
    assert [row["fitted_by"] for row in within.fits] == [WAYS[kind][0]] * len(within.fits)
    assert [row["fitted_by"] for row in beyond.fits] == [WAYS[kind][1]] * len(beyond.fits)
    assert [row["features_mb"] for row in within.fits] == [row["features_mb"] for row in beyond.fits]
    assert min(row["features_mb"] for row in beyond.fits) > 64
    for model, exact in within.predictions.items():
        for of_split, near in zip(exact, beyond.predictions[model], strict=True):
            for level, columns in of_split.items():
                for name, values in columns.items():
                    found = near[level][name]
                    assert found.shape == values.shape
                    if model != "linear":
                        assert np.array_equal(found, values)
                    elif kind == "numbers":
                        assert np.allclose(found, values, rtol=0, atol=0.01 * values.std())
                    elif level == "message":
                        # Of chances; those of classes are each against all others.
                        chances = [np.exp(of) if kind == "classes" else 1 / (1 + np.exp(-of)) for of in (found, values)]
                        assert abs(chances[0] - chances[1]).mean() < 0.08
                        assert ((chances[0] > 0.5) == (chances[1] > 0.5)).mean() > 0.9
    again = fitted(task_of(kind, 64, INPUTS, 15), *splits)
    for of_split, same in zip(beyond.predictions["linear"], again.predictions["linear"], strict=True):
        for level, columns in of_split.items():
            assert all(values.tobytes() == same[level][name].tobytes() for name, values in columns.items())


@pytest.mark.usefixtures("small_megabytes")
def test_a_bound_that_holds_the_features_changes_nothing():
    splits = [make_split(seed, 60) for seed in (1, 2)]
    unbounded = fitted(task_of("classes", None), *splits)
    needed = max(row["features_mb"] for row in unbounded.fits)
    bounded = fitted(task_of("classes", max(64, needed)), *splits)
    assert bounded.fits == unbounded.fits
    for level, columns in unbounded.predictions["linear"][0].items():
        for name, values in columns.items():
            assert values.tobytes() == bounded.predictions["linear"][0][level][name].tobytes()


@pytest.mark.usefixtures("small_megabytes")
def test_models_beyond_the_bound_are_tuned_too():
    splits = [make_split(seed) for seed in (1, 2, 3)]
    made = fitted(task_of("classes", 64, iterations=5, tuned=True), *splits)
    for level in {row["level"] for row in made.tried}:
        rows = [row for row in made.tried if row["level"] == level]
        (chosen,) = [row for row in rows if row["chosen"]]
        assert chosen["validation_loss"] == min(row["validation_loss"] for row in rows)
        assert len(rows) >= 2


@settings(max_examples=up_to(8), deadline=None)
@given(st.integers(0, 99), st.sampled_from([0.01, 1.0]), st.booleans())
def test_ridge_in_parts_is_that_of_scikit_learn(seed, c, sparse):
    inputs = INPUTS if sparse else InputColumns({}, ("x",))
    split = make_split(seed, 120)
    known = split.items[0]
    rows = in_parts_of(split, known, inputs, 15_000 if sparse else 5_000)
    numbers = np.random.default_rng(seed).normal(5, 3, (len(known.labels), 2))
    whole = ItemFeatures(inputs, split.sequences, known).rows(split.sequences, known)
    dense = whole.toarray() if sparse else whole
    expected = Ridge(alpha=0.5 / c, solver="svd").fit(dense, numbers).predict(dense)
    found = RidgeInParts(rows, numbers, LinearOptions(c, 100)).predict(whole)
    assert np.allclose(found, expected, rtol=0, atol=1e-4)


def test_minibatches_come_to_the_weights_of_logistic_regression():
    # Of two classes both have one loss: it is one class against the other.
    split = make_split(5, 2000)
    known = split.items[0]
    labels = (known.labels > 0).astype(np.int64)
    rows = in_parts_of(split, known, most=150_000)
    with quiet(40) as progress:
        model = logistic_in_parts(rows, labels, LinearOptions(0.1, 40), progress)
        assert progress.done == 40
    whole = rows.features.rows(split.sequences, known)
    direct = LogisticRegression(C=0.1, max_iter=500).fit(whole, labels)
    assert np.corrcoef(model.coef_[0], direct.coef_[0])[0, 1] > 0.98
    found, expected = (of.predict_log_proba(whole)[np.arange(len(labels)), labels].mean() for of in (model, direct))
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("classes", [2, 3])
def test_chances_by_minibatches_are_those_of_scikit_learn_and_finite_however_sure(classes):
    split = make_split(7, 200)
    labels = np.minimum(split.items[0].labels, classes - 1)
    rows = in_parts_of(split, split.items[0], most=15_000)
    model = logistic_in_parts(rows, labels, LinearOptions(0.1, 3), quiet(3))
    whole = rows.features.rows(split.sequences, split.items[0])
    assert np.allclose(np.exp(model.predict_log_proba(whole)), model.predict_proba(whole), atol=1e-12)
    # So sure that all chances of scikit-learn's are zeros, which make no distribution.
    model.coef_ *= 1e5
    model.intercept_ -= 1e5
    sure = model.predict_log_proba(whole)
    assert sure.shape == (len(labels), classes)
    assert np.isfinite(sure).all()
    assert np.allclose(np.exp(sure).sum(axis=1), 1)


@pytest.mark.parametrize(("most", "passes"), [(1, 1), (3, 3), (12, 12)])
def test_minibatches_take_no_more_passes_than_iterations(monkeypatch, most, passes):
    split = make_split(6, 100)
    rows = in_parts_of(split, split.items[0], most=8_000)
    orders, in_order = [], RowsInParts.in_order
    monkeypatch.setattr(
        RowsInParts, "in_order", lambda self, order: (orders.append(list(order)), in_order(self, order))[1]
    )
    with quiet(most) as progress:
        logistic_in_parts(rows, split.items[0].labels, LinearOptions(1.0, most), progress)
        assert progress.done == most
    assert len(orders) == passes
    assert all(sorted(order) == list(range(len(rows.parts))) for order in orders)
    if passes > 1:
        assert len({tuple(order) for order in orders}) > 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", SCORED)
def test_what_is_beyond_the_bound_takes_no_more_than_it(kind, monkeypatch):
    # 64 of them are 8 MiB.
    monkeypatch.setattr(bounded_rows, "MIB", 1 << 17)
    bound = 64 * bounded_rows.MIB
    training, test = make_split(1, 30_000, 40, 2000), make_split(2, 6_000, 40, 2000)
    inputs = InputColumns({"tokens": 2000})
    fitted(task_of(kind, 64, iterations=1), make_split(1, 600), make_split(2, 60))
    peaks = {}
    for memory in (64, None):
        task = task_of(kind, memory, inputs, 1)
        tracemalloc.start()
        for known in training.items:
            rows = rows_of_level(task, training, known, [test], weighted=True, lengths=False)
            assert rows.in_parts == (memory is not None)
            del rows
        made = fitted(task, training, test)
        peaks[memory] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert all(row["features_mb"] * bounded_rows.MIB > 4 * bound for row in made.fits)
    # Beside the features: a few dozen bytes for each sequence and item, predictions and targets among them.
    beside = 100 * (len(training.sequences) + len(test.sequences)) + (1 << 20)
    assert peaks[64] < bound + beside < 0.7 * peaks[None]
