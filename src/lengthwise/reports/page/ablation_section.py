"""The section on what each technique is worth: one change at a time, the same seeds, intervals."""

import pandas as pd

from lengthwise.charts.frame import Caption
from lengthwise.charts.rows import Bar, IntervalRow, bar_chart, interval_chart
from lengthwise.reports.page.section import PageSection
from lengthwise.reports.words import count, listed, records
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import parsed_yaml

TABLE = "ablations.csv"
# Which sequences they were trained on.
ABLATIONS_LOCK, SHARDS = "ablations/dvc.lock", "data/shards"
TIMES = "timing_ablations.csv"
TEXTS = ("name", "changes", "seeds")
NUMBERS = ("accuracy", "accuracy_spread", "difference", "low", "high", "nll", "padding_share", "steps_to_accuracy")


def ablations(run: Run) -> PageSection:
    """Differences to the full model, or how to get them: they take long and are no part of a run."""
    heading = ("ablations", "Ablations")
    if not run.has(TABLE) or not _is_of_these_data(run):
        return PageSection(
            *heading,
            ["No ablations have been run. This runs them, and makes this page again:"],
            code="make ablations report",
        )
    table = run.table(TABLE, TEXTS, NUMBERS, gaps=True)
    changed = table.dropna(subset=["difference", "low", "high"])
    said = _verdict(changed)
    text = [
        "Each row changes one thing of the full model and trains it with the same seeds; the line is the 95 % interval "
        "of the paired difference in the classifier's accuracy on test sentences.",
        said,
    ]
    rows = [
        IntervalRow(row.name, row.difference, row.low, row.high, _hue(row.low, row.high)) for row in records(changed)
    ]
    charts = []
    if rows:
        caption = Caption("Accuracy less that of the full model", said)
        charts.append(interval_chart(caption, {"": rows}, "difference in accuracy", signed=True))
    if run.has(TIMES):
        times = run.table(TIMES, ("name",), ("relative",), gaps=True).dropna()
        bars = [Bar(row.name, row.relative, f"{row.relative:.2f}", "grey") for row in records(times)]
        caption = Caption("Time of an epoch", "As a multiple of the full model's, on this machine.")
        charts += [bar_chart(caption, bars, "multiple of the full model's")] if bars else []
    return PageSection(*heading, text, charts, {"All ablations": table})


def _hue(low: float, high: float) -> str:
    return "orange" if high < 0 else "green" if low > 0 else "grey"


def _is_of_these_data(run: Run) -> bool:
    """Whether the ablations were trained on the run's sequences, as far as their lock is there to say."""
    stages = parsed_yaml(run.files[ABLATIONS_LOCK]).get("stages", {}) if ABLATIONS_LOCK in run.files else {}
    deps = stages.get("ablations", {}).get("deps", [])
    trained_on = next((entry.get("md5") for entry in deps if entry.get("path") == SHARDS), None)
    return trained_on is None or trained_on == run.digest(SHARDS)


def _verdict(changed: pd.DataFrame) -> str:
    worse = changed.loc[changed["high"] < 0, "name"].tolist()
    better = changed.loc[changed["low"] > 0, "name"].tolist()
    undecided = len(changed) - len(worse) - len(better)
    said = [
        f"Worse than the full model: {listed(worse)}." if worse else "None is worse than the full model.",
        f"Better: {listed(better)}." if better else "None is better.",
    ]
    if undecided:
        said.append(f"Of {count(undecided, 'ablation')} the interval includes zero: these seeds cannot tell.")
    return " ".join(said)
