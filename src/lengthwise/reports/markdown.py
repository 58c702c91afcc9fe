"""Tables in Markdown, and the parts of a document that are generated between two comments."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lengthwise.errors import FormatError


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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); expected a document; check it out again") from error
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
