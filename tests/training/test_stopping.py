import keras
import numpy as np
import pytest

from lengthwise.training.stopping import BestEpoch

NAN, INF = float("nan"), float("inf")


def follow(by, patience, figures):
    """The best epoch of a run that has these figures of validation, the epochs that it took, and its weights."""
    column = f"validation_{by}"
    weight = keras.Variable(np.zeros((2,), np.float32))
    best, rows = BestEpoch(by, patience), []
    while len(rows) < len(figures) and not best.is_over(len(rows)):
        rows.append({column: figures[len(rows)]})
        weight.assign(np.full(2, len(rows), np.float32))
        best.look_at(rows, [weight])
    best.restore([weight])
    return best.number, len(rows), weight.numpy().tolist()


@pytest.mark.parametrize(
    ("by", "patience", "figures", "number", "epochs"),
    [
        ("loss", None, [3, 2, 4, 1, 5], 4, 5),
        ("loss", 1, [3, 2, 4, 1, 5], 2, 3),
        ("loss", 2, [3, 2, 4, 1, 5], 4, 5),
        ("accuracy", None, [0.1, 0.5, 0.5, 0.4], 2, 4),
        ("accuracy", 2, [0.1, 0.5, 0.5, 0.4, 0.9], 2, 4),
        ("accuracy", 1, [0.1], 1, 1),
        ("loss", 3, [NAN, 3, INF, 2, NAN, NAN, NAN, 1], 4, 7),
    ],
)
def test_the_best_epoch_is_the_first_that_is_best_and_patience_counts_those_after_it(
    by, patience, figures, number, epochs
):
    assert follow(by, patience, figures) == (number, epochs, [number, number])


@pytest.mark.parametrize("seed", range(30))
def test_the_best_epoch_of_any_run_is_found_and_no_later_one_is_tried(seed):
    rng = np.random.default_rng(seed)
    figures = rng.integers(0, 5, 20).astype(float).tolist()
    patience = int(rng.integers(1, 8))
    number, epochs, weights = follow("loss", patience, figures)
    assert number == int(np.argmin(figures[:epochs])) + 1
    assert weights == [number, number]
    assert epochs == min(20, number + patience)


def test_without_a_finite_figure_the_last_weights_stay_and_patience_ends_the_run():
    assert follow("loss", 3, [NAN] * 9) == (0, 3, [3, 3])
    assert follow("loss", None, [NAN] * 9) == (0, 9, [9, 9])


def test_without_a_figure_the_last_epoch_is_the_best():
    best, weight = BestEpoch("none", None), keras.Variable(np.ones(2, np.float32))
    rows = []
    for _ in range(3):
        rows.append({"train_loss": 1.0})
        best.look_at(rows, [weight])
        assert (best.number, best.weights, best.is_over(len(rows))) == (len(rows), [], False)
    best.restore([weight])
    assert weight.numpy().tolist() == [1, 1]


def test_weights_that_are_kept_do_not_change_with_the_network():
    weight = keras.Variable(np.ones(2, np.float32))
    best = BestEpoch("loss", None)
    best.look_at([{"validation_loss": 1.0}], [weight])
    weight.assign_add(np.ones(2, np.float32))
    best.look_at([{"validation_loss": 1.0}, {"validation_loss": 2.0}], [weight])
    assert best.weights[0].tolist() == [1, 1]
