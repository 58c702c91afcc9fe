"""The sections in pictures, all runs in one each: levels, paired differences, learning curves, accuracy by length."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lengthwise.charts.frame import Caption
from lengthwise.charts.plane import Series, line_chart
from lengthwise.charts.rows import IntervalRow, interval_chart
from lengthwise.evaluation.baseline_names import model_of
from lengthwise.reports.metric_words import metric_axis
from lengthwise.reports.page.learning import learned_figures
from lengthwise.reports.page.scores import difference_row, length_line, table_by
from lengthwise.reports.page.section import PageSection
from lengthwise.reports.words import count, level_heading, records
from lengthwise.runs.rivals import Rivals
from lengthwise.runs.run_names import Source, by_task
from lengthwise.runs.scored_items import Difference, differences_of_runs, is_at_hand


def levels(sources: Sequence[Source]) -> PageSection:
    """The first metric of all runs at all levels, a picture a task."""
    charts = []
    for task, having in by_task(sources):
        of = {source.letter: Rivals(source.run, [task]) for source in having}
        names = list(dict.fromkeys(level for rivals in of.values() for level in rivals.first_metric))
        groups = {}
        for name in names:
            sizes = {letter: rivals.sizes.get(name) for letter, rivals in of.items() if name in rivals.first_metric}
            rows = [
                IntervalRow(source.label, row.value, row.low, row.high, source.hue, _of(sizes[source.letter]))
                for source in having
                for row in _first(of[source.letter], task, name)
            ]
            groups[_heading(name, sizes)] = [*_strongest(of, name), *rows]
        metric = metric_axis(next(iter(of[having[0].letter].first_metric.values())))
        charts.append(interval_chart(Caption(f"{metric[0].upper()}{metric[1:]} of {task}"), groups, metric))
    text = [
        "Lines are each run's own intervals over resamples of its test authors. The paired differences below say "
        "whether one run is better than another."
    ]
    return PageSection("levels", "Levels", text, charts)


def curves(sources: Sequence[Source]) -> PageSection:
    """What each epoch says, a picture a task and figure."""
    charts, split = [], "validation"
    tables: dict[str, list[pd.DataFrame]] = {}
    if not all(source.run.figures("shards.json")["validation_rows"] for source in sources):
        split = "train"
    for task, having in by_task(sources):
        for figure, label in learned_figures(having[0].run, task).items():
            lines = []
            for source in having:
                epochs = source.run.table(f"train/{task}/epochs.csv", (), ("epoch", f"{split}_{figure}"))
                points = (epochs["epoch"].tolist(), epochs[f"{split}_{figure}"].tolist())
                lines.append(Series(source.name, *points, source.hue, letter=source.letter))
                named = epochs.rename(columns={f"{split}_{figure}": source.label}).set_index("epoch")
                tables.setdefault(f"{task}: {split} {figure}", []).append(named)
            last = "; ".join(f"{line.letter} {line.name} ends at {line.y[-1]:.3f}" for line in lines)
            charts.append(line_chart(Caption(f"{task}: {split} {figure}", last), lines, "epoch", label))
    shown = {name: pd.concat(found, axis=1).reset_index() for name, found in tables.items()}
    return PageSection("curves", "Learning curves", [f"Of the {split} sequences, after each epoch."], charts, shown)


def differences(sources: Sequence[Source]) -> PageSection:
    """Each run less the first, on the same test sequences."""
    first = sources[0]
    charts, without = [], []
    for task, having in by_task(sources):
        if first not in having:
            continue
        found: list[tuple[Source, list[Difference]]] = []
        for source in having[1:]:
            pair = _paired(first, source, task)
            if isinstance(pair, str):
                without.append(f"{task}: {pair}")
            else:
                found.append((source, pair))
        if found:
            charts.append(_differences_chart(task, first, found))
    text = [_explained(first)] if charts else []
    if without:
        text.append(f"There is no paired difference for {'; '.join(without)}.")
    return PageSection("differences", "Paired differences", text, charts)


def _explained(first: Source) -> str:
    confidence = 100 * first.run.params("evaluate")["confidence"]
    return (
        f"Each run less {first.label}, both scored on the same test sequences. Lines are {confidence:g} % "
        "intervals of the difference, paired by test author: what is hard for both runs cancels out. Green is better, "
        "orange is worse, grey may be either. Another seed trains another network: the intervals do not see that."
    )


def by_length(sources: Sequence[Source]) -> PageSection:
    """Accuracy by length, a picture a task."""
    charts = []
    for task, having in by_task(sources):
        tables = [table_by(source.run, task, "length") for source in having]
        lines = [
            length_line(source.name, table, source.hue, source.letter)
            for source, table in zip(having, tables, strict=True)
        ]
        said = f"Columns say how many sequences of {having[0].label} a point stands for."
        metric = metric_axis(tables[0].columns[2])
        charts.append(line_chart(Caption(f"{task}: {metric} by length", said), lines, "tokens of the sequence", metric))
    text = [
        "The columns below the lines say how many sequences of the first run a point stands for. Where there are few, "
        "a point says little."
    ]
    return PageSection("length", "Length", text, charts)


def _first(of: Rivals, model: str, level: str) -> list[Any]:
    """The row of a model's first metric at a level."""
    table = of.levels
    is_it = (table["model"] == model) & (table["level"] == level) & (table["metric"] == of.first_metric.get(level))
    return records(table[is_it])


def _of(size: int | None) -> str:
    return "" if size is None else f"n = {count(size)}"


def _heading(level: str, sizes: Mapping[str, int | None]) -> str:
    """With the number of items, where all runs have as many."""
    (size, *others) = set(sizes.values())
    return level_heading(level, None if others or size is None else {level: size})


def _strongest(of: Mapping[str, Rivals], level: str) -> list[IntervalRow]:
    """The strongest baseline, once for all runs that share it."""
    found: dict[tuple[str, float, float, float], list[str]] = {}
    for letter, rivals in of.items():
        for model in rivals.baselines[-1:]:
            for row in _first(rivals, model, level):
                found.setdefault((model_of(model), row.value, row.low, row.high), []).append(letter)
    return [
        IntervalRow(name if len(found) == 1 else f"{name} of {', '.join(letters)}", value, low, high, "grey")
        for (name, value, low, high), letters in found.items()
    ]


def _paired(first: Source, source: Source, task: str) -> list[Difference] | str:
    """A run less the first, or why there is no such difference."""
    for one in (first, source):
        if not is_at_hand(one.run, task):
            return f"{one.label}: its predictions are not at hand (dvc fetch gets them, if they were pushed)"
    found = differences_of_runs(source.run, first.run, task, first.run.params("evaluate")["confidence"])
    if found is None:
        return f"{source.label}: it was tested on other sequences than {first.label}"
    metrics = Rivals(source.run, [task]).first_metric
    return [one for one in found if metrics.get(one.level) == one.metric]


def _differences_chart(task: str, first: Source, found: Sequence[tuple[Source, list[Difference]]]) -> str:
    groups: dict[str, list[IntervalRow]] = {}
    for source, pair in found:
        for one in pair:
            heading = level_heading(one.level, {one.level: one.items})
            groups.setdefault(heading, []).append(difference_row(source.label, one))
    metric = metric_axis(found[0][1][0].metric)
    return interval_chart(Caption(f"{task}: {metric} less that of {first.letter}"), groups, "difference", signed=True)
