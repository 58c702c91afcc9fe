"""Accuracy, likelihood, F1 and recall as sums over authors, so that resampling authors gives their intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from lengthwise.core.labels import LabelFactor, factor_codes, factor_probabilities, joint_class_names
from lengthwise.evaluation.levels import Level
from lengthwise.evaluation.metric import Metric, headline_name
from lengthwise.evaluation.ratios import Ratio, sums_by
from lengthwise.evaluation.resampling import Bootstrap


def _right(level: Level, _: Sequence[LabelFactor]) -> dict[str, np.ndarray]:
    return {"accuracy": level.log_probabilities.argmax(axis=1) == level.labels}


def _right_by_factor(level: Level, factors: Sequence[LabelFactor]) -> dict[str, np.ndarray]:
    joint = factor_probabilities(np.exp(level.log_probabilities), factors)
    truths = factor_codes(level.labels, factors)
    triples = zip(factors, joint, truths, strict=True)
    return {f"{factor.name}_accuracy": each.argmax(axis=1) == truth for factor, each, truth in triples}


def _nats(level: Level, _: Sequence[LabelFactor]) -> dict[str, np.ndarray]:
    return {"nll": -level.log_probabilities[np.arange(len(level.labels)), level.labels]}


# What classifiers are judged by; `lengthwise.evaluation.scoring.registry` has the metrics of every task.
METRICS = [
    Metric("accuracy", _right, 1, 0.01),
    Metric(".+_accuracy", _right_by_factor, 1, 0.01),
    Metric("nll", _nats, -1, 0.02, finest=True),
]


def figures_of_level(level: Level, factors: Sequence[LabelFactor], bootstrap: Bootstrap) -> pd.DataFrame:
    """All figures of a level, each with its interval.

    Returns:
        Columns metric, value, low, high. The metrics: those of `METRICS` (`accuracy` of the joint class,
        `<factor>_accuracy`, `nll` in nats), `macro_f1`, and `recall <class>`; a class that does not occur has no recall
        and is not in the mean.
    """
    names = joint_class_names(factors)
    means, sums, by_class = _author_sums(level, factors, len(names))
    present = np.bincount(level.labels, minlength=len(names)) > 0
    once = np.ones((1, len(sums)))
    value = _figures(once @ sums, once @ by_class, present)[0]
    resampled = _figures(bootstrap.resampled(sums), bootstrap.resampled(by_class), present)
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
    return {name: _as_means(score) for of_metric in scores for name, score in of_metric.items()}


def _as_means(score: np.ndarray | Ratio) -> np.ndarray:
    return score.item_scores() if isinstance(score, Ratio) else score.astype(np.float64)


def _author_sums(
    level: Level, factors: Sequence[LabelFactor], classes: int
) -> tuple[list[str], np.ndarray, csr_matrix]:
    """The names of the means, the sums over each author's items (A, 1 + means), their count first; and (A, 3 C).

    The last are the items of each class that are right, there, and predicted: sparse, as an author has few classes.
    """
    _, author = np.unique(level.author, return_inverse=True)
    predicted = level.log_probabilities.argmax(axis=1)
    scores = item_scores(level, factors)
    sums = sums_by(author, np.stack([np.ones(len(author)), *scores.values()], axis=1))
    right = predicted == level.labels
    places = [predicted[right], classes + level.labels, 2 * classes + predicted]
    rows = np.concatenate([author[right], author, author])
    by_class = csr_matrix((np.ones(len(rows)), (rows, np.concatenate(places))), (len(sums), 3 * classes))
    return list(scores), sums, by_class


def _figures(totals: np.ndarray, by_class: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The figures of W sums over authors, float64 (W, 1 + means) and (W, 3 C): (W, metrics)."""
    right, actual, predicted = (of[:, present] for of in np.split(by_class, 3, axis=1))
    with np.errstate(invalid="ignore"):
        recall = right / actual
        f1 = np.where(actual + predicted > 0, 2 * right / (actual + predicted), np.nan)
    return np.concatenate([totals[:, 1:] / totals[:, :1], np.nanmean(f1, axis=1, keepdims=True), recall], axis=1)
