"""The sections on the test split: figures with intervals, confusion, figures by length and by time step."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lengthwise.charts.frame import Caption
from lengthwise.charts.matrix import matrix_chart
from lengthwise.charts.plane import Series, line_chart
from lengthwise.charts.rows import IntervalRow, interval_chart
from lengthwise.core.names import EVERY_STEP_TASKS, STEP_TASKS
from lengthwise.evaluation.baseline_names import model_of
from lengthwise.reports.metric_words import LESS, is_less_better, metric_axis, metric_phrase, metric_title
from lengthwise.reports.page.section import PageSection
from lengthwise.reports.words import (
    count,
    hue_of,
    level_heading,
    of_size,
    percent,
    ranged,
    records,
)
from lengthwise.runs.rivals import Differences, Rivals, resampled_groups
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import METRICS
from lengthwise.runs.scored_items import Difference

MOST_POINTS = 40
# A matrix of more cannot be read; the table has them all.
MOST_CLASSES = 40


def results(rivals: Rivals) -> PageSection:
    """Every metric with intervals, at all levels, and the paired differences."""
    levels = rivals.levels
    text = [_verdict(rivals, level) for level in rivals.first_metric]
    text.append(_intervals(rivals))
    charts = [_metric_chart(rivals, metric) for metric in rivals.metrics]
    if rivals.differences:
        charts.append(_differences_chart(rivals.differences))
    else:
        text.append(
            "There are no paired differences, since the predictions of this run are not at hand: dvc pull gets them."
        )
    shown = levels[~levels["metric"].str.startswith("recall ")]
    return PageSection("results", "Results", text, charts, {"All figures": shown})


def _intervals(rivals: Rivals) -> str:
    confidence, resampled = 100 * rivals.run.params("evaluate")["confidence"], resampled_groups(rivals.run)
    return (
        f"Lines are {confidence:g} % intervals over resamples of {resampled}: how far a figure would move with other "
        f"{resampled.rpartition(' ')[2]}, not with another training run."
    )


def first_chart(rivals: Rivals) -> str:
    """The metric that stands first, of all models at all levels."""
    return _metric_chart(rivals, rivals.metrics[0])


def _metric_chart(rivals: Rivals, metric: str) -> str:
    is_joint = any(name.endswith("_accuracy") for name in rivals.metrics)
    return _levels_chart(rivals.levels, metric, metric_title(metric, is_joint), metric_axis(metric), rivals.sizes)


def accuracy_chart(levels: pd.DataFrame, metric: str = "accuracy", sizes: Mapping[str, int] | None = None) -> str:
    """An accuracy of all models at all levels; of the joint class, or of one label factor."""
    return _levels_chart(levels, metric, metric_title(metric, is_joint=True), "accuracy", sizes)


def _levels_chart(
    levels: pd.DataFrame, metric: str, title: str, label: str, sizes: Mapping[str, int] | None = None
) -> str:
    chosen = levels[levels["metric"] == metric]
    groups = {
        level_heading(str(level), sizes): [
            IntervalRow(model_of(r.model), r.value, r.low, r.high, hue_of(r.model), of_size(str(level), sizes))
            for r in records(rows)
        ]
        for level, rows in chosen.groupby("level", sort=False)
    }
    return interval_chart(Caption(title), groups, label)


def difference_row(label: str, of: Difference) -> IntervalRow:
    """A difference as a row: green where it is better, orange where it is worse, grey where nobody knows."""
    is_better = (of.value > 0) != is_less_better(of.metric)
    hue = ("green" if is_better else "orange") if of.clear else "grey"
    return IntervalRow(label, of.value, of.low, of.high, hue, f"n = {count(of.items)}")


def _differences_chart(differences: Differences) -> str:
    every = [d for found in differences.values() for d in found]
    are_accuracies = {d.metric for d in every} == {"accuracy"}

    def name(d: Difference) -> str:
        return f"by {d.level}" if are_accuracies else f"{metric_axis(d.metric)} by {d.level}"

    groups = {
        f"{model_of(one)} less {model_of(other)}": [difference_row(name(d), d) for d in found]
        for (one, other), found in differences.items()
    }
    title = "Paired differences in accuracy" if are_accuracies else "Paired differences"
    return interval_chart(Caption(title), groups, "difference", signed=True)


def _verdict(rivals: Rivals, level: str) -> str:
    """The better network beside the other one and the strongest baseline at a level."""
    metric = rivals.first_metric[level]
    chosen = rivals.levels[(rivals.levels["level"] == level) & (rivals.levels["metric"] == metric)]
    rows = {row.model: row for row in records(chosen)}
    networks = [rows[task] for task in rivals.tasks]
    best = (min if is_less_better(metric) else max)(networks, key=lambda row: row.value)
    size = of_size(level, rivals.sizes)
    begin = f"By {level} ({size})," if size else f"By {level},"
    subject = f"the better network is {best.model} with" if len(networks) > 1 else f"{best.model} has"
    said = f"{begin} {subject} {metric_phrase(metric, ranged(best.value, best.low, best.high))}."
    for other in (*(task for task in rivals.tasks if task != best.model), *rivals.baselines[-1:]):
        if other not in rows:
            continue
        gain = best.value - rows[other].value
        name = other if other in rivals.tasks else f"the {model_of(other)} baseline"
        order = "above" if gain > 0 else "below" if gain < 0 else "equal to"
        value = "" if gain == 0 else f"{abs(gain):.3f} "
        said += f" It is {value}{order} {name}"
        if gain:
            said += _paired_words(rivals.differences, level, best.model, other)
        said += f"; {LESS}." if is_less_better(metric) else "."
    return said


def _paired_words(differences: Differences, level: str, one: str, other: str) -> str:
    """The interval of one model's figure less another's, if it is known."""
    pairs = {pair: d for pair, found in differences.items() for d in found if d.level == level}
    if (pair := pairs.get((one, other))) is not None:
        ends = (pair.low, pair.high)
    elif (pair := pairs.get((other, one))) is not None:
        ends = (-pair.high, -pair.low)
    else:
        return ""
    low, high = (f"{end:+.3f}".replace("-", "−") for end in ends)
    return f" (paired interval {low} to {high}{'' if pair.clear else ': either may be better'})"


def confusion(rivals: Rivals) -> PageSection | None:
    """What each class is taken for, by the networks at all levels; None where nothing has a class."""
    text = ["A row is an actual class; its cells say in percent what it was taken for."]
    charts: list[str] = []
    tables: dict[str, pd.DataFrame] = {}
    places = [(level, task) for level in rivals.first_metric for task in rivals.tasks]
    files = {(level, task): f"evaluate/{task}/confusion_{level}.csv" for level, task in places}
    with_classes = {level for (level, _), name in files.items() if rivals.run.has(name)}
    for (level, task), name in files.items():
        if level not in with_classes:
            continue
        pairs = rivals.run.table(name, ("actual", "predicted"), ("count",))
        names = list(dict.fromkeys(pairs["actual"]))
        wide = pairs.pivot_table(index="actual", columns="predicted", values="count", aggfunc="sum", fill_value=0)
        counts = wide.reindex(index=names, columns=names, fill_value=0).astype(int)
        said = _confused(task, level, counts)
        text += [said] if len(tables) < len(rivals.tasks) else []
        if len(names) <= MOST_CLASSES:
            caption = Caption(f"{task}, by {level}", said)
            charts.append(matrix_chart(caption, names, counts.to_numpy().tolist(), ("actual", "predicted")))
        tables[f"Counts of {task}, by {level}"] = counts.rename_axis(columns=None).reset_index()
    return PageSection("confusion", "Confusion", text, charts, tables) if tables else None


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


def by_length(rivals: Rivals) -> PageSection:
    """A figure by length of the sequence, and by the time step where networks predict at each."""
    run = rivals.run
    lengths = {task: table_by(run, task, "length") for task in rivals.tasks}
    steps = {task: table_by(run, task, "step") for task in rivals.tasks if task in EVERY_STEP_TASKS}
    text: list[str] = []
    charts: list[str] = []
    tables: dict[str, pd.DataFrame] = {}
    for of, key, axis, said_of in (
        (lengths, "length", "tokens of the sequence", _halves),
        (steps, "time step", "tokens read", _course),
    ):
        if of:
            text.append(" ".join(said_of(task, table) for task, table in of.items()))
            figure = next(iter(of.values())).columns[2]
            lines = [length_line(task, table, hue_of(task)) for task, table in of.items()]
            title = f"{figure.replace('_', ' ').capitalize()} by {key}"
            charts.append(line_chart(Caption(title, text[-1]), lines, axis, metric_axis(figure)))
            tables |= {f"By {key}: {task}": table for task, table in of.items()}
    text[-1] += (
        " The columns below the lines say how many predictions a point stands for: where there are few, it says little."
    )
    return PageSection("length", "Length and time", text, charts, tables)


def table_by(run: Run, task: str, key: str) -> pd.DataFrame:
    """A task's first figure by length or by step: columns key, count, and the figure by its name.

    Raises:
        FormatError: the table is absent or damaged.
    """
    name = f"evaluate/{task}/by_{key}.csv"
    # The figure has no name that is known before.
    others = [column for column in run.csv(METRICS + name).columns if column not in (key, "count")]
    return run.table(name, (), (key, "count", *(others[:1] or ["accuracy"])))


def _halves(task: str, table: pd.DataFrame) -> str:
    """The figure of the shorter and of the longer half."""
    middle = int(table["length"][table["count"].cumsum() * 2 >= table["count"].sum()].iloc[0])
    short, long = (table[part] for part in (table["length"] <= middle, table["length"] > middle))
    numbers = [count(part["count"].sum()) for part in (short, long)]
    if table.columns[2] != "accuracy":
        said = f"Of sequences of up to {count(middle, 'token')} {task} has {_figure(short)}"
        return said + (f", of longer ones {_figure(long)}." if len(long) else ".")
    what = "steps of sequences" if task in STEP_TASKS else "sequences"
    said = f"{task} is right in {_figure(short)} of the {numbers[0]} {what} of up to {count(middle, 'token')}"
    return said + (f" and in {_figure(long)} of the {numbers[1]} longer ones." if len(long) else ".")


def _course(task: str, steps: pd.DataFrame) -> str:
    first, *rest = (steps.iloc[[row]] for row in range(len(steps)))
    reached = [row for row in rest if row["count"].item() * 2 >= first["count"].item()]
    is_accuracy = steps.columns[2] == "accuracy"

    def at(row: pd.DataFrame) -> str:
        return f"in {_figure(row)} of {count(row['count'].item())} cases" if is_accuracy else f"with {_figure(row)}"

    verb = "is right" if is_accuracy else "predicts"
    said = f"After {count(first['step'].item(), 'token')} {task} {verb} {at(first)}"
    if not reached:
        return said + "."
    return said + f"; after token {reached[-1]['step'].item():.0f}, the last that half reach, {at(reached[-1])}."


def _figure(table: pd.DataFrame) -> str:
    """The mean of the figure: an accuracy as a percentage, another with its name."""
    name = table.columns[2]
    return percent(_mean(table)) if name == "accuracy" else metric_phrase(name, f"{_mean(table):.3f}")


def _mean(table: pd.DataFrame) -> float:
    return float(np.average(table.iloc[:, 2], weights=table["count"]))


def length_line(name: str, table: pd.DataFrame, classes: str, letter: str = "") -> Series:
    """At most `MOST_POINTS` points, neighbours pooled, each with its count."""
    parts = np.array_split(np.arange(len(table)), min(MOST_POINTS, len(table)))
    pooled = [table.iloc[part] for part in parts]
    middles = [float(np.average(part.iloc[:, 0], weights=part["count"])) for part in pooled]
    counts = [float(part["count"].sum()) for part in pooled]
    return Series(name, [round(middle, 1) for middle in middles], [*map(_mean, pooled)], classes, counts, letter)
