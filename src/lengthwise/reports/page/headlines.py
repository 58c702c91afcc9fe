"""The sections in tables: who the runs are, in which params they differ, what they cost."""

import json
from collections.abc import Mapping, Sequence

from lengthwise.reports.metric_words import metric_axis
from lengthwise.reports.page.section import PageSection, part
from lengthwise.reports.words import count, percent, records
from lengthwise.runs.rivals import Rivals
from lengthwise.runs.run import LEVELS_COLUMNS
from lengthwise.runs.run_names import Source, by_task

# Of params.yaml; what else is there is the ablations'.
PARAMS = ("ingest", "tokens", "split", "vocabulary", "shards", "train", "baselines", "evaluate")
ABSENT = "–"
# Title, columns, and a row of cells for each run; a cell's lines below the first are small.
RunTable = tuple[str, Sequence[str], Sequence[tuple[Source, Sequence[str]]]]


def runs(sources: Sequence[Source]) -> PageSection:
    """Who they are, and the headline of each task."""
    tables = [_headline(task, having) for task, having in by_task(sources)]
    return PageSection("runs", "Runs", [], blocks=[part("runs", runs=sources), part("tables", tables=tables)])


def params(sources: Sequence[Source]) -> PageSection:
    """The params that differ, each with its values."""
    every = [(source, source.run.all_params) for source in sources]
    keys = sorted({key for _, found in every for key in found if key.split(".")[0] in PARAMS})
    differing = {}
    for key in keys:
        # Each value once, with the runs that have it.
        values: dict[str, list[Source]] = {}
        for source, found in every:
            values.setdefault(_value(found[key]) if key in found else ABSENT, []).append(source)
        if len(values) > 1:
            differing[key] = values
    if not differing:
        return PageSection("params", "Params", ["All params are the same."])
    said = f"Of {count(len(keys), 'param')} {count(len(differing))} differ{'s' if len(differing) == 1 else ''}."
    return PageSection("params", "Params that differ", [said], blocks=[part("params", differing=differing)])


def cost(sources: Sequence[Source]) -> PageSection:
    """Size, steps, padding and time."""
    tables: list[RunTable] = [
        (
            f"{task}: training",
            ["parameters", "steps", "padding", "seconds"],
            [(source, _cost_cells(source, task)) for source in having],
        )
        for task, having in by_task(sources)
    ]
    text = ["Padding is the share of an epoch's time steps. Seconds may be of different machines."]
    return PageSection("cost", "Cost", text, blocks=[part("tables", tables=tables)])


def _cost_cells(source: Source, task: str) -> list[str]:
    figures, timing = source.run.figures(f"train/{task}/cost.json"), source.run.timing(f"train_{task}")
    seconds = ABSENT if timing is None else f"{timing['seconds']:,.1f}"
    return [count(figures["parameters"]), count(figures["steps"]), percent(figures["padding_share"]), seconds]


def _headline(task: str, sources: Sequence[Source]) -> RunTable:
    """The first metric of each level with its n, and the likelihood of the finest."""
    figures = [_headline_figures(task, source) for source in sources]
    columns = sorted(dict.fromkeys(name for row in figures for name in row), key=lambda name: name == "nats")
    sizes = {name: {row[name][1] for row in figures if name in row} for name in columns}
    # One n of all runs stands in the heading; where they differ, each stands below its figure.
    heads = [f"{name}\n{next(iter(sizes[name]))}" if len(sizes[name]) == 1 else name for name in columns]
    rows = []
    for source, row in zip(sources, figures, strict=True):
        pairs = [(name, *row.get(name, (ABSENT, ""))) for name in columns]
        rows.append((source, [f"{value}\n{size}" if len(sizes[name]) > 1 else value for name, value, size in pairs]))
    metric = metric_axis(next(iter(Rivals(sources[0].run, [task]).first_metric.values())))
    return f"{task}: {metric} on the test split", heads, rows


def _headline_figures(task: str, source: Source) -> Mapping[str, tuple[str, str]]:
    """By level its first metric and n; `nats` is the likelihood of the finest level, where it has one."""
    table = source.run.table(f"evaluate/{task}/levels.csv", ("level", "metric"), LEVELS_COLUMNS)
    of = Rivals(source.run, [task])
    figures = {}
    for row in records(table):
        if of.first_metric.get(row.level) == row.metric:
            size = f"n {count(of.sizes[row.level])}" if row.level in of.sizes else ""
            figures[row.level] = (f"{row.value:.3f}", size)
    finest = table[(table["metric"] == "nll") & (table["level"] == table["level"].iloc[0])]
    return figures | ({"nats": (f"{finest['value'].iloc[0]:.3f}", "")} if len(finest) else {})


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
