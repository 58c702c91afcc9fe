"""Charts with a labelled row a value: bars and intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lengthwise.charts.frame import (
    MARGIN,
    ROW,
    TOP,
    WIDTH,
    Caption,
    Element,
    Scale,
    add,
    begin,
    bottom_axis,
    finish,
    label_width,
    nice_scale,
    row_label,
    text_width,
    write,
)


@dataclass(frozen=True)
class Bar:
    """A row of a bar chart: its length, what is written beside it, its hue."""

    label: str
    value: float
    text: str
    hue: str
    note: str = ""


@dataclass(frozen=True)
class IntervalRow:
    """A row of an interval chart: a value and its interval; not a number where one is not known."""

    label: str
    value: float
    low: float
    high: float
    hue: str
    note: str = ""


def bar_chart(caption: Caption, rows: Sequence[Bar], x_label: str) -> str:
    """Horizontal bars from zero, each with its label and its value."""
    svg = begin(caption, "bars")
    left = label_width(row.label for row in rows)
    right = WIDTH - max(text_width(row.text) for row in rows) - 8
    x = nice_scale([0, *(row.value for row in rows)], (left, right), most=4)
    top = TOP + 4.0
    bottom = bottom_axis(svg, x, (top, top + ROW * len(rows)), x_label)
    for number, row in enumerate(rows):
        y = top + ROW * number
        row_label(svg, row.label, left, y)
        width, hint = max(0.5, x(row.value) - left), f"{row.label}: {row.text}" + (f", {row.note}" if row.note else "")
        add(svg, "rect", kind=f"mark {row.hue}", x=left, y=y + 3, width=width, height=ROW - 6, rx=2)
        write(svg, row.text, x(row.value) + 5, y + 15)
        add(svg, "rect", hint=hint, kind="hit", x=left, y=y, width=WIDTH - left, height=ROW)
    return finish(svg, bottom)


def interval_chart(
    caption: Caption, groups: Mapping[str, Sequence[IntervalRow]], x_label: str, decimals: int = 3, signed: bool = False
) -> str:
    """Values with their intervals, a row each, under the headings of their groups (an empty heading takes no room).

    Args:
        caption: what it says; without a description it has the figures of all rows.
        groups: the rows of each heading.
        x_label: of the axis.
        decimals: of the values that are written.
        signed: whether values are differences: zero is marked and on the axis, signs are written.
    """
    said = (f"{heading}, {_hint(row, decimals, signed)}" for heading, group in groups.items() for row in group)
    svg = begin(Caption(caption.title, caption.description or "; ".join(said)), "intervals")
    rows = [row for group in groups.values() for row in group]
    texts = {row: _value_text(row.value, decimals, signed) for row in rows}
    left = label_width([*(row.label for row in rows), *(f"{heading}  " for heading in groups)])
    right = WIDTH - max(map(text_width, texts.values())) - MARGIN
    values = [value for row in rows for value in (row.value, row.low, row.high)]
    x = nice_scale([*values, 0.0] if signed else values, (left, right), most=4)
    top = TOP + 4.0
    base = top + ROW * (len(rows) + sum(map(bool, groups)))
    bottom = bottom_axis(svg, x, (top, base), x_label)
    if signed:
        add(svg, "line", kind="zero", x1=x(0), x2=x(0), y1=top, y2=base)
    y = top
    for heading, group in groups.items():
        if heading:
            write(svg, heading, 0, y + 15, "heading")
            y += ROW
        for row in group:
            row_label(svg, row.label, left, y)
            _draw_interval(svg, row, x, y + ROW / 2)
            write(svg, texts[row], WIDTH, y + 15, "end")
            # All of the row tells its figures: a point is small for a finger.
            hint = _hint(row, decimals, signed)
            add(svg, "rect", hint=hint, kind="hit", x=left, y=y, width=WIDTH - left, height=ROW)
            y += ROW
    return finish(svg, bottom)


def _draw_interval(svg: Element, row: IntervalRow, x: Scale, middle: float) -> None:
    if math.isfinite(row.low) and math.isfinite(row.high):
        add(svg, "line", kind=f"line {row.hue}", x1=x(row.low), x2=x(row.high), y1=middle, y2=middle)
    if math.isfinite(row.value):
        add(svg, "circle", kind=f"mark {row.hue}", cx=x(row.value), cy=middle, r=4.5)


def _hint(row: IntervalRow, decimals: int, signed: bool) -> str:
    """All figures of a row: `linear: 0.694 (0.617 to 0.756), n = 2,188`."""
    value, low, high = (_value_text(figure, decimals, signed) for figure in (row.value, row.low, row.high))
    known = math.isfinite(row.low) and math.isfinite(row.high)
    return f"{row.label}: {value}" + (f" ({low} to {high})" if known else "") + (f", {row.note}" if row.note else "")


def _value_text(value: float, decimals: int, signed: bool) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:+.{decimals}f}".replace("-", "−") if signed else f"{value:.{decimals}f}"
