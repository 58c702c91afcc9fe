"""The sections in pictures, all runs in one each: levels, paired differences, learning curves, accuracy by length."""

from collections.abc import Mapping, Sequence

import pandas as pd

from lengthwise.reports.charts.frame import Caption
from lengthwise.reports.charts.plane import Series, line_chart
from lengthwise.reports.charts.rows import IntervalRow, interval_chart
from lengthwise.reports.differences import Difference, paired_differences, same_sequences
from lengthwise.reports.page.run_names import Source, by_task
from lengthwise.reports.page.scores import REFERENCE, length_line
from lengthwise.reports.page.section import PageSection
from lengthwise.reports.run import LEVELS_COLUMNS
from lengthwise.reports.words import count, hue_of_difference, level_heading, of_size, ranged, records, signed


def levels(sources: Sequence[Source]) -> PageSection:
    """The accuracies of all runs at all levels, a picture a task."""
    charts = []
    for task, having in by_task(sources):
        tables = {source.letter: _accuracies(source, task) for source in having}
        names = list(dict.fromkeys(level for table in tables.values() for level in table["level"]))
        groups = {}
        for name in names:
            sizes = {
                source.letter: source.run.size(name) for source in having if name in set(tables[source.letter]["level"])
            }
            rows = [
                IntervalRow(
                    source.label,
                    row.value,
                    row.low,
                    row.high,
                    source.hue,
                    f"n = {count(sizes[source.letter])}",
                )
                for source in having
                for row in records(tables[source.letter])
                if row.level == name
            ]
            groups[_heading(name, sizes)] = [*_linear(having, name), *rows]
        said = "; ".join(
            f"{row.label}: {ranged(row.value, row.low, row.high)}" for group in groups.values() for row in group
        )
        charts.append(interval_chart(Caption(f"Accuracy of {task}", said), groups, "accuracy"))
    text = [
        "Lines are each run's own intervals over resamples of its test authors. The paired differences below say "
        "whether one run is better than another."
    ]
    return PageSection("levels", "Levels", text, charts)


def curves(sources: Sequence[Source]) -> PageSection:
    """Accuracy and loss by epoch, a picture a task and figure."""
    charts, split = [], "validation"
    tables: dict[str, list[pd.DataFrame]] = {}
    if not all(source.run.figures("shards.json")["validation_rows"] for source in sources):
        split = "train"
    for task, having in by_task(sources):
        for figure, label in (("accuracy", "accuracy"), ("loss", "loss in nats")):
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
        tables = [
            source.run.table(f"evaluate/{task}/by_length.csv", (), ("length", "count", "accuracy")) for source in having
        ]
        lines = [
            length_line(source.name, "length", table, source.hue, source.letter)
            for source, table in zip(having, tables, strict=True)
        ]
        said = f"Columns say how many sequences of {having[0].label} a point stands for."
        charts.append(
            line_chart(Caption(f"{task}: accuracy by length", said), lines, "tokens of the sequence", "accuracy")
        )
    text = [
        "The columns below the lines say how many sequences of the first run a point stands for. Where there are few, "
        "a point says little."
    ]
    return PageSection("length", "Length", text, charts)


def _accuracies(source: Source, task: str) -> pd.DataFrame:
    return _joint(source, f"evaluate/{task}/levels.csv")


def _joint(source: Source, file: str) -> pd.DataFrame:
    table = source.run.table(file, ("level", "metric"), LEVELS_COLUMNS)
    return table[table["metric"] == "accuracy"]


def _heading(level: str, sizes: Mapping[str, int]) -> str:
    """With the number of items, where all runs have as many."""
    (size, *others) = set(sizes.values())
    return level_heading(level, None if others else {level: size})


def _linear(sources: Sequence[Source], level: str) -> list[IntervalRow]:
    """The baseline, once for all runs that share it."""
    found: dict[tuple[float, float, float], list[str]] = {}
    for source in sources:
        for row in records(_joint(source, f"baselines/tables/{REFERENCE}/levels.csv")):
            if row.level == level:
                found.setdefault((row.value, row.low, row.high), []).append(source.letter)
    return [
        IntervalRow(REFERENCE if len(found) == 1 else f"{REFERENCE} of {', '.join(letters)}", *figures, "grey")
        for figures, letters in found.items()
    ]


def _paired(first: Source, source: Source, task: str) -> list[Difference] | str:
    """A run less the first, or why there is no such difference."""
    mine, its = source.run.predictions(task), first.run.predictions(task)
    for one, predictions in ((first, its), (source, mine)):
        if predictions is None:
            return f"{one.label}: its predictions are not at hand (dvc fetch gets them, if they were pushed)"
    unit = source.run.params("shards")["unit"]
    if mine is None or its is None or unit != first.run.params("shards")["unit"] or not same_sequences(mine, its):
        return f"{source.label}: it was tested on other sequences than {first.label}"
    return paired_differences(mine, its, source.run.shard_levels, first.run.params("evaluate")["confidence"])


def _differences_chart(task: str, first: Source, found: Sequence[tuple[Source, list[Difference]]]) -> str:
    groups: dict[str, list[IntervalRow]] = {}
    said = []
    for source, pair in found:
        for one in pair:
            size = {one.level: one.items}
            note = of_size(one.level, size)
            row = IntervalRow(source.label, one.value, one.low, one.high, hue_of_difference(one), note)
            groups.setdefault(level_heading(one.level, size), []).append(row)
            said.append(f"{source.label} by {one.level}: {signed(one)}")
    caption = Caption(f"{task}: accuracy less that of {first.letter}", "; ".join(said))
    return interval_chart(caption, groups, "difference", signed=True)
