"""A matrix of counts, shaded by the shares of its rows."""

from collections.abc import Sequence

from lengthwise.charts.frame import (
    LINE,
    ROW,
    TOP,
    WIDTH,
    Caption,
    Element,
    add,
    begin,
    finish,
    label_width,
    row_label,
    shorten,
    text_width,
    write,
)

# More classes than this, and no number fits into a cell.
MOST_NUMBERED = 14
TALLEST = 44.0
# Opacity of a cell; text stays legible on the darkest, in light and in dark.
LIGHTEST, DARKEST = 0.05, 0.6
# Of the longest name that stands upright over its column.
DEEPEST = 110.0


def matrix_chart(
    caption: Caption, names: Sequence[str], counts: Sequence[Sequence[int]], labels: tuple[str, str]
) -> str:
    """Counts of pairs, shaded and written as percentages of their rows, with each row's count at its end.

    Args:
        caption: what it says.
        names: the C classes.
        counts: (C, C), its rows what `labels[0]` says, its columns what `labels[1]` says.
        labels: of rows and of columns.
    """
    svg = begin(caption, "matrix")
    left = label_width(names)
    sums = [f"{sum(row):,}" for row in counts]
    right = WIDTH - max(map(text_width, sums)) - 8
    cell = (right - left) / len(names)
    height = min(cell, TALLEST)
    write(svg, f"{labels[0]} ↓  {labels[1]} →", 0, TOP + 11, "muted")
    top = _column_names(svg, names, left, cell)
    write(svg, "n", WIDTH, top - 6, "muted end")
    for row, name in enumerate(names):
        y = top + height * row
        row_label(svg, name, left, y + (height - ROW) / 2)
        write(svg, sums[row], WIDTH, y + (height - ROW) / 2 + 15, "muted end")
        for column, other in enumerate(names):
            share = counts[row][column] / max(1, sum(counts[row]))
            x, hint = left + cell * column, f"{name} taken for {other}: {counts[row][column]:,}"
            box = add(svg, "rect", hint=hint, kind="mark blue", x=x, y=y, width=cell - 1.5, height=height - 1.5, rx=2)
            box.set("fill-opacity", f"{LIGHTEST + (DARKEST - LIGHTEST) * share:.3f}")
            if len(names) <= MOST_NUMBERED:
                write(svg, f"{100 * share:.0f}", x + cell / 2, y + height / 2 + 3, "middle")
    return finish(svg, top + height * len(names) + 4)


def _column_names(svg: Element, names: Sequence[str], left: float, cell: float) -> float:
    """The names over their columns, a word a line where the words fit, else turned; returns where the cells begin."""
    words = [name.split() for name in names]
    level = all(text_width(word) <= cell for name in words for word in name)
    depth = LINE * max(map(len, words)) if level else min(max(map(text_width, names)), DEEPEST)
    bottom = TOP + LINE + depth + 2
    for number, name in enumerate(names):
        middle = left + cell * (number + 0.5)
        if level:
            for line, word in enumerate(reversed(words[number])):
                write(svg, word, middle, bottom - LINE * line, "muted middle")
        else:
            text = write(svg, shorten(name, DEEPEST), middle + 4, bottom, "muted")
            text.set("transform", f"rotate(-90 {middle + 4:.2f} {bottom:.2f})")
    return bottom + 6
