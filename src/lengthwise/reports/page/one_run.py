"""The page of one run."""

from dataclasses import replace

from lengthwise.reports.page.ablation_section import ablations
from lengthwise.reports.page.funnel import funnel, lengths
from lengthwise.reports.page.learning import cost, curves, environment
from lengthwise.reports.page.scores import by_length, confusion, results
from lengthwise.reports.page.section import Frame, page
from lengthwise.reports.run import Run

SECTIONS = (results, funnel, lengths, curves, confusion, by_length, ablations, cost, environment)
FRAME = Frame(
    "Lengthwise: report of a run",
    "Recurrent networks on text of variable length, trained and judged by one reproducible run.",
    "make report",
    " from the folder metrics and from dvc.lock",
)
INVENTED = (
    "This run is on the sample corpus, which is invented: its figures say that the pipeline works, not what the "
    "techniques are worth."
)


def report(run: Run) -> str:
    """The whole page; the same run, the same bytes.

    Raises:
        FormatError: a file of the run is absent or damaged.
    """
    frame = replace(FRAME, notice=INVENTED) if run.on_sample else FRAME
    return page(frame, [make(run) for make in SECTIONS])
