"""Intervals of a difference of two runs on the same items: which differences equal runs leave within noise."""

from dataclasses import dataclass
from math import ceil, log2
from statistics import NormalDist

import numpy as np
from scipy import stats

# Student's t is right for more groups than these; fewer are tested by swapping the runs, in all ways up to FEW of them.
MANY, FEW = 200, 12
SWAPS, SEED = 4_000, 1


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float


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


def paired_means(old: np.ndarray, new: np.ndarray, group: np.ndarray | None, confidence: float) -> PairedMeans | None:
    """The difference of two means over the same items.

    What is hard for both models cancels out: the interval is narrower than the two means' own suggest.

    >>> old, new = np.array([1.0, 0, 1, 0] * 5), np.array([1.0, 1, 1, 0] * 5)
    >>> found = paired_means(old, new, np.arange(20) // 2, 0.95)
    >>> found.old, found.new, found.interval.low > 0
    (0.5, 0.75, False)

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


def share_interval(share: float, items: int, confidence: float) -> Interval:
    """The exact interval of a share of independent items (Clopper and Pearson, Biometrika 26, 1934).

    >>> share_interval(0.5, 10, 0.95).low < 0.2
    True
    """
    interval = stats.binomtest(round(share * items), items).proportion_ci(confidence, "exact")
    return Interval(min(float(interval.low), share), max(float(interval.high), share))


def independent_difference(old: float, of_old: Interval, new: float, of_new: Interval) -> Interval:
    """The interval of the difference of two figures from theirs, as if they were independent.

    Squares add up on each side (MOVER: Zou and Donner, Statistics in Medicine 27, 2008). Two runs on the same items
    tend to err together, which makes the true interval narrower: this one errs towards noise.

    >>> independent_difference(1.0, Interval(-2.0, 4.0), 9.0, Interval(5.0, 13.0))
    Interval(low=3.0, high=13.0)
    """
    low, high = np.hypot(new - of_new.low, of_old.high - old), np.hypot(of_new.high - new, old - of_old.low)
    return Interval(float(new - old - low), float(new - old + high))


def detectable(differing: int, items: int, confidence: float, noise: float = 0.0) -> float:
    """The difference of two shares of the same items that is found four times in five.

    Args:
        differing: items that only one of the two has right.
        items: of the test set.
        confidence: of the interval.
        noise: standard deviation of the share among runs that differ in their seed alone.
    """
    normal = NormalDist()
    error = np.hypot(np.sqrt(max(1, differing)) / items, noise * np.sqrt(2))
    return float((normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(0.8)) * error)


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
