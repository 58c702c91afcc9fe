"""Rows as a chart: horizontal bars in plain SVG."""

from html import escape
from itertools import groupby
from pathlib import Path

from peers.report import Row

WIDTH, BAR, GAP, LINE = 960, 16, 6, 22
NAMES, FIGURES, MARGIN = 300, 150, 20
FULL = WIDTH - NAMES - FIGURES - 2 * MARGIN
# Of a contestant whose name begins, or ends, like this; the first that fits.
COLOURS = {
    "keras": "#9aa5b1",
    "pytorch": "#e0913f",
    "jax": "#4f9d69",
    "onnx": "#8a6fb0",
    "lengthwise native": "#1f5fbf",
    "lengthwise": "#7fb0ea",
}
TITLES = {
    "classifier": "Training the classifier",
    "seq2seq": "Training with a prediction at every step",
    "evaluation": "Predicting",
}


def write_chart(path: Path, rows: list[Row]) -> None:
    """Draw each task's contestants, fastest bar of the task at full width, the ratio to its first row beside each."""
    parts: list[str] = []
    top = MARGIN
    for task, group in groupby(rows, key=lambda row: row.task):
        members = list(group)
        parts.append(_text(MARGIN, top + 14, f"{TITLES[task]}, sentences per second", "title"))
        top += LINE + GAP
        scale = FULL / max(row.maximum for row in members)
        for row in members:
            parts += _bar(row, top, scale)
            top += BAR + GAP
        top += LINE
    note = "Bars: median of the rounds; lines: minimum to maximum; ×: to the first row of the group."
    parts.append(_text(MARGIN, top + 4, note, "note"))
    path.write_text(_document(top + MARGIN, parts), encoding="utf-8")


def _bar(row: Row, top: float, scale: float) -> list[str]:
    left, middle = MARGIN + NAMES, top + BAR / 2
    length, least, most = (value * scale for value in (row.sentences_per_second, row.minimum, row.maximum))
    colour = _colour(row.contestant)
    return [
        _text(left - 8, middle + 4, row.contestant, "name"),
        f'<rect x="{left}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
        f'<path d="M{left + least:.1f} {middle}H{left + most:.1f}" stroke="#333" stroke-width="1.5"/>',
        _text(left + most + 8, middle + 4, f"{row.ratio:.2f}×", "ratio"),
        _text(left + most + 52, middle + 4, f"{row.sentences_per_second:,.0f}", "note"),
    ]


def _colour(name: str) -> str:
    library, last = name.split()[0].rstrip(","), name.split()[-1]
    return COLOURS.get(f"{library} {last}", COLOURS[library])


def _text(x: float, y: float, content: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(content)}</text>'


def _document(height: float, parts: list[str]) -> str:
    style = (
        "text{font:12px sans-serif;fill:#222}.title{font-size:14px;font-weight:bold}"
        ".name{text-anchor:end}.note{fill:#666}.ratio{font-weight:bold}"
    )
    frame = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {frame} role="img">',
            "<title>Lengthwise beside its peers</title>",
            f"<style>{style}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )
