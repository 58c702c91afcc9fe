"""Accuracy, likelihood, F1 and recall as sums over authors, so that resampling authors gives their intervals."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lengthwise.evaluation.levels import Level
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.labels import LabelFactor, factor_codes, factor_probabilities, joint_class_names


@dataclass(frozen=True)
class Metric:
    """A figure that is a mean over items; or several, one for each label factor.

    Attributes:
        pattern: of the names that `per_item` gives, a regular expression.
        per_item: from a level and the label factors, by name what each item adds to the mean: float (N,).
        direction: 1 if higher is better, -1 if lower is.
        smallest: the smallest difference that counts.
        finest: whether the headline has it of the finest level alone.
    """

    pattern: str
    per_item: Callable[[Level, Sequence[LabelFactor]], dict[str, np.ndarray]]
    direction: int
    smallest: float
    finest: bool = False

    def covers(self, name: str) -> bool:
        """Whether a figure of this name is this metric's."""
        return re.fullmatch(self.pattern, name) is not None


def _right(level: Level, _: Sequence[LabelFactor]) -> dict[str, np.ndarray]:
    return {"accuracy": level.log_probabilities.argmax(axis=1) == level.labels}


def _right_by_factor(level: Level, factors: Sequence[LabelFactor]) -> dict[str, np.ndarray]:
    joint = factor_probabilities(np.exp(level.log_probabilities), factors)
    truths = factor_codes(level.labels, factors)
    triples = zip(factors, joint, truths, strict=True)
    return {f"{factor.name}_accuracy": each.argmax(axis=1) == truth for factor, each, truth in triples}


def _nats(level: Level, _: Sequence[LabelFactor]) -> dict[str, np.ndarray]:
    return {"nll": -level.log_probabilities[np.arange(len(level.labels)), level.labels]}


# The one table of metrics: evaluation, its headline, paired differences and the verdict on a change read it.
METRICS = [
    Metric("accuracy", _right, 1, 0.01),
    Metric(".+_accuracy", _right_by_factor, 1, 0.01),
    Metric("nll", _nats, -1, 0.02, finest=True),
]


def metric_of(name: str) -> Metric | None:
    """The metric that a figure is of, by its name in `levels.csv`; None for `macro_f1` and recalls."""
    return next((metric for metric in METRICS if metric.covers(name)), None)


def headline_name(name: str) -> str:
    """How the headline calls a figure of `levels.csv`, after its level.

    >>> headline_name("mood_accuracy"), headline_name("accuracy")
    ('mood', 'accuracy')
    """
    return name.removesuffix("_accuracy")


def figures_of_level(level: Level, factors: Sequence[LabelFactor], bootstrap: Bootstrap) -> pd.DataFrame:
    """All figures of a level, each with its interval.

    Returns:
        Columns metric, value, low, high. The metrics: those of `METRICS` (`accuracy` of the joint class,
        `<factor>_accuracy`, `nll` in nats), `macro_f1`, and `recall <class>`; a class that does not occur has no recall
        and is not in the mean.
    """
    names = joint_class_names(factors)
    means, sums, confusion = _author_sums(level, factors, len(names))
    present = np.bincount(level.labels, minlength=len(names)) > 0
    once = np.ones((1, len(sums)))
    value = _figures(once, sums, confusion, present)[0]
    resampled = _figures(bootstrap.weights(len(sums)), sums, confusion, present)
    # A resample may lack a rare class altogether; its recall is then unknown, not zero.
    low, high = bootstrap.ends(resampled)
    recalls = [f"recall {name}" for name, is_present in zip(names, present, strict=True) if is_present]
    metrics = [*means, "macro_f1", *recalls]
    return pd.DataFrame({"metric": metrics, "value": value, "low": low, "high": high})


def point_figures(level: Level, factors: Sequence[LabelFactor]) -> dict[str, float]:
    """What a choice is made by, without intervals.

    Returns:
        Accuracies, `<level>_accuracy` of the joint class and `<level>_<factor>` of each factor, and `<level>_nll`.
    """
    means, sums, _ = _author_sums(level, factors, len(joint_class_names(factors)))
    count, *figures = sums.sum(axis=0).tolist()
    return {f"{level.name}_{headline_name(name)}": of / count for name, of in zip(means, figures, strict=True)}


def item_scores(level: Level, factors: Sequence[LabelFactor]) -> dict[str, np.ndarray]:
    """What each item of a level adds to the means of its figures.

    Returns:
        By the names of `METRICS`, in their order, float64 (N,).
    """
    scores = (metric.per_item(level, factors) for metric in METRICS)
    return {name: score.astype(np.float64) for of_metric in scores for name, score in of_metric.items()}


def _author_sums(
    level: Level, factors: Sequence[LabelFactor], classes: int
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The names of the means, the sums over each author's items (A, 1 + means), their count first; and (A, C, C)."""
    _, author = np.unique(level.author, return_inverse=True)
    predicted = level.log_probabilities.argmax(axis=1)
    scores = item_scores(level, factors)
    columns = [np.ones(len(author)), *scores.values()]
    sums = np.stack([np.bincount(author, column) for column in columns], axis=1)
    cells = (author * classes + level.labels) * classes + predicted
    confusion = np.bincount(cells, minlength=len(sums) * classes**2).reshape(len(sums), classes, classes)
    return list(scores), sums, confusion.astype(np.float64)


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
