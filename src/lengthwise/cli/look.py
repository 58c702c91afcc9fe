"""The command `lengthwise look`: what a file is understood as, and the keys that read it so."""

# Help needs \b: it keeps the line breaks of the paragraph below it.
# ruff: noqa: D301

import shutil
from pathlib import Path
from typing import Annotated

import typer

from lengthwise.cli.pipes import write

MEBIBYTE = 1 << 20


def look(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="File, folder or zip, compressed or not.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write one line of JSON.")] = False,
    max_member_mb: Annotated[
        int, typer.Option(min=1, max=4096, help="MiB that a member of an archive may unpack to.")
    ] = 64,
) -> None:
    """Show what a file is understood as, before anything runs.

    Shows the form, the columns with examples, the classes of labels and tags, lengths and groups, and a proposal for
    the section ingest of params.yaml: keys that are not shown stay as they are. Nothing is written and nothing in the
    file is run.

    \b
    Examples:
      lengthwise look recordings.zip
      lengthwise look messages.tsv --json
    """
    from lengthwise.corpora.look_at import look_at

    looked = look_at(source, max_member_mb * MEBIBYTE)
    write(looked.to_json() if as_json else looked.to_text(shutil.get_terminal_size((100, 24)).columns))
