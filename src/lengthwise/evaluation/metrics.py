"""Accuracy, likelihood, F1 and recall as sums over authors, so that resampling authors gives their intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lengthwise.evaluation.levels import Level
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.labels import LabelFactor, factor_codes, factor_probabilities, joint_class_names


def figures_of_level(level: Level, factors: Sequence[LabelFactor], bootstrap: Bootstrap) -> pd.DataFrame:
    """All figures of a level, each with its interval.

    Returns:
        Columns metric, value, low, high. The metrics: `accuracy` of the joint class, `<factor>_accuracy`, `nll` in
        nats, `macro_f1`, and `recall <class>`; a class that does not occur has no recall and is not in the mean.
    """
    names = joint_class_names(factors)
    sums, confusion = _author_sums(level, factors, len(names))
    present = np.bincount(level.labels, minlength=len(names)) > 0
    once = np.ones((1, len(sums)))
    value = _figures(once, sums, confusion, present)[0]
    resampled = _figures(bootstrap.weights(len(sums)), sums, confusion, present)
    # A resample may lack a rare class altogether; its recall is then unknown, not zero.
    low, high = bootstrap.ends(resampled)
    metrics = [
        "accuracy",
        *(f"{factor.name}_accuracy" for factor in factors),
        "nll",
        "macro_f1",
        *(f"recall {name}" for name, is_present in zip(names, present, strict=True) if is_present),
    ]
    return pd.DataFrame({"metric": metrics, "value": value, "low": low, "high": high})


def point_figures(level: Level, factors: Sequence[LabelFactor]) -> dict[str, float]:
    """What a choice is made by, without intervals.

    Returns:
        Accuracies, `<level>_accuracy` of the joint class and `<level>_<factor>` of each factor, and `<level>_nll`.
    """
    sums, _ = _author_sums(level, factors, len(joint_class_names(factors)))
    count, *figures = sums.sum(axis=0).tolist()
    names = ("accuracy", *(factor.name for factor in factors), "nll")
    return {f"{level.name}_{name}": figure / count for name, figure in zip(names, figures, strict=True)}


def item_scores(level: Level, factors: Sequence[LabelFactor]) -> dict[str, np.ndarray]:
    """What each item of a level adds to the means of its figures.

    Returns:
        By name, float64 (N,): `accuracy` of the joint class, each factor by its name, and `nll` in nats.
    """
    probabilities = factor_probabilities(np.exp(level.log_probabilities), factors)
    truths = factor_codes(level.labels, factors)
    scores = {"accuracy": level.log_probabilities.argmax(axis=1) == level.labels}
    for factor, joint, truth in zip(factors, probabilities, truths, strict=True):
        scores[factor.name] = joint.argmax(axis=1) == truth
    scores["nll"] = -level.log_probabilities[np.arange(len(level.labels)), level.labels]
    return {name: score.astype(np.float64) for name, score in scores.items()}


def _author_sums(level: Level, factors: Sequence[LabelFactor], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums over each author's items: (A, 3 + factors) of count, right, right per factor, nats; and (A, C, C)."""
    _, author = np.unique(level.author, return_inverse=True)
    predicted = level.log_probabilities.argmax(axis=1)
    columns = [np.ones(len(author)), *item_scores(level, factors).values()]
    sums = np.stack([np.bincount(author, column) for column in columns], axis=1)
    cells = (author * classes + level.labels) * classes + predicted
    confusion = np.bincount(cells, minlength=len(sums) * classes**2).reshape(len(sums), classes, classes)
    return sums, confusion.astype(np.float64)


def _figures(weights: np.ndarray, sums: np.ndarray, confusion: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The figures of each weighting of the authors: (W, metrics)."""
    totals = weights @ sums
    means = totals[:, 1:] / totals[:, :1]
    cells = (weights @ confusion.reshape(len(sums), -1)).reshape(-1, *confusion.shape[1:])
    right = np.diagonal(cells, axis1=1, axis2=2)[:, present]
    actual, predicted = cells.sum(axis=2)[:, present], cells.sum(axis=1)[:, present]
    with np.errstate(invalid="ignore"):
        recall = right / actual
        f1 = np.where(actual + predicted > 0, 2 * right / (actual + predicted), np.nan)
    return np.concatenate([means, np.nanmean(f1, axis=1, keepdims=True), recall], axis=1)
