"""Intervals of a difference of two runs on the same items: which differences equal runs leave within noise."""

from dataclasses import dataclass
from math import ceil, log2
from statistics import NormalDist

import numpy as np
from scipy import stats

from lengthwise.reports.change.figures import Figure, Interval

# Student's t is right for more groups than these; fewer are tested by swapping the runs, in all ways up to FEW of them.
MANY, FEW = 200, 12
SWAPS, SEED = 4_000, 1


@dataclass(frozen=True)
class PairedMeans:
    """A difference of two means.

    Attributes:
        old: the mean of the base.
        new: the mean of the working tree.
        interval: of new less old.
    """

    old: float
    new: float
    interval: Interval


def paired_shares(gained: np.ndarray, lost: np.ndarray, items: int, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """The interval of the difference of two shares of the same items, from the items that only one run has right.

    Zero is within it wherever the exact sign test of these items (McNemar's, exact) says that chance alone may divide
    them so. Else its ends are of exact limits of both counts as Poisson variables, put together by squares (MOVER: Zou
    and Donner, Statistics in Medicine 27, 2008).

    Args:
        gained: int (...), items that only the new run has right.
        lost: int (...), items that only the old run has right.
        items: of the test set.
        confidence: of the interval.

    Returns:
        Low and high, float64 (...).
    """
    tail = (1 - confidence) / 2
    gained, lost = np.asarray(gained), np.asarray(lost)
    one, other = _poisson(gained, tail), _poisson(lost, tail)
    difference = (gained - lost).astype(np.float64)
    low = difference - np.hypot(gained - one[0], other[1] - lost)
    high = difference + np.hypot(one[1] - gained, lost - other[0])
    both = gained + lost
    # Half as likely, or less, on each side: the exact test at this confidence.
    chance = stats.binom.cdf(np.minimum(gained, lost), both, 0.5) > tail
    low, high = np.where(chance, np.minimum(low, 0), low), np.where(chance, np.maximum(high, 0), high)
    return np.maximum(low / items, -1), np.minimum(high / items, 1)


def _poisson(count: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    low = np.where(count > 0, stats.gamma.ppf(tail, np.maximum(count, 1)), 0.0)
    return low, stats.gamma.ppf(1 - tail, count + 1)


def paired(old: np.ndarray, new: np.ndarray, group: np.ndarray | None, confidence: float) -> PairedMeans | None:
    """The difference of two means over the same items.

    Args:
        old: float64 (N,), what each item adds to the base's mean.
        new: float64 (N,), to the working tree's.
        group: (N,), items of one group stand or fall together; None if each is by itself.
        confidence: of the interval.

    Returns:
        With an interval as `paired_shares` has it for 0 and 1 without groups. Else its ends are by Student's t of the
        items' or groups' sums of differences, and zero is within it wherever as large a difference is likely if the
        two runs are swapped at random in each group. None if there are too few groups for any difference to count.
    """
    before, after = float(old.mean()), float(new.mean())
    if group is None and np.isin(np.concatenate([old, new]), (0, 1)).all():
        gained, lost = int((new > old).sum()), int((new < old).sum())
        low, high = paired_shares(np.array(gained), np.array(lost), len(old), confidence)
        return PairedMeans(before, after, Interval(float(low), float(high)))
    codes = np.arange(len(old)) if group is None else np.unique(group.astype(str), return_inverse=True)[1]
    groups = int(codes.max()) + 1
    if groups < fewest_groups(confidence):
        return None
    difference = after - before
    # The mean is a ratio of sums over groups: its residuals, with what few groups make too small put right.
    residuals = np.bincount(codes, new - old) - difference * np.bincount(codes)
    error = np.sqrt(groups / (groups - 1) * (residuals**2).sum()) / len(old)
    margin = float(stats.t.ppf((1 + confidence) / 2, groups - 1) * error)
    interval = Interval(difference - margin, difference + margin)
    if groups <= MANY and _chance_of_swaps(np.bincount(codes, new - old)) > 1 - confidence:
        interval = Interval(min(interval.low, 0.0), max(interval.high, 0.0))
    return PairedMeans(before, after, interval)


def fewest_groups(confidence: float) -> int:
    """How many groups there have to be, so that one difference in all of them is more than chance."""
    return max(2, ceil(1 - log2(1 - confidence)))


def _chance_of_swaps(sums: np.ndarray) -> float:
    """How likely a sum as large as that of the groups' differences is if equal runs are swapped in each of them."""
    if len(sums) <= FEW:
        signs = 1.0 - 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
    else:
        drawn = np.random.default_rng(SEED).integers(0, 2, (SWAPS, len(sums)))
        # The runs as they are count as one of the ways.
        signs = np.concatenate([np.ones((1, len(sums))), 1.0 - 2 * drawn])
    swapped, found = np.abs(signs @ sums), abs(sums.sum())
    return float((swapped >= found - 1e-9 * np.abs(sums).sum()).mean())


def share(value: float, items: int, confidence: float) -> Figure:
    """A share of independent items with its exact interval (Clopper and Pearson, Biometrika 26, 1934)."""
    interval = stats.binomtest(round(value * items), items).proportion_ci(confidence, "exact")
    return Figure(value, Interval(min(float(interval.low), value), max(float(interval.high), value)))


def widened(interval: Interval, difference: float, noise: float, confidence: float) -> Interval:
    """An interval that also holds what training itself adds: another seed is another model.

    Args:
        interval: of the difference, for these two models.
        difference: of the two.
        noise: standard deviation of the metric among runs that differ in their seed alone.
        confidence: of the interval.
    """
    more = NormalDist().inv_cdf((1 + confidence) / 2) * noise * np.sqrt(2)
    low, high = np.hypot(difference - interval.low, more), np.hypot(interval.high - difference, more)
    return Interval(float(difference - low), float(difference + high))
