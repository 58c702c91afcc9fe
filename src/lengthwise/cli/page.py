"""The command `lengthwise page`: a run as one page, or several beside each other."""

import argparse
from pathlib import Path

from lengthwise.system.files import replacing_file

PAGE = """Write a page that opens offline: one run as a report, or several runs beside each other.

A run is a DVC experiment, a Git revision, or a folder with metrics/ and dvc.lock; without any, the working tree's.
Of a folder that has the name of an experiment or a revision, write ./NAME.

  lengthwise page
  lengthwise page main wide-lstm . --out compared.html
"""


def add_page(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options to the parser of `lengthwise`."""
    page = commands.add_parser(
        "page",
        help="write a page of a run, or of several beside each other",
        description=PAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    page.set_defaults(run=_page)
    page.add_argument("runs", nargs="*", metavar="RUN", help="experiment, revision or folder (default: .)")
    page.add_argument("--out", type=Path, default="report.html", metavar="FILE", help="write to it (%(default)s)")


def _page(options: argparse.Namespace) -> int:
    # DVC and pandas take a second to import, which the other commands can do without.
    from lengthwise.reports.beside.page import page_of

    text = page_of(options.runs, Path())
    with replacing_file(options.out) as beside:
        beside.write_text(text, encoding="utf-8")
    return 0
