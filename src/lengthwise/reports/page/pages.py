"""The page of a run, and that of several runs beside each other: which sections each has."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lengthwise.reports.page import funnel, headlines, learning, pictures, scores
from lengthwise.reports.page.ablation_section import ablations
from lengthwise.reports.page.section import Frame, PageSection, page
from lengthwise.reports.words import listed
from lengthwise.runs.rivals import Rivals, rivals_of
from lengthwise.runs.run import Run
from lengthwise.runs.run_names import Source, open_sources


def _of_models(make: Callable[[Rivals], PageSection | None]) -> Callable[[Run], list[PageSection]]:
    """A section for the models of each target; where there are several, their tasks stand in the heading."""

    def sections(run: Run) -> list[PageSection]:
        every = rivals_of(run)
        made = [(rivals, section) for rivals in every if (section := make(rivals))]
        if len(every) == 1:
            return [section for _, section in made]
        return [
            replace(section, key=f"{section.key}-{of.tasks[0]}", heading=f"{section.heading}: {listed(of.tasks)}")
            for of, section in made
        ]

    return sections


def _of_run(make: Callable[[Run], PageSection]) -> Callable[[Run], list[PageSection]]:
    return lambda run: [make(run)]


OF_A_RUN = (
    _of_models(scores.results),
    _of_run(funnel.funnel),
    _of_run(funnel.lengths),
    _of_run(learning.curves),
    _of_models(scores.confusion),
    _of_models(scores.by_length),
    _of_run(ablations),
    _of_run(learning.cost),
    _of_run(learning.environment),
)
OF_RUNS = (
    headlines.runs,
    headlines.params,
    pictures.levels,
    pictures.differences,
    pictures.curves,
    pictures.by_length,
    headlines.cost,
)
FRAME = Frame(
    "Lengthwise: report of a run",
    "Recurrent networks on sequences of variable length, trained and judged by one reproducible run.",
    "make report",
    " from the folder metrics and from dvc.lock",
)
BESIDE = Frame(
    "Lengthwise: runs beside each other",
    "Each run has a letter and a colour, the same in all pictures.",
    "lengthwise page",
)
INVENTED = (
    "This run is on the sample corpus, which is invented: its figures say that the pipeline works, not what the "
    "techniques are worth."
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


def report(run: Run) -> str:
    """The page of one run; the same run, the same bytes."""
    frame = replace(FRAME, notice=INVENTED) if run.on_sample else FRAME
    return page(frame, [section for make in OF_A_RUN for section in make(run)])


def beside(sources: Sequence[Source]) -> str:
    """The page of several runs; the same runs, the same bytes."""
    return page(BESIDE, [make(sources) for make in OF_RUNS])
