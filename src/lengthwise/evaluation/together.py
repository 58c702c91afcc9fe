"""Two models of classes as one: the mean of what they say of each item."""

from collections.abc import Mapping

import numpy as np
from scipy.special import log_softmax

from lengthwise.evaluation.baseline_task import SplitItems
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.score import TaskScores, figures_of
from lengthwise.evaluation.scoring.class_scoring import LOG_PROBABILITIES, ClassScoring
from lengthwise.evaluation.scoring.task_scoring import PredictedColumns


def log_linear_pool(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The mean of two models' log-probabilities, made a distribution again.

    A logarithmic opinion pool with equal weights: Genest and Zidek (1986), "Combining probability distributions: a
    critique and an annotated bibliography", Statistical Science 1(1).

    >>> import numpy as np
    >>> from lengthwise.evaluation.together import log_linear_pool
    >>> np.exp(log_linear_pool(np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]]))).round(2).tolist()
    [[0.75, 0.25]]

    Args:
        one: float (N, C), of N items.
        other: likewise.

    Returns:
        float64 (N, C).
    """
    pooled: np.ndarray = log_softmax((np.asarray(one, np.float64) + other) / 2, axis=1)
    return pooled


def score_together(
    model: str,
    scoring: ClassScoring,
    split: SplitItems,
    predictions: PredictedColumns,
    others: Mapping[str, np.ndarray],
    bootstrap: Bootstrap,
) -> TaskScores | None:
    """Score two models together at each level of which both say something.

    Args:
        model: what the two are called in the figures.
        scoring: of both.
        split: that is tested.
        predictions: of the one, for the sequences: they are pooled to items.
        others: of the other, for the items: float (N, C) by the name of a level.
        bootstrap: how intervals are made.

    Returns:
        None where there is no such level.
    """

    def pooled(items: Items) -> PredictedColumns | None:
        if items.name not in others:
            return None
        one = scoring.pooled(predictions, items)[LOG_PROBABILITIES]
        return {LOG_PROBABILITIES: log_linear_pool(one, others[items.name])}

    levels = scoring.levels_of(split.sequences, split.items, pooled)
    return TaskScores(figures_of(model, levels, bootstrap), levels, {}) if levels else None
