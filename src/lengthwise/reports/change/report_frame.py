"""What every report on a change has: its head, what it comes to, and its limit of length."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lengthwise.reports.change.sections import ORDER_OF_CUTS, change_of
from lengthwise.runs.not_run import NotRun
from lengthwise.system.markdown import ReportSection, fit, quoted
from lengthwise.verdict.comparison import FAILURES, Comparison, Verdict

# By it the workflow finds the comment that it wrote before.
MARKER = "<!-- lengthwise-report -->"
# GitHub takes 65,536 in a comment.
MOST_CHARACTERS = 60_000
MOST_LISTED = 20
JUDGED = (Verdict.MISSING, Verdict.WORSE, Verdict.NOT_COMPARABLE, Verdict.BETTER, Verdict.WITHIN_NOISE)


@dataclass(frozen=True)
class Report:
    """A report and what it comes to.

    Attributes:
        text: Markdown, of at most `MOST_CHARACTERS`.
        verdict: of all figures together.
    """

    text: str
    verdict: Verdict

    @property
    def failed(self) -> bool:
        """Whether a figure is worse or missing, or the change was not run."""
        return self.verdict in FAILURES


def finished(head: Sequence[str], sections: Sequence[ReportSection], verdict: Verdict) -> Report:
    """A report of its lines at the head, which are never cut, and its sections."""
    return Report(fit("\n".join([*head, ""]), sections, ORDER_OF_CUTS, MOST_CHARACTERS), verdict)


def head_lines(verdict: Verdict, base: str, commit: str, by: str = "") -> list[str]:
    """The marker, the verdict, and what was compared with what."""
    compared = f"The working tree compared with {quoted(base)} ({quoted(commit[:12])}){by}."
    return [f"{MARKER}\n# Lengthwise report: {verdict}\n", compared]


def verdict_lines(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """How often each verdict was given, and what is missing, worse or better, name by name."""
    counts = Counter(comparison.verdict for comparison in comparisons)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in JUDGED)
    same = sum(one.verdict == Verdict.WITHIN_NOISE and one.old == one.new for one in comparisons)
    yield f"\nOf its figures: {said} ({same} of these the same).\n"
    for verdict in (*FAILURES, Verdict.BETTER):
        of_it = [comparison for comparison in comparisons if comparison.verdict == verdict]
        for comparison in of_it[:MOST_LISTED]:
            yield f"- **{verdict}**: {quoted(comparison.key[0])} {quoted(comparison.key[1])}: {change_of(comparison)}"
        if len(of_it) > MOST_LISTED:
            yield f"- and {len(of_it) - MOST_LISTED} more are {verdict}"


def not_run_lines(new: Sequence[NotRun], old: Sequence[NotRun]) -> Iterator[str]:
    """What changed in the working tree, and in the base, since the stages ran."""
    if new:
        yield (
            "\n**Not run**: the figures are not of the working tree. Run `dvc repro`; or `dvc commit`, if what changed "
            "cannot change a figure.\n"
        )
        yield from _stage_lines(new)
    if old:
        yield (
            "\n**The base was not run** with what it has in Git either: its figures are of another state. Run "
            "`dvc repro` there for a comparison with the base as it is.\n"
        )
        yield from _stage_lines(old)


def _stage_lines(stages: Sequence[NotRun]) -> Iterator[str]:
    for stage in stages[:MOST_LISTED]:
        yield f"- {quoted(stage.stage)}: {listed(stage.changes)}"
    if len(stages) > MOST_LISTED:
        yield f"- and {len(stages) - MOST_LISTED} more stages"


def listed(names: Sequence[object]) -> str:
    """Names as code, the first `MOST_LISTED` of them."""
    more = len(names) - MOST_LISTED
    return ", ".join(map(quoted, names[:MOST_LISTED])) + (f" and {more} more" if more > 0 else "")
