"""The sections on the test split: accuracies with intervals, confusion, accuracy by length and by time step."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from lengthwise.names import LABEL_TASKS
from lengthwise.reports.charts.frame import Caption
from lengthwise.reports.charts.matrix import matrix_chart
from lengthwise.reports.charts.plane import Series, line_chart
from lengthwise.reports.charts.rows import IntervalRow, interval_chart
from lengthwise.reports.differences import Difference, paired_differences, same_sequences
from lengthwise.reports.page.section import PageSection
from lengthwise.reports.run import Run
from lengthwise.reports.words import (
    count,
    hue_of,
    hue_of_difference,
    level_heading,
    of_size,
    percent,
    ranged,
    records,
    signed,
)

REFERENCE = "linear"
MOST_POINTS = 40


def results(run: Run) -> PageSection:
    """Every accuracy and the likelihood, with intervals, at all levels, and the paired differences."""
    levels = run.levels
    metrics = [name for name in dict.fromkeys(levels["metric"]) if name.endswith("accuracy")]
    confidence = 100 * run.params("evaluate")["confidence"]
    sizes = {level: run.size(level) for level in dict.fromkeys(levels["level"])}
    differences = paired(run)
    text = [_verdict(levels, level, size, differences) for level, size in sizes.items()]
    authors = count(run.figures("split.json")["test_authors"])
    text.append(
        f"Lines are {confidence:g} % intervals over resamples of {authors} test authors: how far a figure would move "
        "with other authors, not with another training run."
    )
    charts = [accuracy_chart(levels, metric, sizes) for metric in metrics]
    charts.append(_levels_chart(levels, "nll", "Negative log-likelihood: less is better", "nats", sizes))
    if differences:
        charts.append(_differences_chart(differences))
    else:
        text.append(
            "There are no paired differences, since the predictions of this run are not at hand: dvc pull gets them."
        )
    shown = levels[levels["metric"].isin([*metrics, "nll", "macro_f1"])]
    return PageSection("results", "Results", text, charts, {"All figures": shown})


def accuracy_chart(levels: pd.DataFrame, metric: str = "accuracy", sizes: Mapping[str, int] | None = None) -> str:
    """An accuracy of all models at all levels; of the joint class, or of one label factor."""
    factor = metric.removesuffix("accuracy").strip("_").replace("_", " ")
    return _levels_chart(levels, metric, f"Accuracy of {factor or 'the joint class'}", "accuracy", sizes)


def _levels_chart(
    levels: pd.DataFrame, metric: str, title: str, label: str, sizes: Mapping[str, int] | None = None
) -> str:
    chosen = levels[levels["metric"] == metric]
    groups = {
        level_heading(str(level), sizes): [
            IntervalRow(r.model, r.value, r.low, r.high, hue_of(r.model), of_size(str(level), sizes))
            for r in records(rows)
        ]
        for level, rows in chosen.groupby("level", sort=False)
    }
    said = "; ".join(f"{row.level}, {row.model}: {ranged(row.value, row.low, row.high)}" for row in records(chosen))
    return interval_chart(Caption(title, said), groups, label)


Differences = dict[tuple[str, str], list[Difference]]


def paired(run: Run) -> Differences:
    """The differences in accuracy between the models whose predictions are at hand, by (one model, the other)."""
    found = {model: run.predictions(model) for model in (*LABEL_TASKS, REFERENCE)}
    known = {model: predictions for model, predictions in found.items() if predictions is not None}
    levels, confidence = run.shard_levels, run.params("evaluate")["confidence"]
    return {
        (one, other): paired_differences(known[one], known[other], levels, confidence)
        for other, one in combinations(known, 2)
        if same_sequences(known[one], known[other])
    }


def _differences_chart(differences: Differences) -> str:
    groups = {
        f"{one} less {other}": [
            IntervalRow(f"by {d.level}", d.value, d.low, d.high, hue_of_difference(d), f"n = {count(d.items)}")
            for d in found
        ]
        for (one, other), found in differences.items()
    }
    said = "; ".join(
        f"{one} less {other} by {d.level}: {signed(d)}" for (one, other), found in differences.items() for d in found
    )
    return interval_chart(Caption("Paired differences in accuracy", said), groups, "difference", signed=True)


def _verdict(levels: pd.DataFrame, level: str, size: int, differences: Differences) -> str:
    """The better network beside the other one and the linear baseline at a level."""
    chosen = levels[(levels["level"] == level) & (levels["metric"] == "accuracy")]
    rows = {row.model: row for row in records(chosen)}
    best = max((rows[task] for task in LABEL_TASKS), key=lambda row: row.value)
    said = (
        f"By {level} (n = {count(size)}), the better network is {best.model} with an accuracy of "
        f"{ranged(best.value, best.low, best.high)}."
    )
    (second,) = (task for task in LABEL_TASKS if task != best.model)
    pairs = {pair: d for pair, found in differences.items() for d in found if d.level == level}
    for other in (second, REFERENCE):
        gain = best.value - rows[other].value
        name = f"the {REFERENCE} baseline" if other == REFERENCE else other
        order = "above" if gain > 0 else "below" if gain < 0 else "equal to"
        value = "" if gain == 0 else f"{abs(gain):.3f} "
        said += f" It is {value}{order} {name}"
        if gain:
            said += _paired_words(pairs, best.model, other)
        said += "."
    return said


def _paired_words(pairs: Mapping[tuple[str, str], Difference], one: str, other: str) -> str:
    """The interval of one model's accuracy less another's, if it is known."""
    if (pair := pairs.get((one, other))) is not None:
        ends = (pair.low, pair.high)
    elif (pair := pairs.get((other, one))) is not None:
        ends = (-pair.high, -pair.low)
    else:
        return ""
    low, high = (f"{end:+.3f}".replace("-", "−") for end in ends)
    return f" (paired interval {low} to {high}{'' if pair.clear else ': either may be better'})"


def confusion(run: Run) -> PageSection:
    """What each class is taken for, by both networks at all levels."""
    text = ["A row is an actual class; its cells say in percent what it was taken for."]
    charts, tables = [], {}
    for level in dict.fromkeys(run.levels["level"]):
        for task in LABEL_TASKS:
            pairs = run.table(f"evaluate/{task}/confusion_{level}.csv", ("actual", "predicted"), ("count",))
            names = list(dict.fromkeys(pairs["actual"]))
            wide = pairs.pivot_table(index="actual", columns="predicted", values="count", aggfunc="sum", fill_value=0)
            counts = wide.reindex(index=names, columns=names, fill_value=0).astype(int)
            said = _confused(task, level, counts)
            caption = Caption(f"{task}, by {level}", said)
            charts.append(matrix_chart(caption, names, counts.to_numpy().tolist(), ("actual", "predicted")))
            text += [said] if len(charts) <= len(LABEL_TASKS) else []
            tables[f"Counts of {task}, by {level}"] = counts.rename_axis(columns=None).reset_index()
    return PageSection("confusion", "Confusion", text, charts, tables)


def _confused(task: str, level: str, counts: pd.DataFrame) -> str:
    shares = counts.div(counts.sum(axis=1).replace(0, np.nan), axis=0).dropna()
    right = {str(name): float(shares.loc[name, name]) for name in shares.index}
    sizes = {str(name): count(number) for name, number in counts.sum(axis=1).items()}
    best, worst = max(right, key=lambda name: right[name]), min(right, key=lambda name: right[name])
    taken_for = shares.loc[worst].drop(worst).idxmax()
    return (
        f"By {level}, {task} knows {best} best: it recognises {percent(right[best])} of {sizes[best]}. It knows "
        f"{worst} least, with {percent(right[worst])} of {sizes[worst]}, and takes it most often for {taken_for}."
    )


def by_length(run: Run) -> PageSection:
    """Accuracy by length of the sequence, and by the time step at which seq2seq is asked."""
    lengths = {
        task: run.table(f"evaluate/{task}/by_length.csv", (), ("length", "count", "accuracy")) for task in LABEL_TASKS
    }
    steps = run.table("evaluate/seq2seq/by_step.csv", (), ("step", "count", "accuracy"))
    halves, course = " ".join(_halves(task, table) for task, table in lengths.items()), _course(steps)
    lines = [length_line(task, "length", table, hue_of(task)) for task, table in lengths.items()]
    charts = [
        line_chart(Caption("Accuracy by length", halves), lines, "tokens of the sequence", "accuracy"),
        line_chart(
            Caption("Accuracy by time step", course),
            [length_line("seq2seq", "step", steps, hue_of("seq2seq"))],
            "tokens read",
            "accuracy",
        ),
    ]
    tables = {f"By length: {task}": table for task, table in lengths.items()} | {"By time step: seq2seq": steps}
    warning = (
        "The columns below the lines say how many sequences a point stands for: where there are few, it says little."
    )
    return PageSection("length", "Length and time", [halves, f"{course} {warning}"], charts, tables)


def _halves(task: str, table: pd.DataFrame) -> str:
    """Accuracy of the shorter and of the longer half."""
    middle = int(table["length"][table["count"].cumsum() * 2 >= table["count"].sum()].iloc[0])
    short, long = (table[part] for part in (table["length"] <= middle, table["length"] > middle))
    numbers = [count(part["count"].sum()) for part in (short, long)]
    said = f"{task} is right in {percent(_mean(short))} of the {numbers[0]} sequences of up to {count(middle, 'token')}"
    return said + (f" and in {percent(_mean(long))} of the {numbers[1]} longer ones." if len(long) else ".")


def _course(steps: pd.DataFrame) -> str:
    first, *rest = records(steps)
    reached = [row for row in rest if row.count * 2 >= first.count]
    said = (
        f"Asked after the first token, seq2seq is right in {percent(first.accuracy)} of the "
        f"{count(first.count)} sequences"
    )
    if not reached:
        return said + "."
    return (
        said + f"; after token {reached[-1].step:.0f}, the last that half of them reach, in "
        f"{percent(reached[-1].accuracy)} of {count(reached[-1].count)}."
    )


def _mean(table: pd.DataFrame) -> float:
    return float(np.average(table["accuracy"], weights=table["count"]))


def length_line(name: str, axis: str, table: pd.DataFrame, classes: str, letter: str = "") -> Series:
    """At most `MOST_POINTS` points, neighbours pooled, each with its count."""
    parts = np.array_split(np.arange(len(table)), min(MOST_POINTS, len(table)))
    pooled = [table.iloc[part] for part in parts]
    middles = [float(np.average(part[axis], weights=part["count"])) for part in pooled]
    counts = [float(part["count"].sum()) for part in pooled]
    return Series(name, [round(middle, 1) for middle in middles], [*map(_mean, pooled)], classes, counts, letter)
