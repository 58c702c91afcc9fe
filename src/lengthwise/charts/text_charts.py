"""Charts of characters: they read in a terminal, in a log and in a comment, and need no picture."""

import numpy as np
import pandas as pd

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 41
MOST_POINTS = 60


def interval_line(value: float, ends: tuple[float, float] | None = None) -> str:
    """A share, with the ends of its interval where it has one, on a line from 0 to 1 of `WIDTH` characters.

    >>> interval_line(0.5, (0.25, 0.75))
    '··········├─────────●─────────┤··········'
    """
    line = ["·"] * WIDTH
    if ends is not None:
        low, high = map(_place, ends)
        line[low : high + 1] = "─" * (high + 1 - low)
        line[low], line[high] = "├", "┤"
    line[_place(value)] = "●"
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
