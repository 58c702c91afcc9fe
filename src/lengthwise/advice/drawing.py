"""Draws the first batches of a plan as SVG: rows, spans, resets, padding, and states that are carried on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from lengthwise.batching.plan import Plan

# Light grounds under dark numbers; neighbours in the list differ for the colour-blind too.
HUES = ("#9fd0f5", "#ffd08a", "#a6dcc1", "#e9bcd6", "#f2e27c", "#c9c3f4", "#f7b5a7", "#c4d4a0")
INK, MUTED, PADDING, STRIPE = "#1c2024", "#4d565f", "#f1f2f4", "#b3bac1"
WIDTH, LEFT, RIGHT = 360, 16, 16
ROW, GAP, HEADING = 15, 2, 22
# Of a batch, drawn; of a plan, drawn.
MOST_ROWS, MOST_BATCHES = 10, 3
# Of a row; more are drawn as one.
MOST_SPANS = 100
# Narrower steps are not told apart, narrower spans have no number.
STEP_PIXELS, DIGIT_PIXELS = 7, 6.5
# A plan whose batches would take less of the width is drawn wider.
LEAST_SHARE = 1 / 3
STYLE = (
    f"text {{ font: 11px/1 system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: {INK}; }} "
    f".muted {{ fill: {MUTED}; }} .number {{ font-size: 10px; }}"
)


@dataclass(frozen=True)
class Scale:
    """How wide a step is drawn.

    Attributes:
        widest: steps that fill the width.
        times: how many times wider this plan is drawn than the others of its page.
    """

    widest: int
    times: int = 1

    @property
    def pixels(self) -> float:
        """Of one step."""
        return (WIDTH - LEFT - RIGHT) * self.times / self.widest


def drawn_width(plan: Plan) -> int:
    """Steps of the widest batch that is drawn."""
    return int(plan.widths[:MOST_BATCHES].max(initial=1))


def scale_of(plan: Plan, widest: int) -> Scale:
    """The scale of a page on which the widest plan has so many steps; a narrow plan is drawn wider.

    Args:
        plan: to be drawn.
        widest: see `drawn_width`, of all plans of the page.
    """
    times = 1
    while drawn_width(plan) * times * 2 <= widest and drawn_width(plan) * times < LEAST_SHARE * widest:
        times *= 2
    return Scale(widest, times)


def drawn_batches(plan: Plan, lengths: np.ndarray, name: str, scale: Scale | None = None) -> str:
    """The first batches of a plan as SVG, one below the other; rows are taken evenly where there are many.

    A bar begins each sequence, where the state is reset; an arrow stands where a state comes from the batch before, or
    goes on to the next. Padding is striped.

    Args:
        plan: of an epoch, with one batch at least.
        lengths: int (S,), of its sequences.
        name: of the strategy, for the title and for what has to be unique on a page.
        scale: of the page; None: the plan fills the width.
    """
    scale = scale or Scale(drawn_width(plan))
    count = min(MOST_BATCHES, len(plan))
    parts, top = [], 0.0
    for number in range(count):
        drawing = _Batch(plan, lengths, number, scale.pixels, f"stripes-{name}")
        parts.append(drawing.svg(top))
        top += drawing.height
    rest = len(plan) - count
    said = [f"and {rest:,} more batches" if rest > 1 else "and one more batch"] if rest else []
    said += [f"steps are drawn {scale.times} times as wide"] if scale.times > 1 else []
    if said:
        parts.append(f'<text class="muted" x="{LEFT}" y="{top + 12:g}">{escape("; ".join(said))}</text>')
        top += HEADING
    title = escape(f"The first batches of {name}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:g}" role="img" aria-label="{title}">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n{stripes(f'stripes-{name}')}\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def beside(plans: Mapping[str, Plan], lengths: np.ndarray, columns: int = 2) -> str:
    """Several plans of the same lengths in one picture with a light ground, for a document.

    Args:
        plans: by the name of their strategy.
        lengths: int (S,), of their sequences.
        columns: plans in a line.
    """
    widest = max(drawn_width(plan) for plan in plans.values())
    drawings = [drawn_batches(plan, lengths, name, scale_of(plan, widest)) for name, plan in plans.items()]
    heights = [float(re.findall(r'viewBox="0 0 \d+ (\S+)"', drawing)[0]) for drawing in drawings]
    parts, top = [], 0.0
    for begin in range(0, len(drawings), columns):
        line = slice(begin, begin + columns)
        for place, (name, drawing, height) in enumerate(
            zip([*plans][line], drawings[line], heights[line], strict=True)
        ):
            x = place * WIDTH
            parts.append(f'<text class="name" x="{x + LEFT}" y="{top + 22:g}">{escape(name)}</text>')
            placed = f'<svg x="{x}" y="{top + HEADING + 6:g}" width="{WIDTH}" height="{height:g}"'
            parts.append(drawing.replace("<svg", placed, 1))
        top += max(heights[line]) + HEADING + 12
    title = "The first batches of " + ", ".join(map(escape, plans))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * WIDTH} {top:g}" role="img" '
        f'aria-label="{title}">\n<title>{title}</title>\n'
        f"<style>{STYLE} .name {{ font-size: 13px; font-weight: 600; }}</style>\n"
        f'<rect width="{columns * WIDTH}" height="{top:g}" fill="#ffffff"/>\n' + "".join(parts) + "</svg>\n"
    )


def stripes(name: str) -> str:
    """The pattern of padding."""
    return (
        f'<defs><pattern id="{name}" width="5" height="5" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="5" height="5" fill="{PADDING}"/>'
        f'<rect width="1.2" height="5" fill="{STRIPE}"/></pattern></defs>'
    )


def span_parts(x: float, y: float, width: float, hue: str, *, reset: bool) -> str:
    """A span: its ground, and a bar where the state is reset."""
    parts = [f'<rect x="{x:.2f}" y="{y:g}" width="{max(width, 0.6):.2f}" height="{ROW - GAP}" fill="{hue}"/>']
    if reset:
        parts.append(
            f'<rect class="reset" x="{x:.2f}" y="{y:g}" width="{min(2.5, max(width, 0.6)):.2f}" '
            f'height="{ROW - GAP}" fill="{INK}"/>'
        )
    return "".join(parts)


def arrow(x: float, y: float) -> str:
    """A state that is carried: from the batch before, or to the next."""
    middle = y + (ROW - GAP) / 2
    return (
        f'<path class="carried" d="M{x:.2f} {middle:g}h7m-3 -3.5l4 3.5l-4 3.5" fill="none" stroke="{INK}" '
        'stroke-width="1.4"/>'
    )


@dataclass(frozen=True)
class _Batch:
    """One batch of a plan, how wide a step is, and the pattern of padding. No array is as large as its rectangle."""

    plan: Plan
    lengths: np.ndarray
    number: int
    pixels: float
    pattern: str

    @property
    def shape(self) -> tuple[int, int]:
        """(B, T)."""
        return int(self.plan.rows[self.number]), int(self.plan.widths[self.number])

    @property
    def rows(self) -> list[int]:
        """Those that are drawn."""
        count = self.shape[0]
        return np.unique(np.linspace(0, count - 1, min(count, MOST_ROWS)).round().astype(int)).tolist()

    @property
    def height(self) -> float:
        """With its heading."""
        return HEADING + ROW * len(self.rows) + 8

    def svg(self, top: float) -> str:
        """Drawn from there on."""
        (count, width), rows = self.shape, self.rows
        shown = f"{len(rows)} of {count:,}" if len(rows) < count else f"{count:,}"
        words = f"batch {self.number}: {shown} {_plural('row', count)} of {width:,} {_plural('step', width)}"
        parts = [f'<text x="{LEFT}" y="{top + 14:g}">{words}</text>']
        spans = np.arange(self.plan.offsets[self.number], self.plan.offsets[self.number + 1])
        for place, row in enumerate(rows):
            y = top + HEADING + ROW * place
            parts.append(_rectangle("padding", (LEFT, y, width * self.pixels), f"url(#{self.pattern})"))
            of_row = spans[self.plan.row[spans] == row]
            parts += [self._span(span, y) for span in of_row[:MOST_SPANS].tolist()]
            if len(of_row) > MOST_SPANS:
                parts.append(self._others(of_row[MOST_SPANS:], y))
        return "\n".join(parts)

    def _span(self, span: int, y: float) -> str:
        plan = self.plan
        sequence, start, stop = int(plan.sequence[span]), int(plan.start[span]), int(plan.stop[span])
        x, wide = LEFT + int(plan.column[span]) * self.pixels, (stop - start) * self.pixels
        parts = [f"<g><title>sequence {sequence}, steps {start + 1:,} to {stop:,}</title>"]
        parts.append(span_parts(x, y, wide, HUES[sequence % len(HUES)], reset=start == 0))
        if self.pixels >= STEP_PIXELS and stop - start > 1:
            lines = "".join(f"M{x + step * self.pixels:.2f} {y:g}v{ROW - GAP}" for step in range(1, stop - start))
            parts.append(f'<path d="{lines}" stroke="#ffffff" stroke-width="0.8"/>')
        if wide >= DIGIT_PIXELS * len(str(sequence)) + 6:
            parts.append(f'<text class="number" x="{x + 4:.2f}" y="{y + 10:g}">{sequence}</text>')
        parts.append("</g>")
        if start > 0:
            parts.append(arrow(x - 11, y))
        if stop < int(self.lengths[sequence]):
            parts.append(arrow(x + wide + 2, y))
        return "".join(parts)

    def _others(self, spans: np.ndarray, y: float) -> str:
        """More spans of a row than can be told apart."""
        plan = self.plan
        begin = int(plan.column[spans[0]])
        steps = int(plan.column[spans[-1]] + plan.stop[spans[-1]] - plan.start[spans[-1]]) - begin
        drawn = _rectangle("others", (LEFT + begin * self.pixels, y, steps * self.pixels), HUES[0])
        return f"<g><title>{len(spans):,} more spans</title>{drawn}</g>"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _rectangle(kind: str, place: tuple[float, float, float], fill: str) -> str:
    x, y, width = place
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:.2f}" height="{ROW - GAP}" fill="{fill}"/>'


def drawn_lengths(lengths: np.ndarray, bins: int = 40) -> str:
    """How many sequences there are of each length, as SVG.

    Args:
        lengths: int (S,), one at least.
        bins: bars at most.
    """
    shortest, longest = int(lengths.min()), int(lengths.max())
    step = -(-(longest - shortest + 1) // bins)
    counts = np.bincount((lengths - shortest) // step)
    height, wide = 90, (WIDTH - LEFT - RIGHT) / len(counts)
    bars = [
        f'<rect x="{LEFT + place * wide:.2f}" y="{height - 64 * count / counts.max():.2f}" '
        f'width="{max(0.8, wide - 1):.2f}" height="{64 * count / counts.max():.2f}" fill="#0067a5">'
        f"<title>{count:,} of {shortest + place * step:,} to {shortest + (place + 1) * step - 1:,} steps</title></rect>"
        for place, count in enumerate(counts.tolist())
        if count
    ]
    title = "How many sequences there are of each length"
    ends = f'<text x="{LEFT}" y="{height + 14}">{shortest:,}</text>'
    if longest > shortest:
        ends += f'<text x="{WIDTH - RIGHT}" y="{height + 14}" text-anchor="end">{longest:,} steps</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 20}" role="img" '
        f'aria-label="{title}">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n"
        f'<text class="muted" x="{LEFT}" y="14">at most {counts.max():,} sequences a bar</text>\n'
        f"{''.join(bars)}\n{ends}\n</svg>\n"
    )
