"""How much the order of an epoch depends on lengths: whether batches are like their neighbours, and alike within."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from lengthwise.batching.plan import Plan

# Below this, a variance of lengths is rounding.
NO_VARIANCE = 1e-12
# Neighbouring batches that a correlation needs.
FEWEST_PAIRS = 3
# Of all epochs that are measured: batches for a standard error of 0.03, spans that are planned in a second.
ENOUGH_BATCHES, MOST_SPANS, MOST_EPOCHS = 1000, 500_000, 20


@dataclass(frozen=True)
class LengthOrder:
    """What the lengths of sequences have to do with the batch that they are in.

    Attributes:
        neighbours: Spearman's rank correlation of the mean lengths of each batch and the next one, in [-1, 1]; 0 where
            the order of the batches is random, or there are too few of them to tell.
        alike: the share of the variance of lengths that is between batches, corrected for chance (epsilon squared,
            Kelley, 1935), in [0, 1]: 0 where sequences come together at random, 1 where a batch has one length only.
    """

    neighbours: float
    alike: float


def length_order(plans: Iterable[Plan], lengths: np.ndarray) -> LengthOrder:
    """Measure epochs, the mean of them; a span counts as the sequence that it is a piece of.

    >>> from lengthwise.batching.exact import Exact
    >>> lengths = np.array([1, 1, 2, 2, 3, 3])
    >>> length_order([Exact(batch_size=2).plan(lengths)], lengths).alike
    1.0

    Args:
        plans: of an epoch each, one at least.
        lengths: int (S,), of their sequences.
    """
    found = [_of_epoch(plan, lengths) for plan in plans]
    return LengthOrder(*(float(np.mean(values)) for values in zip(*found, strict=True)))


def epochs_to_measure(batches: int, spans: int) -> int:
    """Of how many epochs the mean is taken: so that a correlation of few batches is not left to chance.

    Args:
        batches: of an epoch.
        spans: of an epoch.
    """
    return max(1, min(ENOUGH_BATCHES // max(1, batches), MOST_SPANS // max(1, spans), MOST_EPOCHS))


def _of_epoch(plan: Plan, lengths: np.ndarray) -> tuple[float, float]:
    length = lengths[plan.sequence].astype(np.float64)
    sizes = np.diff(plan.offsets).astype(np.float64)
    means = np.add.reduceat(length, plan.offsets[:-1]) / sizes
    return _rank_correlation(means[:-1], means[1:]), _share_between(length, means, sizes)


def _rank_correlation(left: np.ndarray, right: np.ndarray) -> float:
    if len(left) < FEWEST_PAIRS:
        return 0.0
    ranks = [rankdata(values) for values in (left, right)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def _share_between(length: np.ndarray, means: np.ndarray, sizes: np.ndarray) -> float:
    """Epsilon squared: what the batches explain, of the variance per degree of freedom."""
    spans, batches = len(length), len(means)
    total = float(((length - length.mean()) ** 2).sum())
    if spans <= batches or total <= NO_VARIANCE * spans * float(length.max()) ** 2:
        return 0.0
    within = max(0.0, total - float((sizes * (means - length.mean()) ** 2).sum()))
    share = 1 - (within / (spans - batches)) / (total / (spans - 1))
    return min(1.0, max(0.0, share if within > NO_VARIANCE * total else 1.0))
