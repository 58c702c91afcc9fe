"""The Markdown of documents and reports: tables, foreign text, generated parts, and a limit of length."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lengthwise.errors import FormatError
from lengthwise.system.dotted import finite
from lengthwise.system.files import read_text

MOST_CHARACTERS = 80
NOTHING = "–"
DECIMALS = 4
# From here on, digits are no longer read one by one.
LARGE = 1e12


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; what is in a cell is shown as it stands."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(str(cell)) for cell in line) + " |" for line in lines)


def code(text: object) -> str:
    """Text as code; nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def with_blocks(path: Path, blocks: Mapping[str, str]) -> str:
    """A document's text with what is between `<!-- NAME: ... -->` and `<!-- /NAME -->` made anew.

    Args:
        path: of the document.
        blocks: what is to stand in each block, by its name.

    Raises:
        FormatError: the document cannot be read, or a block is not in it exactly once.
    """
    text = read_text(path)
    for name, content in blocks.items():
        parts = re.split(rf"(<!-- {re.escape(name)}: [^\n]*-->\n|<!-- /{re.escape(name)} -->)", text)
        if len(parts) != 5 or not parts[1].endswith("\n"):
            raise FormatError(
                f"{path}: the block {name!r} is not there once; expected <!-- {name}: ... -->, its text, "
                f"<!-- /{name} -->; mend it"
            )
        text = "".join([*parts[:2], f"\n{content}\n\n", *parts[3:]])
    return text


def _cell(text: str) -> str:
    """Within code nothing but the bar and the end of a line ends a cell; outside, tags would vanish."""
    parts = re.split(r"(`[^`]*`)", re.sub(r"[ \t\r\n]+", " ", text).replace("|", r"\|"))
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


@dataclass(frozen=True)
class ReportSection:
    """A part of a report.

    Attributes:
        title: its heading.
        blocks: what may be left out from the end: lines, or code blocks as a whole.
        folded: whether a reader has to open it.
    """

    title: str
    blocks: Sequence[str]
    folded: bool = False

    def render(self) -> str:
        """The section as Markdown."""
        body = "\n".join(self.blocks).strip("\n")
        if not self.folded:
            return f"## {self.title}\n\n{body}\n"
        return f"<details>\n<summary>{self.title}</summary>\n\n{body}\n\n</details>\n"


def quoted(text: object, most: int = MOST_CHARACTERS) -> str:
    """Foreign text as code, where GitHub finds no mention, link, formula or HTML; cut to `most` characters."""
    shown = "".join(character if character.isprintable() else _escaped(character) for character in str(text))
    if len(shown) > most:
        shown = f"{shown[: most - 1]}…"
    if shown.strip() and not set(shown) & set("`|\\"):
        return f"`{shown}`"
    # What would end a cell or the code; GitHub reads no Markdown in entities.
    entities = "".join(c if c.isascii() and c.isalnum() else f"&#{ord(c)};" for c in shown)
    return f"<code>{entities}</code>"


def plain(text: object, width: int) -> str:
    """Foreign text for a line within a code block, cut to a width."""
    shown = "".join(character if character.isprintable() and character != "`" else "?" for character in str(text))
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def value(content: object) -> str:
    """A param's value."""
    return quoted(json.dumps(content, ensure_ascii=False, default=str))


def number(figure: float | str | None, signed: bool = False) -> str:
    """A figure: a count with all digits, anything else with four decimals."""
    if figure is None:
        return NOTHING
    if not finite(figure):
        return quoted(figure)
    if abs(figure) >= LARGE:
        return f"{float(figure):{'+' if signed else ''}.4g}"
    if signed and not round(figure, DECIMALS):
        return "0"
    style = ("+" if signed else "") + ("," if isinstance(figure, int) else f",.{DECIMALS}f")
    return f"{figure:{style}}"


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table, a line a row; what is in the cells is Markdown already. An empty line stands before it."""
    return ["", *(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))]


def fit(head: str, sections: Sequence[ReportSection], order: Sequence[str], limit: int) -> str:
    """A report of at most `limit` characters.

    Args:
        head: what is never cut.
        sections: in the order of reading.
        order: titles of the sections in the order in which they are cut, from their ends, until all fits.
        limit: characters.

    Raises:
        ValueError: the head and the headings alone are longer.
    """
    kept = {section.title: section for section in sections}
    for title in order:
        excess = len(_join(head, kept.values())) - limit
        if excess > 0 and title in kept:
            kept[title] = _cut(kept[title], excess)
    report = _join(head, kept.values())
    if len(report) > limit:
        raise ValueError(f"report: got {len(report)} characters that cannot be cut; expected at most {limit}")
    return report


def _cut(section: ReportSection, excess: int) -> ReportSection:
    blocks = list(section.blocks)
    while blocks:
        excess -= len(blocks.pop()) + 1
        left_out = len(section.blocks) - len(blocks)
        notice = f"*Cut for length: {left_out} of {len(section.blocks)} lines or charts are left out here.*"
        if excess + len(notice) + 2 <= 0:
            break
    else:
        return section if not section.blocks else replace(section, blocks=(notice,))
    return replace(section, blocks=(*blocks, "", notice))


def _join(head: str, sections: Iterable[ReportSection]) -> str:
    return "\n".join([head, *(section.render() for section in sections)])


def _escaped(character: str) -> str:
    return " " if character == "\n" else character.encode("unicode_escape").decode()
