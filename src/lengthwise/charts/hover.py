"""What a chart says where the mouse rests, or where a finger taps, without any script: CSS shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lengthwise.charts.frame import WIDTH, Element, add, shorten, text_width, write

# Of a name.
NAME = 150.0
ROW = 15
EDGE = 7
# From the line to the board.
GAP = 9


@dataclass(frozen=True)
class Spot:
    """A part of a chart and what stands there.

    Attributes:
        left: where the part begins, in pixels.
        right: where it ends.
        x: the pixel of the values.
        heading: first line of the board.
        rows: the others: classes, which give a hue, name and value.
    """

    left: float
    right: float
    x: float
    heading: str
    rows: Sequence[tuple[str, str, str]]


def add_spots(svg: Element, spots: Sequence[Spot], top: float, bottom: float) -> None:
    """Add the spots over all that is drawn between the pixels `top` and `bottom`; add them last."""
    for spot in spots:
        group = add(svg, "g", kind="spot")
        add(group, "rect", kind="hit", x=spot.left, y=top, width=spot.right - spot.left, height=bottom - top)
        board = add(group, "g", kind="board")
        add(board, "line", kind="zero", x1=spot.x, x2=spot.x, y1=top, y2=bottom)
        _board(board, spot, (top, bottom))


def spans(pixels: Sequence[float], low: float, high: float) -> list[tuple[float, float]]:
    """For each of the pixels, in their order, the part from `low` to `high` that is nearer to it than to the others."""
    middles = [(one + other) / 2 for one, other in pairwise(pixels)]
    return list(zip([low, *middles], [*middles, high], strict=True))


def _board(board: Element, spot: Spot, span: tuple[float, float]) -> None:
    """The board beside the spot; a long one begins above what it is of, so that all of it is in the chart."""
    names = [shorten(name, NAME) for _, name, _ in spot.rows]
    values = [value for _, _, value in spot.rows]
    of_rows = max(map(text_width, names), default=0.0) + max(map(text_width, values), default=0.0) + 28
    width = max(text_width(spot.heading), of_rows) + 2 * EDGE
    left = spot.x + GAP if spot.x < WIDTH / 2 else spot.x - GAP - width
    left = max(1.0, min(left, WIDTH - width - 1))
    height = ROW * (len(names) + 1) + 2 * EDGE - 3
    top = max(0.0, min(span[0] + 2, span[1] - height))
    add(board, "rect", kind="ground", x=left, y=top, width=width, height=height, rx=4)
    y = top + EDGE + 10
    write(board, spot.heading, left + EDGE, y, "heading")
    for (classes, _, value), name in zip(spot.rows, names, strict=True):
        y += ROW
        if classes:
            add(board, "line", kind=f"line {classes}", x1=left + EDGE, x2=left + EDGE + 12, y1=y - 4, y2=y - 4)
        write(board, name, left + EDGE + 18, y)
        write(board, value, left + width - EDGE, y, "end")
