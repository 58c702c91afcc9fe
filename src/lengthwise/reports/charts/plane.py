"""Charts over whole numbers: lines and columns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lengthwise.reports.charts.frame import (
    MARGIN,
    TOP,
    WIDTH,
    Caption,
    Element,
    Scale,
    add,
    begin,
    bottom_axis,
    finish,
    left_axis,
    legend,
    nice_scale,
    text_width,
    tick_texts,
)

PLOT = 170
# For half of the last tick's label.
RIGHT = WIDTH - 18.0


@dataclass(frozen=True)
class Series:
    """A line: N points of `x` and `y`, and its classes, such as `blue dashed`."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    classes: str

    @property
    def points(self) -> list[tuple[float, float]]:
        """Those that can be drawn."""
        return [(x, y) for x, y in zip(self.x, self.y, strict=True) if math.isfinite(x) and math.isfinite(y)]


def line_chart(caption: Caption, series: Sequence[Series], x_label: str, y_label: str) -> str:
    """Lines over whole numbers (epochs, lengths, steps); points that are not finite are left out."""
    svg = begin(caption, "lines")
    top = legend(svg, y_label, {line.name: line.classes for line in series}, TOP) + MARGIN
    points = [point for line in series for point in line.points] or [(0.0, 0.0)]
    x, y, bottom = _plane(svg, [x for x, _ in points], [y for _, y in points], top, x_label)
    for line in series:
        path = " ".join(f"{x(a):.2f},{y(b):.2f}" for a, b in line.points)
        add(svg, "polyline", kind=f"line {line.classes}", points=path)
        for a, b in line.points:
            hint = f"{line.name}, {a:g}: {b:.4g}"
            add(svg, "circle", hint=hint, kind=f"mark {line.classes}", cx=x(a), cy=y(b), r=2.2)
    return finish(svg, bottom)


def column_chart(caption: Caption, edges: Sequence[int], counts: Sequence[float], x_label: str, y_label: str) -> str:
    """A histogram over whole numbers: `counts[n]` is of `edges[n]` to below `edges[n + 1]`."""
    svg = begin(caption, "columns")
    top = legend(svg, y_label, {}, TOP) + MARGIN
    # A column stands on the middle of its numbers.
    x, y, bottom = _plane(svg, [edges[0] - 0.5, edges[-1] - 0.5], [0, *counts], top, x_label)
    for (first, after), count in zip(pairwise(edges), counts, strict=True):
        left, right = x(first - 0.5) + 0.75, x(after - 0.5) - 0.75
        span = f"{first}" if after == first + 1 else f"{first} to {after - 1}"
        width, hint = max(0.5, right - left), f"{span}: {count:,.0f}"
        add(svg, "rect", hint=hint, kind="mark blue", x=left, y=y(count), width=width, height=y(0) - y(count))
    return finish(svg, bottom)


def _plane(
    svg: Element, xs: Sequence[float], ys: Sequence[float], top: float, x_label: str
) -> tuple[Scale, Scale, float]:
    """The axes of a plane; returns both scales and where the chart ends."""
    y = nice_scale(ys, (top + PLOT, top), most=5)
    left = max(map(text_width, tick_texts(y.ticks))) + 8
    low, high = min(xs), max(xs)
    # Lengths and steps begin anywhere: the plane ends where they do, not at the next tick.
    ticks = tuple(tick for tick in nice_scale(xs, (left, RIGHT), whole=True).ticks if low <= tick <= high)
    x = Scale(low, high if high > low else low + 1, left, RIGHT, ticks)
    left_axis(svg, y, (left, RIGHT))
    return x, y, bottom_axis(svg, x, (top + PLOT, top + PLOT), x_label)
