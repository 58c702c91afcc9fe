"""What a change did, in one Markdown report: the working tree compared with a Git revision.

docs/reports.md says how figures are judged.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose, isfinite
from pathlib import Path
from typing import Any

from lengthwise.errors import RevisionError
from lengthwise.evaluation.paired import Interval
from lengthwise.reports.change.configured import report_as_configured
from lengthwise.reports.change.report_frame import Report, finished, head_lines, listed, not_run_lines, verdict_lines
from lengthwise.reports.change.sections import (
    charts_section,
    cost_section,
    data_section,
    metrics_section,
    other_section,
    params_section,
)
from lengthwise.runs.not_run import not_run
from lengthwise.runs.places import resolve, run_at, with_cached
from lengthwise.runs.run import Run, run_in
from lengthwise.runs.run_files import METRICS, PREDICTIONS, TIMING
from lengthwise.runs.same_data import DataCheck, check_data
from lengthwise.runs.scored_items import Difference, differences_of_runs, holds_items, of_headline
from lengthwise.system.dotted import finite
from lengthwise.verdict.comparison import Comparison, Verdict, compare_all, overall
from lengthwise.verdict.config_file import read_config
from lengthwise.verdict.figures import Figure, Key, figures_of

# Relative: the figures in Git are rounded to six digits.
SAME = 2e-5
EVALUATION = re.compile(r"evaluate/[^/]+\.json")


@dataclass(frozen=True)
class ComparedRuns:
    """Both runs, and their figures."""

    old: Run
    new: Run
    old_figures: dict[Key, Figure]
    new_figures: dict[Key, Figure]


def report_on(base: str, folder: Path) -> Report:
    """Compare a project's params and metrics with those at a revision.

    Args:
        base: the revision, taken as it is: for what a branch changed, give the merge base.
        folder: the project's.

    Raises:
        RevisionError: there is no such revision, or one of the two has no metrics.
        ParamsError: `.lengthwise.yaml` is wrong.
        FormatError: a file of one of the two is damaged.
    """
    commit, config = resolve(base, folder), read_config(folder)
    if config is not None:
        return report_as_configured(config, base, commit, folder)
    old = _with_metrics(run_at(commit, folder, f"revision {base}"))
    new = _with_metrics(replace(run_in(folder), name="the working tree"))
    outdated, outdated_base = not_run(new, folder), not_run(old, folder, commit)
    old, new = (with_cached(run, folder, _is_cached) for run in (old, new))
    runs = ComparedRuns(old, new, _of_same_confidence(old, new), figures_of(new))
    data = check_data(old, new)
    paired = {} if data.changes else _paired(runs)
    comparisons = compare_all(runs.old_figures, runs.new_figures, paired, not data.changes)
    verdict = Verdict.NOT_RUN if outdated else overall(comparisons)
    sections = [
        metrics_section(comparisons),
        params_section(old.params_file, new.params_file),
        data_section(comparisons),
        cost_section(comparisons, old, new),
        charts_section(runs.old_figures, runs.new_figures, old, new),
        other_section(comparisons),
    ]
    head = [*head_lines(verdict, base, commit), *not_run_lines(outdated, outdated_base)]
    head += [*verdict_lines(comparisons), *_notes(data, comparisons, set(paired))]
    return finished(head, sections, verdict)


def _with_metrics(run: Run) -> Run:
    if not run.metric_files:
        raise RevisionError(
            f"metrics/ of {run.name}: got no JSON or CSV; expected the results of a run; run dvc repro and commit "
            "metrics/, or name what this repository has in .lengthwise.yaml (docs/reports.md)"
        )
    return run


def _is_cached(path: str) -> bool:
    return path.startswith((TIMING, PREDICTIONS)) or holds_items(path)


def _of_same_confidence(old: Run, new: Run) -> dict[Key, Figure]:
    """The base's figures; intervals of another confidence than the working tree's cannot be set against these."""
    figures = figures_of(old)
    if _evaluate(old).get("confidence") == _evaluate(new).get("confidence"):
        return figures
    return {key: replace(figure, interval=None) for key, figure in figures.items()}


def _paired(runs: ComparedRuns) -> dict[Key, Interval]:
    """Intervals of the differences, as far as both runs' test items are at hand and are those of the metrics."""
    confidence = _evaluate(runs.new).get("confidence")
    if not finite(confidence) or not 0 < confidence < 1:
        return {}
    intervals: dict[Key, Interval] = {}
    for file in sorted({file for file, _ in runs.new_figures if EVALUATION.fullmatch(file)}):
        found = of_headline(differences_of_runs(runs.new, runs.old, Path(file).stem, confidence) or [])
        if agrees(found, runs.old.json(METRICS + file), runs.new.json(METRICS + file)):
            intervals |= {(file, name): Interval(one.low, one.high) for name, one in found.items() if isfinite(one.low)}
    return intervals


def agrees(found: Mapping[str, Difference], old: Mapping[str, object], new: Mapping[str, object]) -> bool:
    """Whether the items are those that the metrics in Git were made from: these have six digits."""
    pairs = [(one.other, old.get(name)) for name, one in found.items()]
    pairs += [(one.one, new.get(name)) for name, one in found.items()]
    return all(finite(known) and isclose(known, value, rel_tol=SAME, abs_tol=1e-12) for value, known in pairs)


def _evaluate(snapshot: Run) -> dict[str, Any]:
    section = snapshot.params_file.get("evaluate")
    return section if isinstance(section, dict) else {}


def _notes(data: DataCheck, comparisons: Sequence[Comparison], paired: set[Key]) -> Iterator[str]:
    if data.changes:
        yield f"\n**Not comparable**: the data changed ({listed(data.changes)}), so that nothing is better or worse."
    else:
        yield f"\nThe data are the same, by {data.evidence}."
    judged = {comparison.key for comparison in comparisons if comparison.interval is not None}
    if judged & paired:
        yield (
            f"\nIntervals of {len(judged & paired)} differences: paired by test author, from both runs' predictions."
        )
    if judged - paired:
        yield (
            f"\nIntervals of {len(judged - paired)} differences: from each run's own interval, as if the runs were "
            "independent, which is wider than need be: there are not both runs' predictions in the DVC cache, and a "
            "baseline leaves none."
        )
    if judged:
        yield "\nThey say what other test authors would give; that another seed trains another network comes on top."
