"""Charts of characters: they read in a terminal, in a log and in a comment, and need no picture."""

import numpy as np
import pandas as pd

from lengthwise.verdict.figures import Figure

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 41
MOST_POINTS = 60


def interval_line(figure: Figure) -> str:
    """A share with its interval on a line from 0 to 1, `WIDTH` characters.

    >>> from lengthwise.verdict.figures import Interval
    >>> interval_line(Figure(0.5, Interval(0.25, 0.75)))
    '··········├─────────●─────────┤··········'
    """
    line = ["·"] * WIDTH
    if figure.interval is not None:
        low, high = _place(figure.interval.low), _place(figure.interval.high)
        line[low : high + 1] = "─" * (high + 1 - low)
        line[low], line[high] = "├", "┤"
    line[_place(float(figure.value))] = "●"
    return "".join(line)


def curves(series: list[pd.Series]) -> list[str]:
    """Series over the same axis, a bar a point, in one scale from the smallest value to the largest.

    Args:
        series: each indexed by a number; they may have different points.

    Returns:
        One line each, at most `MOST_POINTS` long: neighbouring points are then averaged. A blank is no value.
    """
    points = np.unique(np.concatenate([one.index.to_numpy(float) for one in series]))
    bins = np.arange(len(points)) * min(MOST_POINTS, len(points)) // max(1, len(points))
    heights = [one.groupby(bins[np.searchsorted(points, one.index.to_numpy(float))]).mean() for one in series]
    values = np.concatenate([height.to_numpy() for height in heights])
    if not len(values):
        return ["" for _ in series]
    low, span = values.min(), max(values.max() - values.min(), np.finfo(float).tiny)
    scaled = [((height - low) / span * (len(BARS) - 1)).round().astype(int) for height in heights]
    return ["".join(BARS[one[bin_]] if bin_ in one.index else " " for bin_ in range(bins[-1] + 1)) for one in scaled]


def _place(share: float) -> int:
    return round(min(max(share, 0.0), 1.0) * (WIDTH - 1))
