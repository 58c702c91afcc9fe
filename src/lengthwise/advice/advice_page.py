"""The advice as a page: one HTML file that opens without a network."""

import inspect
import re
from dataclasses import dataclass
from html import escape

import numpy as np
from markupsafe import Markup

from lengthwise.advice.advising import Advice, first_epoch
from lengthwise.advice.drawing import (
    HUES,
    ROW,
    arrow,
    drawn_batches,
    drawn_lengths,
    drawn_width,
    span_parts,
    stripes,
)
from lengthwise.advice.written import COLUMNS, bytes_text, cells_of, heading, seconds_text, settings_of
from lengthwise.batching.plan import Plan
from lengthwise.system.templates import templates_of

# What a newcomer has to know of each way of batching; the strategies' own words follow.
KINDS = {
    "whole": "Each row is one whole sequence.",
    "packs": "A row holds several sequences; at each dark bar the state of the network is reset.",
    "cuts": "Sequences are cut; at an arrow the state comes from the batch before, or goes on to the next.",
}


@dataclass(frozen=True)
class Card:
    """One strategy on the page.

    Attributes:
        name: in `STRATEGIES`.
        taken: whether it is the choice.
        about: what it does, in its own words.
        kind: what its rows are.
        settings: in few words.
        figures: by what they are called, in the words of the table.
        picture: SVG.
    """

    name: str
    taken: bool
    about: str
    kind: str
    settings: str
    figures: dict[str, str]
    picture: str


def page_of(advice: Advice, lengths: np.ndarray) -> str:
    """The page; the same advice, the same bytes.

    Args:
        advice: of these lengths.
        lengths: int (S,).
    """
    plans = {name: first_epoch(row.strategy, lengths, advice.seed) for name, row in advice.strategies.items()}
    widest = max(drawn_width(plan) for plan in plans.values())
    rows = list(advice.strategies.values())
    return TEMPLATES.get_template("page.html.j2").render(
        advice=advice,
        heading=heading(advice),
        columns=COLUMNS,
        rows=[(row.name == advice.choice.name, cells_of(row)) for row in rows],
        cards=[_card(advice, name, plans[name], lengths, widest) for name in plans],
        histogram=drawn_lengths(lengths),
        legend=_legend(),
    )


def _card(advice: Advice, name: str, plan: Plan, lengths: np.ndarray, widest: int) -> Card:
    row = advice.strategies[name]
    kind = "cuts" if row.strategy.cuts else "packs" if row.strategy.packs else "whole"
    about = inspect.getdoc(type(row.strategy)) or ""
    return Card(
        name=name,
        taken=name == advice.choice.name,
        about=about.split("\n\n")[0].replace("\n", " "),
        kind=KINDS[kind],
        settings=settings_of(row),
        figures={
            "padding": f"{100 * row.padding_share:.1f} % of all steps",
            "batches": f"{row.batches:,}",
            "time": seconds_text(row.seconds),
            "memory": bytes_text(row.peak_bytes) + ("" if row.fits else ", does not fit"),
        },
        picture=drawn_batches(plan, lengths, name, widest),
    )


def _legend() -> list[tuple[str, str]]:
    """What stands in the drawings: SVG, and what it means."""
    size = f'viewBox="0 0 48 {ROW}" width="48" height="{ROW}" aria-hidden="true"'

    def swatch(inside: str) -> str:
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{inside}</svg>'

    striped = stripes("stripes-legend") + f'<rect y="0" width="48" height="{ROW - 2}" fill="url(#stripes-legend)"/>'
    return [
        (swatch(span_parts(0, 0, 48, HUES[0], reset=False)), "steps of one sequence; the number says which"),
        (swatch(span_parts(0, 0, 48, HUES[1], reset=True)), "a sequence begins: the state is reset"),
        (swatch(striped), "padding: computed for nothing, unless the kernel skips it"),
        (swatch(arrow(18, 0)), "the state is carried from one batch to the next, in the same row"),
    ]


def _code(text: str) -> Markup:
    """Plain text as HTML, what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S704 - it is escaped.


TEMPLATES = templates_of("lengthwise.advice")
TEMPLATES.filters["code"] = _code
