"""The sections on the test split: accuracies with intervals, confusion, accuracy by length and by time step."""

import numpy as np
import pandas as pd

from lengthwise.reports.charts.frame import Caption
from lengthwise.reports.charts.matrix import matrix_chart
from lengthwise.reports.charts.plane import Series, line_chart
from lengthwise.reports.charts.rows import Interval, interval_chart
from lengthwise.reports.run import TASKS, Run
from lengthwise.reports.sections.section import Section, count, hue_of, percent, ranged, records

REFERENCE = "linear"
MOST_POINTS = 40


def results(run: Run) -> Section:
    """Every accuracy and the likelihood, with intervals, at all levels."""
    levels = run.levels
    metrics = [name for name in dict.fromkeys(levels["metric"]) if name.endswith("accuracy")]
    confidence = 100 * run.params("evaluate")["confidence"]
    text = [_verdict(levels, level) for level in dict.fromkeys(levels["level"])]
    authors = count(run.figures("split.json")["test_authors"])
    text.append(
        f"Lines are {confidence:g} % intervals over resamples of {authors} test authors: how far a figure would move "
        "with other authors, not with another training run."
    )
    charts = [accuracy_chart(levels, metric) for metric in metrics]
    charts.append(_levels_chart(levels, "nll", "Negative log-likelihood: less is better", "nats"))
    shown = levels[levels["metric"].isin([*metrics, "nll", "macro_f1"])]
    return Section("results", "Results", text, charts, {"All figures": shown})


def accuracy_chart(levels: pd.DataFrame, metric: str = "accuracy") -> str:
    """An accuracy of all models at all levels; of the joint class, or of one label factor."""
    factor = metric.removesuffix("accuracy").strip("_").replace("_", " ")
    return _levels_chart(levels, metric, f"Accuracy of {factor or 'the joint class'}", "accuracy")


def _levels_chart(levels: pd.DataFrame, metric: str, title: str, label: str) -> str:
    chosen = levels[levels["metric"] == metric]
    groups = {
        f"by {level}": [Interval(r.model, r.value, r.low, r.high, hue_of(r.model)) for r in records(rows)]
        for level, rows in chosen.groupby("level", sort=False)
    }
    said = "; ".join(f"{row.level}, {row.model}: {ranged(row.value, row.low, row.high)}" for row in records(chosen))
    return interval_chart(Caption(title, said), groups, label)


def _verdict(levels: pd.DataFrame, level: str) -> str:
    """The better network beside the linear baseline at a level."""
    chosen = levels[(levels["level"] == level) & (levels["metric"] == "accuracy")]
    rows = {row.model: row for row in records(chosen)}
    best = max((rows[task] for task in TASKS), key=lambda row: row.value)
    other = rows[REFERENCE]
    apart = best.low > other.high or best.high < other.low
    order = "above" if best.value > other.value else "below" if best.value < other.value else "equal to"
    return (
        f"By {level}, the better network is {best.model} with an accuracy of {ranged(best.value, best.low, best.high)}"
        f", {order} the linear baseline's {ranged(other.value, other.low, other.high)}; the intervals "
        f"{'are apart' if apart else 'overlap'}."
    )


def confusion(run: Run) -> Section:
    """What each class is taken for, by both networks at all levels."""
    text = ["A row is an actual class; its cells say in percent what it was taken for."]
    charts, tables = [], {}
    for level in dict.fromkeys(run.levels["level"]):
        for task in TASKS:
            pairs = run.table(f"evaluate/{task}/confusion_{level}.csv", ("actual", "predicted"), ("count",))
            names = list(dict.fromkeys(pairs["actual"]))
            wide = pairs.pivot_table(index="actual", columns="predicted", values="count", aggfunc="sum", fill_value=0)
            counts = wide.reindex(index=names, columns=names, fill_value=0).astype(int)
            said = _confused(task, level, counts)
            caption = Caption(f"{task}, by {level}", said)
            charts.append(matrix_chart(caption, names, counts.to_numpy().tolist(), ("actual", "predicted")))
            text += [said] if len(charts) <= len(TASKS) else []
            tables[f"Counts of {task}, by {level}"] = counts.rename_axis(columns=None).reset_index()
    return Section("confusion", "Confusion", text, charts, tables)


def _confused(task: str, level: str, counts: pd.DataFrame) -> str:
    shares = counts.div(counts.sum(axis=1).replace(0, np.nan), axis=0).dropna()
    right = {str(name): float(shares.loc[name, name]) for name in shares.index}
    best, worst = max(right, key=lambda name: right[name]), min(right, key=lambda name: right[name])
    taken_for = shares.loc[worst].drop(worst).idxmax()
    return (
        f"By {level}, {task} knows {best} best: {percent(right[best])} are recognised. It knows {worst} least, with "
        f"{percent(right[worst])}, and takes it most often for {taken_for}."
    )


def by_length(run: Run) -> Section:
    """Accuracy by length of the sequence, and by the time step at which seq2seq is asked."""
    lengths = {task: run.table(f"evaluate/{task}/by_length.csv", (), ("length", "count", "accuracy")) for task in TASKS}
    steps = run.table("evaluate/seq2seq/by_step.csv", (), ("step", "count", "accuracy"))
    halves, course = " ".join(_halves(task, table) for task, table in lengths.items()), _course(steps)
    lines = [_line(task, "length", table) for task, table in lengths.items()]
    charts = [
        line_chart(Caption("Accuracy by length", halves), lines, "tokens of the sequence", "accuracy"),
        line_chart(
            Caption("Accuracy by time step", course), [_line("seq2seq", "step", steps)], "tokens read", "accuracy"
        ),
    ]
    tables = {f"By length: {task}": table for task, table in lengths.items()} | {"By time step: seq2seq": steps}
    warning = "Long sequences are few: the right ends of the lines say little."
    return Section("length", "Length and time", [halves, f"{course} {warning}"], charts, tables)


def _halves(task: str, table: pd.DataFrame) -> str:
    """Accuracy of the shorter and of the longer half."""
    middle = int(table["length"][table["count"].cumsum() * 2 >= table["count"].sum()].iloc[0])
    short, long = (table[part] for part in (table["length"] <= middle, table["length"] > middle))
    said = f"{task} is right in {percent(_mean(short))} of the sequences of up to {count(middle, 'token')}"
    return said + (f" and in {percent(_mean(long))} of the longer ones." if len(long) else ".")


def _course(steps: pd.DataFrame) -> str:
    first, *rest = records(steps)
    reached = [row for row in rest if row.count * 2 >= first.count]
    said = f"Asked after the first token, seq2seq is right in {percent(first.accuracy)} of the sequences"
    if not reached:
        return said + "."
    return (
        said
        + f"; after token {reached[-1].step:.0f}, the last that half of them reach, in {percent(reached[-1].accuracy)}."
    )


def _mean(table: pd.DataFrame) -> float:
    return float(np.average(table["accuracy"], weights=table["count"]))


def _line(task: str, axis: str, table: pd.DataFrame) -> Series:
    """At most `MOST_POINTS` points, neighbours pooled."""
    parts = np.array_split(np.arange(len(table)), min(MOST_POINTS, len(table)))
    pooled = [table.iloc[part] for part in parts]
    middles = [float(np.average(part[axis], weights=part["count"])) for part in pooled]
    return Series(task, middles, [_mean(part) for part in pooled], hue_of(task))
