"""What every chart has: a frame with a title, a legend, scales, axes and their ticks, as SVG.

A chart is as wide as a phone: two stand side by side on a large screen, and text is nowhere scaled far from 12 pixels.
Colours are CSS variables (`lengthwise.charts.style`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

Element = ElementTree.Element

WIDTH = 380
# Of a letter of 12 px, on average and with some to spare: fonts differ.
LETTER = 6.7
LINE = 16
MARGIN = 12
ROW = 22
# Below the title.
TOP = 22
# Of a chart's width, the most that the labels of rows take.
LABEL_SHARE = 0.46
# Between the texts of two ticks.
TICK_GAP = 4
# Relative to themselves, values this near are one: ticks between them would be no round numbers.
SAME = 1e-9


@dataclass(frozen=True)
class Caption:
    """What a chart says: `title` is shown, `description` is for who cannot see it."""

    title: str
    description: str = ""


@dataclass(frozen=True)
class Scale:
    """Linear, from data `low..high` to pixels `begin..end`, with ticks at round values."""

    low: float
    high: float
    begin: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def nice_scale(values: Sequence[float], pixels: tuple[float, float], whole: bool = False, most: int = 6) -> Scale:
    """A scale over all of the values, ending at ticks.

    Args:
        values: what has to be on it; those that are not finite are passed over.
        pixels: where it begins and ends.
        whole: whether ticks are whole numbers, as for a count.
        most: intervals between ticks.
    """
    finite = [float(value) for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    if high - low <= SAME * max(abs(low), abs(high)):
        low, high = low - abs(low) / 10, high + (abs(high) / 10 or 1.0)
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if (high - low) / (power * factor) <= most * (1 + 1e-9))
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(float(f"{number * step:.12g}") for number in range(first, last + 1))
    return Scale(min(low, ticks[0]), max(high, ticks[-1]), *pixels, ticks)


def add(parent: Element, tag: str, hint: str = "", **attributes: float | str) -> Element:
    """Add an element; `kind` is its CSS class, `hint` is shown where the mouse rests."""
    pairs = {"class" if key == "kind" else key: _value(value) for key, value in attributes.items()}
    child = ElementTree.SubElement(parent, tag, pairs)
    if hint:
        ElementTree.SubElement(child, "title").text = hint
    return child


def write(svg: Element, text: str, x: float, y: float, classes: str = "") -> Element:
    """Add a text whose base line is at `y`."""
    element = add(svg, "text", x=x, y=y, **({"kind": classes} if classes else {}))
    element.text = text
    return element


def begin(caption: Caption, kind: str) -> Element:
    """An empty chart with its title at the top; what comes next begins at `TOP`."""
    svg = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": f"chart {kind}", "role": "img"})
    ElementTree.SubElement(svg, "title").text = caption.title
    ElementTree.SubElement(svg, "desc").text = caption.description
    write(svg, caption.title, 0, 13, "title")
    return svg


def finish(svg: Element, height: float) -> str:
    """The chart as text, in lines."""
    svg.set("viewBox", f"0 0 {WIDTH} {_value(height)}")
    ElementTree.indent(svg, space="")
    return ElementTree.tostring(svg, encoding="unicode")


def legend(svg: Element, label: str, entries: Mapping[str, str], top: float) -> float:
    """The axis's label, then name and classes of each entry, in as many lines as they take; returns where they end."""
    write(svg, label, 0, top + 11, "muted")
    x, y = text_width(label) + 2 * MARGIN, top
    for name, classes in entries.items():
        width = text_width(name) + 24
        if x + width > WIDTH and x > 0:
            x, y = 0.0, y + LINE
        add(svg, "line", kind=f"line {classes}", x1=x, x2=x + 18, y1=y + 7, y2=y + 7)
        write(svg, name, x + 22, y + 11)
        x += width + MARGIN
    return y + LINE


def left_axis(svg: Element, scale: Scale, span: tuple[float, float]) -> None:
    """Tick labels and grid lines of a vertical axis, the lines over the pixels `span`."""
    for tick, text in zip(scale.ticks, tick_texts(scale.ticks), strict=True):
        y = scale(tick)
        add(svg, "line", kind="grid", x1=span[0], x2=span[1], y1=y, y2=y)
        write(svg, text, span[0] - 6, y + 4, "muted end")


def bottom_axis(svg: Element, scale: Scale, span: tuple[float, float], label: str) -> float:
    """Ticks of a horizontal axis below the pixels `span`, with its label; returns where they end."""
    low, high = span
    texts = tick_texts(scale.ticks)
    # Zero and every so many from there have a text, as room allows.
    first, every = (scale.ticks.index(0.0) if 0.0 in scale.ticks else 0), _apart(scale, texts)
    for number, (tick, text) in enumerate(zip(scale.ticks, texts, strict=True)):
        x = scale(tick)
        add(svg, "line", kind="grid", x1=x, x2=x, y1=low, y2=high + 4)
        if (number - first) % every == 0:
            write(svg, text, x, high + 17, "muted middle")
    write(svg, label, (scale.begin + scale.end) / 2, high + 34, "muted middle")
    return high + 40


def _apart(scale: Scale, texts: Sequence[str]) -> int:
    """How many ticks further the next text has room."""
    if len(texts) < 2:
        return 1
    step = (scale(scale.ticks[-1]) - scale(scale.ticks[0])) / (len(texts) - 1)
    return max(1, math.ceil((max(map(text_width, texts)) + TICK_GAP) / max(step, 1e-9)))


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """All with the decimals that tell them apart, thousands set off, a real minus."""
    step = min((after - before for before, after in pairwise(ticks)), default=1.0)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{tick:,.{decimals}f}".replace("-", "−") for tick in ticks]


def row_label(svg: Element, label: str, width: float, top: float) -> None:
    """The label of a row `ROW` pixels high, to the left of the pixel `width`; in full where the mouse rests."""
    shown = shorten(label, width - 8)
    text = write(svg, shown, width - 8, top + 15, "end")
    if shown != label:
        ElementTree.SubElement(text, "title").text = label


def label_width(labels: Iterable[str]) -> float:
    """Where the rows begin, so that their labels fit, up to `LABEL_SHARE` of the chart."""
    return min(max(map(text_width, labels), default=0.0) + 12, LABEL_SHARE * WIDTH)


def text_width(text: str) -> float:
    """About how many pixels a text takes."""
    return LETTER * len(text)


def shorten(text: str, width: float) -> str:
    """The text, or as much of it as fits into so many pixels."""
    most = max(2, int(width / LETTER))
    return text if len(text) <= most else text[: most - 1] + "…"


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
