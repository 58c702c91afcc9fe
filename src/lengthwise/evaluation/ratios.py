"""Figures that are ratios of sums over items: values, intervals, and what each item adds.

Nearly every figure of every task is one: accuracy is right items over items, F1 is twice the right ones over those that
are there and those that are predicted, perplexity is two to the power of bits over tokens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lengthwise.evaluation.resampling import Bootstrap


@dataclass(frozen=True)
class Link:
    """What is made of a ratio, and its slope there."""

    of: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def _infinite_at_zero(ratio: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return 0.5 / np.sqrt(ratio)


SAME = Link(lambda ratio: ratio, np.ones_like)
ROOT = Link(np.sqrt, _infinite_at_zero)
POWER_OF_TWO = Link(np.exp2, lambda ratio: np.log(2) * np.exp2(ratio))
REST = Link(lambda ratio: 1 - ratio, lambda ratio: -np.ones_like(ratio))


@dataclass(frozen=True)
class Ratio:
    """A figure of I items: a sum over a sum; or the mean of L such ratios, as macro-F1 is.

    >>> import numpy as np
    >>> right, steps = np.array([2.0, 0, 3]), np.array([2.0, 1, 5])
    >>> Ratio(right, steps).value
    0.625
    >>> Ratio(right, steps).item_scores().tolist()
    [0.90625, 0.390625, 0.578125]

    Attributes:
        numerator: float64 (I,) or (I, L), what each item adds above.
        denominator: likewise, below. A ratio over a sum of zero is unknown and not in the mean.
        link: what the figure is of the mean.
    """

    numerator: np.ndarray
    denominator: np.ndarray
    link: Link = SAME

    @property
    def value(self) -> float:
        """The figure; NaN if all its ratios are unknown."""
        return float(self.of_sums(self.columns.sum(axis=0)))

    @property
    def columns(self) -> np.ndarray:
        """Numerators, then denominators: float64 (I, 2 L)."""
        halves = (np.asarray(half, np.float64).reshape(len(half), -1) for half in (self.numerator, self.denominator))
        return np.concatenate([*halves], axis=1)

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """The figure of sums of `columns`, float64 (..., 2 L): float64 (...)."""
        return self.link.of(self._mean(sums))

    def item_scores(self) -> np.ndarray:
        """What each item adds to the figure: float64 (I,), whose mean is the figure.

        The figure is taken as linear about its value (the delta method), so that the spread of the sum of a group's
        scores is what resampling groups would spread the figure; exact for a mean over items.
        """
        columns = self.columns
        above, below = np.split(columns, 2, axis=1)
        sums = columns.sum(axis=0)
        known = sums[len(sums) // 2 :] > 0
        above, below = above[:, known], below[:, known]
        ratio = above.sum(axis=0) / below.sum(axis=0)
        shares = (len(columns) * (above - ratio * below) / below.sum(axis=0)).mean(axis=1)
        slope = self.link.slope(np.array(self._mean(sums)))
        # Where nothing is off, a root has no slope, and no item adds anything.
        bends = slope * shares if np.isfinite(slope) else np.zeros(len(columns))
        scores: np.ndarray = self.of_sums(sums) + bends
        return scores

    def _mean(self, sums: np.ndarray) -> np.ndarray:
        above, below = np.split(sums, 2, axis=-1)
        known = below > 0
        ratios = np.divide(above, below, out=np.zeros_like(above), where=known)
        count = known.sum(axis=-1)
        return np.where(count > 0, ratios.sum(axis=-1) / np.maximum(count, 1), np.nan)


def interval_table(ratios: Mapping[str, Ratio], group: np.ndarray, bootstrap: Bootstrap) -> pd.DataFrame:
    """Figures of the same items with their intervals.

    Args:
        ratios: by the figure's name.
        group: int (I,), items of one group are resampled together.
        bootstrap: how.

    Returns:
        Columns metric, value, low, high; without those figures that are unknown or infinite.
    """
    if not ratios:
        return pd.DataFrame({"metric": [], "value": [], "low": [], "high": []})
    _, codes = np.unique(group, return_inverse=True)
    of_each = [ratio.columns for ratio in ratios.values()]
    sums = sums_by(codes, np.concatenate(of_each, axis=1))
    ends = np.cumsum([columns.shape[1] for columns in of_each])[:-1]
    totals, resampled = (np.split(of, ends, axis=-1) for of in (sums.sum(axis=0), bootstrap.resampled(sums)))
    rows = []
    for (name, ratio), total, samples in zip(ratios.items(), totals, resampled, strict=True):
        value = float(ratio.of_sums(total))
        if np.isfinite(value):
            low, high = bootstrap.ends(ratio.of_sums(samples))
            rows.append((name, value, float(low), float(high)))
    return pd.DataFrame(rows, columns=["metric", "value", "low", "high"])


def sums_by(codes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The sums over the items of each group.

    Args:
        codes: int (I,), the group of each item, from 0.
        columns: float64 (I, K).

    Returns:
        float64 (G, K), G one more than the largest code.
    """
    size = int(codes.max(initial=-1)) + 1
    sums = np.empty((size, columns.shape[1]))
    for place, column in enumerate(columns.T):
        sums[:, place] = np.bincount(codes, column, minlength=size)
    return sums
