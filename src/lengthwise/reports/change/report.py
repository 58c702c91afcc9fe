"""What a change did, in one Markdown report: the working tree compared with a Git revision.

docs/reports.md says how figures are judged.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from math import isclose, isfinite
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from lengthwise.errors import FormatError, RevisionError
from lengthwise.evaluation.metrics import item_scores
from lengthwise.evaluation.paired import Interval
from lengthwise.labels import LabelFactor, joint_class_names
from lengthwise.prepare.shards.reader import read_index
from lengthwise.prepare.shards.schema import ShardIndex
from lengthwise.reports.change.comparison import Comparison, Verdict, compare_all, overall
from lengthwise.reports.change.config_file import read_config
from lengthwise.reports.change.configured import report_as_configured
from lengthwise.reports.change.figures import Figure, Key, figures_of
from lengthwise.reports.change.not_run import not_run
from lengthwise.reports.change.report_frame import Report, finished, head_lines, listed, not_run_lines, verdict_lines
from lengthwise.reports.change.same_data import DataCheck, check_data
from lengthwise.reports.change.sections import (
    charts_section,
    cost_section,
    data_section,
    metrics_section,
    other_section,
    params_section,
)
from lengthwise.reports.differences import IDS, Difference, ShardLevels, paired_differences, same_sequences
from lengthwise.reports.places import resolve, run_at, with_cached
from lengthwise.reports.run import Run, run_in
from lengthwise.reports.run_files import METRICS, PREDICTIONS, TIMING, finite
from lengthwise.reports.scored_predictions import of_headline, task_differences

SHARDS = Path("data/shards")
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
    paired = {} if data.changes else _paired(runs, folder)
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
    return path.startswith((TIMING, PREDICTIONS))


def _of_same_confidence(old: Run, new: Run) -> dict[Key, Figure]:
    """The base's figures; intervals of another confidence than the working tree's cannot be set against these."""
    figures = figures_of(old)
    if _evaluate(old).get("confidence") == _evaluate(new).get("confidence"):
        return figures
    return {key: replace(figure, interval=None) for key, figure in figures.items()}


def _paired(runs: ComparedRuns, folder: Path) -> dict[Key, Interval]:
    """Intervals of the differences, as far as both runs' predictions are at hand and are those of the metrics."""
    try:
        index, confidence = read_index(folder / SHARDS), float(_evaluate(runs.new)["confidence"])
    except (FormatError, KeyError, TypeError, ValueError):
        return {}
    if not 0 < confidence < 1:
        return {}
    intervals: dict[Key, Interval] = {}
    for file in sorted({file for file, _ in runs.new_figures if EVALUATION.fullmatch(file)}):
        path = f"{PREDICTIONS}{Path(file).stem}.parquet"
        found = _differences(runs, path, index, confidence)
        if found and agrees(found, runs.old.json(METRICS + file), runs.new.json(METRICS + file)):
            intervals |= {(file, name): Interval(one.low, one.high) for name, one in found.items() if isfinite(one.low)}
    return intervals


def _differences(runs: ComparedRuns, path: str, index: ShardIndex, confidence: float) -> dict[str, Difference]:
    """Those of the headline's figures of a file of predictions; none if both runs do not have it of the same data."""
    levels = (index.unit, index.form.words)
    old, new = (predictions_at(side, path) for side in (runs.old, runs.new))
    if old is None or new is None:
        return {}
    if are_comparable(old, new, index.factors):
        return headline_differences(new, old, levels, index.factors, confidence)
    return of_headline(task_differences(runs.new.files[path], runs.old.files[path], levels, confidence) or [])


def predictions_at(run: Run, path: str) -> pd.DataFrame | None:
    """The predictions that a run has; None if they are not at hand or damaged."""
    try:
        return pd.read_parquet(BytesIO(run.files[path]))
    except (KeyError, OSError, FormatError, pa.ArrowException):
        return None


def are_comparable(old: pd.DataFrame, new: pd.DataFrame, factors: Sequence[LabelFactor]) -> bool:
    """Whether two predictions are of the same sequences and of all classes."""
    classes = len(joint_class_names(factors))
    return old.columns.equals(new.columns) and len(new.columns) == len(IDS) + classes and same_sequences(old, new)


def headline_differences(
    new: pd.DataFrame, old: pd.DataFrame, levels: ShardLevels, factors: Sequence[LabelFactor], confidence: float
) -> dict[str, Difference]:
    """The differences of the headline's figures, by its names: see `paired_differences`."""
    found = paired_differences(new, old, levels, confidence, lambda level: item_scores(level, factors))
    return of_headline(found)


def agrees(found: Mapping[str, Difference], old: Mapping[str, object], new: Mapping[str, object]) -> bool:
    """Whether the predictions are those that the metrics in Git were made from: these have six digits."""
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
