"""What a page is made of, and the templates that write it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from lengthwise.charts.style import STYLE
from lengthwise.system.templates import templates_of


@dataclass(frozen=True)
class PageSection:
    """A part of a page.

    Attributes:
        key: its anchor.
        heading: its title.
        text: paragraphs, plain text.
        charts: SVG.
        tables: numbers behind the charts, by what they are called.
        code: commands, shown as such after the text.
        blocks: HTML, shown before the charts; `part` makes it.
    """

    key: str
    heading: str
    text: Sequence[str]
    charts: Sequence[str] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    code: str = ""
    blocks: Sequence[str] = ()


@dataclass(frozen=True)
class Frame:
    """What stands around the sections: a title, a line below it, the command that made the page, a notice or none."""

    title: str
    about: str
    made_by: str
    made_from: str = ""
    notice: str = ""


def page(frame: Frame, sections: Sequence[PageSection]) -> str:
    """A page of sections, with links to them; the same sections, the same bytes."""
    return TEMPLATES.get_template("page.html.j2").render(frame=frame, sections=sections, style=STYLE)


def part(name: str, **values: object) -> str:
    """HTML of a macro in `parts.html.j2`, a block for a section.

    Args:
        name: of the macro.
        values: its arguments; text in them is escaped.
    """
    return str(getattr(TEMPLATES.get_template("parts.html.j2").module, name)(**values))


def _table(table: pd.DataFrame) -> str:
    return table.to_html(index=False, border=0, na_rep="", float_format=_number)


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.4f}"


TEMPLATES = templates_of("lengthwise.reports.page")
TEMPLATES.filters["table"] = _table
