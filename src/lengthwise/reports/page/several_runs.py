"""The page of several runs beside each other, and the choice between it and the page of one run."""

from collections.abc import Sequence
from pathlib import Path

from lengthwise.reports.page.headlines import cost, params, runs
from lengthwise.reports.page.one_run import report
from lengthwise.reports.page.pictures import by_length, curves, differences, levels
from lengthwise.reports.page.run_names import Source, open_sources
from lengthwise.reports.page.section import Frame, page

SECTIONS = (runs, params, levels, differences, curves, by_length, cost)
FRAME = Frame(
    "Lengthwise: runs beside each other",
    "Each run has a letter and a colour, the same in all pictures.",
    "lengthwise page",
)


def page_of(names: Sequence[str], project: Path) -> str:
    """The page of a run, or of several beside each other.

    Args:
        names: DVC experiments, Git revisions, and folders with a run; the working tree's is `.`.
        project: the folder with `dvc.yaml`.

    Raises:
        RevisionError: a name is no run.
        FormatError: a file of a run is absent or damaged; the message says of which run.
    """
    sources = open_sources(names or ["."], project)
    return report(sources[0].run) if len(sources) == 1 else beside(sources)


def beside(sources: Sequence[Source]) -> str:
    """The page of several runs; the same runs, the same bytes."""
    return page(FRAME, [make(sources) for make in SECTIONS])
