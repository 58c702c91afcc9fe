"""Charts over whole numbers: lines and columns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lengthwise.charts.frame import (
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
    shorten,
    text_width,
    tick_texts,
    write,
)
from lengthwise.charts.hover import Spot, add_spots, spans

PLOT = 170
# Of the columns below lines that say how many items a point stands for, and between the two.
COUNTS, BETWEEN = 26, 10
# Of a name in the legend where lines have letters: two stand side by side if there are more than this many.
NAME, ALONE = 155.0, 4
# From one line's letter to the next one's, at least.
APART = 14.0
# For half of the last tick's label.
RIGHT = WIDTH - 18.0


@dataclass(frozen=True)
class Series:
    """A line.

    Attributes:
        name: in the legend and where the mouse rests.
        x: of its N points.
        y: likewise.
        classes: such as `blue dashed`.
        counts: how many items each point stands for, or nothing.
        letter: written at the line's end.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    classes: str
    counts: Sequence[float] = field(default=())
    letter: str = ""

    @property
    def label(self) -> str:
        """The name, after its letter."""
        return f"{self.letter} {self.name}".strip()

    @property
    def points(self) -> list[tuple[float, float]]:
        """Those that can be drawn."""
        return [(x, y) for x, y in zip(self.x, self.y, strict=True) if math.isfinite(x) and math.isfinite(y)]


def line_chart(caption: Caption, series: Sequence[Series], x_label: str, y_label: str) -> str:
    """Lines over whole numbers (epochs, lengths, steps); points that are not finite are left out.

    Where the first of them has counts, columns below say how many items its points stand for.
    """
    svg = begin(caption, "lines")
    top = legend(svg, y_label, _names(series), TOP) + MARGIN
    points = [point for line in series for point in line.points] or [(0.0, 0.0)]
    counted = series[0] if series and len(series[0].counts) else None
    ends = [line for line in series if line.letter and line.points]
    base = top + max(PLOT, APART * (len(ends) + 1))
    below = base + (BETWEEN + COUNTS if counted else 0)
    x, y, bottom = _plane(svg, [x for x, _ in points], [y for _, y in points], (top, base, below), x_label)
    for line in series:
        path = " ".join(f"{x(a):.2f},{y(b):.2f}" for a, b in line.points)
        add(svg, "polyline", kind=f"line {line.classes}", points=path)
        for a, b in line.points:
            add(svg, "circle", kind=f"mark {line.classes}", cx=x(a), cy=y(b), r=2.2)
    _letters(svg, ends, y, base - APART / 2)
    if counted:
        _count_columns(svg, counted, x, below)
    add_spots(svg, _spots(series, x, x_label), top, below)
    return finish(svg, bottom)


def _names(series: Sequence[Series]) -> dict[str, str]:
    """The legend."""
    most = NAME if len(series) > ALONE else WIDTH - 24.0
    return {shorten(line.label, most) if line.letter else line.name: line.classes for line in series}


def _letters(svg: Element, series: Sequence[Series], y: Scale, lowest: float) -> None:
    """Each line's letter beside its last point, letters that would touch moved apart."""
    ends = sorted((y(line.points[-1][1]), line.letter, line.classes) for line in series)
    places = [min(end, lowest - APART * (len(ends) - 1 - number)) for number, (end, _, _) in enumerate(ends)]
    for number in range(1, len(places)):
        places[number] = max(places[number], places[number - 1] + APART)
    for (_, letter, classes), place in zip(ends, places, strict=True):
        write(svg, letter, RIGHT + 6, place + 4, f"letter {classes}")


def _count_columns(svg: Element, line: Series, x: Scale, below: float) -> None:
    most = max(line.counts)
    width = max(1.0, 0.7 * (RIGHT - x.begin) / max(1, len(line.x)))
    write(svg, "n", x.begin - 6, below, "muted end")
    for place, number in zip(line.x, line.counts, strict=True):
        height = COUNTS * number / max(1.0, most)
        left = min(max(x(place) - width / 2, x.begin), RIGHT - width)
        add(svg, "rect", kind="count", x=left, y=below - height, width=width, height=height)


def _spots(series: Sequence[Series], x: Scale, x_label: str) -> list[Spot]:
    """What all lines say at each place where one has a point."""
    found: dict[float, list[tuple[str, str, str]]] = {}
    for line in series:
        for number, (place, value) in enumerate(zip(line.x, line.y, strict=True)):
            if math.isfinite(place) and math.isfinite(value):
                of = f" (n {line.counts[number]:,.0f})" if len(line.counts) else ""
                found.setdefault(place, []).append((line.classes, line.label, f"{value:.4g}{of}"))
    places = sorted(found)
    parts = spans([x(place) for place in places], x.begin, RIGHT) if places else []
    return [
        Spot(left, right, x(place), f"{x_label}: {place:g}", found[place])
        for place, (left, right) in zip(places, parts, strict=True)
    ]


def column_chart(caption: Caption, edges: Sequence[int], counts: Sequence[float], x_label: str, y_label: str) -> str:
    """A histogram over whole numbers: `counts[n]` is of `edges[n]` to below `edges[n + 1]`."""
    svg = begin(caption, "columns")
    top = legend(svg, y_label, {}, TOP) + MARGIN
    # A column stands on the middle of its numbers.
    whole = [edges[0] - 0.5, edges[-1] - 0.5]
    x, y, bottom = _plane(svg, whole, [0, *counts], (top, top + PLOT, top + PLOT), x_label)
    for (first, after), count in zip(pairwise(edges), counts, strict=True):
        left, right = x(first - 0.5) + 0.75, x(after - 0.5) - 0.75
        span = f"{first}" if after == first + 1 else f"{first} to {after - 1}"
        width, hint = max(0.5, right - left), f"{span}: {count:,.0f}"
        add(svg, "rect", hint=hint, kind="mark blue", x=left, y=y(count), width=width, height=y(0) - y(count))
    return finish(svg, bottom)


def _plane(
    svg: Element, xs: Sequence[float], ys: Sequence[float], span: tuple[float, float, float], x_label: str
) -> tuple[Scale, Scale, float]:
    """The axes of a plane between the first two pixels of `span`, ticks below the last; returns scales and the end."""
    top, base, below = span
    y = nice_scale(ys, (base, top), most=5)
    left = max(map(text_width, tick_texts(y.ticks))) + 8
    low, high = min(xs), max(xs)
    # Lengths and steps begin anywhere: the plane ends where they do, not at the next tick.
    ticks = tuple(tick for tick in nice_scale(xs, (left, RIGHT), whole=True).ticks if low <= tick <= high)
    x = Scale(low, high if high > low else low + 1, left, RIGHT, ticks)
    left_axis(svg, y, (left, RIGHT))
    return x, y, bottom_axis(svg, x, (below, below), x_label)
