"""What a change did, in one Markdown report: the working tree compared with a Git revision.

docs/reports.md says how figures are judged.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lengthwise.errors import FormatError
from lengthwise.evaluation.metrics import Bootstrap
from lengthwise.reports.pull_request.comparison import FAILURES, Comparison, Verdict, compare_all, overall
from lengthwise.reports.pull_request.figures import Figure, Interval, Key, figures_of
from lengthwise.reports.pull_request.markdown import code, fit
from lengthwise.reports.pull_request.paired import agreeing, paired_intervals, predictions_at
from lengthwise.reports.pull_request.revisions import METRICS, Snapshot, resolve, snapshot_at, snapshot_of_folder
from lengthwise.reports.pull_request.same_data import DataCheck, check_data, stale_stages
from lengthwise.reports.pull_request.sections import (
    ORDER_OF_CUTS,
    change_of,
    charts_section,
    cost_section,
    data_section,
    metrics_section,
    other_section,
    params_section,
)
from lengthwise.shards.reader import read_index

# By it the workflow finds the comment that it wrote before.
MARKER = "<!-- lengthwise-report -->"
# GitHub takes 65,536 in a comment.
MOST_CHARACTERS = 60_000
MOST_LISTED = 20
SHARDS = Path("data/shards")
EVALUATION = re.compile(r"evaluate/[^/]+\.json")
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
        """Whether a figure is worse or missing."""
        return self.verdict in FAILURES


@dataclass(frozen=True)
class Runs:
    """Both runs, and their figures."""

    old: Snapshot
    new: Snapshot
    old_figures: dict[Key, Figure]
    new_figures: dict[Key, Figure]


def report_on(base: str, folder: Path) -> Report:
    """Compare a project's params and metrics with those at a revision.

    Args:
        base: the revision, taken as it is: for what a branch changed, give the merge base.
        folder: the project's.

    Raises:
        RevisionError: there is no such revision, or one of the two has no metrics.
        FormatError: a file of one of the two is damaged.
    """
    old, new = snapshot_at(base, folder), snapshot_of_folder(folder)
    runs = Runs(old, new, _of_same_confidence(old, new), figures_of(new))
    data = check_data(old, new)
    paired = {} if data.changes else _paired(runs, folder)
    comparisons = compare_all(runs.old_figures, runs.new_figures, paired, not data.changes)
    verdict = overall(comparisons)
    sections = [
        metrics_section(comparisons),
        params_section(old.params, new.params),
        data_section(comparisons),
        cost_section(comparisons, old, new),
        charts_section(runs.old_figures, runs.new_figures, old, new),
        other_section(comparisons),
    ]
    compared = f"The working tree compared with {code(base)} ({code(resolve(base, folder)[:12])})."
    head = [f"{MARKER}\n# Lengthwise report: {verdict}\n", compared, *_verdict_lines(comparisons)]
    head += [*_notes(data, new, comparisons, set(paired)), ""]
    return Report(fit("\n".join(head), sections, ORDER_OF_CUTS, MOST_CHARACTERS), verdict)


def _of_same_confidence(old: Snapshot, new: Snapshot) -> dict[Key, Figure]:
    """The base's figures; intervals of another confidence than the working tree's cannot be set against these."""
    figures = figures_of(old)
    if _evaluate(old).get("confidence") == _evaluate(new).get("confidence"):
        return figures
    return {key: replace(figure, interval=None) for key, figure in figures.items()}


def _paired(runs: Runs, folder: Path) -> dict[Key, Interval]:
    """Intervals of the differences, as far as both runs' predictions are at hand and are those of the metrics."""
    try:
        index = read_index(folder / SHARDS)
        settings = _evaluate(runs.new)
        bootstrap = Bootstrap(int(settings["bootstrap_samples"]), float(settings["confidence"]), int(settings["seed"]))
    except (FormatError, KeyError, TypeError, ValueError):
        return {}
    intervals: dict[Key, Interval] = {}
    for file in sorted({file for file, _ in runs.new_figures if EVALUATION.fullmatch(file)}):
        path = f"data/predictions/{Path(file).stem}.parquet"
        old, new = (predictions_at(side, path, folder) for side in (runs.old, runs.new))
        if old is None or new is None:
            continue
        found = paired_intervals(old, new, index.unit, index.factors, bootstrap)
        known = agreeing(found, runs.old.json(METRICS + file), runs.new.json(METRICS + file))
        intervals |= {(file, name): interval for name, interval in known.items()}
    return intervals


def _evaluate(snapshot: Snapshot) -> dict[str, Any]:
    section = snapshot.params.get("evaluate")
    return section if isinstance(section, dict) else {}


def _verdict_lines(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """How often each verdict was given, and what is missing, worse or better, name by name."""
    counts = Counter(comparison.verdict for comparison in comparisons)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in JUDGED)
    same = sum(one.verdict == Verdict.WITHIN_NOISE and one.old == one.new for one in comparisons)
    yield f"\nOf its figures: {said} ({same} of these the same).\n"
    for verdict in (*FAILURES, Verdict.BETTER):
        of_it = [comparison for comparison in comparisons if comparison.verdict == verdict]
        for comparison in of_it[:MOST_LISTED]:
            yield f"- **{verdict}**: {code(comparison.key[0])} {code(comparison.key[1])}: {change_of(comparison)}"
        if len(of_it) > MOST_LISTED:
            yield f"- and {len(of_it) - MOST_LISTED} more are {verdict}"


def _notes(data: DataCheck, new: Snapshot, comparisons: Sequence[Comparison], paired: set[Key]) -> Iterator[str]:
    if data.changes:
        yield f"\n**Not comparable**: the data changed ({_listed(data.changes)}), so that nothing is better or worse."
    else:
        yield f"\nThe data are the same, by {data.evidence}."
    if stale := stale_stages(new):
        yield f"\n**The metrics are not of this params.yaml**: run `dvc repro` ({_listed(stale)})."
    judged = {comparison.key for comparison in comparisons if comparison.interval is not None}
    if judged & paired:
        yield (
            f"\nIntervals of {len(judged & paired)} differences: a paired bootstrap over the test authors, from both "
            "runs' predictions."
        )
    if judged - paired:
        yield (
            f"\nIntervals of {len(judged - paired)} differences: from each run's own interval, as if the runs were "
            "independent, which is wider than need be: there are not both runs' predictions in the DVC cache, and a "
            "baseline leaves none."
        )
    if judged:
        yield "\nThey say what other test authors would give; that another seed trains another network comes on top."


def _listed(names: Sequence[object]) -> str:
    more = len(names) - MOST_LISTED
    return ", ".join(map(code, names[:MOST_LISTED])) + (f" and {more} more" if more > 0 else "")
