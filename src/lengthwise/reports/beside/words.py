"""The sections in words and tables: who the runs are, in which params they differ, what they cost."""

import json
from collections.abc import Mapping, Sequence
from html import escape

from lengthwise.reports.beside.identity import by_task, hue_of_run
from lengthwise.reports.beside.sources import Source
from lengthwise.reports.run import LEVELS_COLUMNS
from lengthwise.reports.sections.section import Section, count, percent, records

# Of params.yaml; what else is there is the ablations'.
SECTIONS = ("ingest", "tokens", "split", "vocabulary", "shards", "train", "baselines", "evaluate")
ABSENT = "–"
Row = tuple[Source, Sequence[str]]


def runs(sources: Sequence[Source]) -> Section:
    """Who they are, and the headline of each task."""
    items = "".join(
        f"<li>{_badge(source)} <span>"
        f"{escape(source.name)}</span>" + (f" <code>{source.commit[:7]}</code>" if source.commit else "") + "</li>\n"
        for source in sources
    )
    tables = "".join(_headline(task, having) for task, having in by_task(sources))
    return Section(
        "runs", "Runs", [], blocks=[f'<ul class="runs">\n{items}</ul>\n', f'<div class="blocks">\n{tables}</div>\n']
    )


def params(sources: Sequence[Source]) -> Section:
    """The params that differ, each with its values."""
    every = {source.letter: source.run.all_params for source in sources}
    keys = sorted({key for found in every.values() for key in found if key.split(".")[0] in SECTIONS})
    differing = {}
    for key in keys:
        values = {letter: _value(found[key]) if key in found else ABSENT for letter, found in every.items()}
        if len(set(values.values())) > 1:
            differing[key] = values
    if not differing:
        return Section("params", "Params", ["All params are the same."])
    said = f"Of {count(len(keys), 'param')} {count(len(differing))} differ{'s' if len(differing) == 1 else ''}."
    rows = "".join(
        f"<dt><code>{escape(key)}</code></dt>\n<dd>{_chips(values, sources)}</dd>\n"
        for key, values in differing.items()
    )
    return Section("params", "Params that differ", [said], blocks=[f'<dl class="params">\n{rows}</dl>\n'])


def cost(sources: Sequence[Source]) -> Section:
    """Size, steps, padding and time."""
    tables = ""
    for task, having in by_task(sources):
        rows = []
        for source in having:
            figures, timing = source.run.figures(f"train/{task}/cost.json"), source.run.timing(f"train_{task}")
            seconds = ABSENT if timing is None else f"{timing['seconds']:,.1f}"
            rows.append(
                (
                    source,
                    [count(figures["parameters"]), count(figures["steps"]), percent(figures["padding_share"]), seconds],
                )
            )
        tables += _block(f"{task}: training", _table(["parameters", "steps", "padding", "seconds"], rows))
    text = ["Padding is the share of an epoch's time steps. Seconds may be of different machines."]
    return Section("cost", "Cost", text, blocks=[f'<div class="blocks">\n{tables}</div>\n'])


def _headline(task: str, sources: Sequence[Source]) -> str:
    """Accuracies by level with their n, and the likelihood of the finest."""
    figures: list[dict[str, tuple[str, str]]] = []
    for source in sources:
        table = source.run.table(f"evaluate/{task}/levels.csv", ("level", "metric"), LEVELS_COLUMNS)
        accuracies = records(table[table["metric"] == "accuracy"])
        row = {r.level: (f"{r.value:.3f}", f"n {count(source.run.size(r.level))}") for r in accuracies}
        finest = table[(table["metric"] == "nll") & (table["level"] == table["level"].iloc[0])]
        row["nats"] = (f"{finest['value'].iloc[0]:.3f}" if len(finest) else ABSENT, "")
        figures.append(row)
    columns = sorted(dict.fromkeys(name for row in figures for name in row), key=lambda name: name == "nats")
    sizes = {name: {row[name][1] for row in figures if name in row} for name in columns}
    # One n of all runs stands in the heading; where they differ, each stands below its figure.
    heads = [f"{name}\n{next(iter(sizes[name]))}" if len(sizes[name]) == 1 else name for name in columns]
    rows = []
    for source, row in zip(sources, figures, strict=True):
        pairs = [(name, *row.get(name, (ABSENT, ""))) for name in columns]
        cells = [f"{value}\n{size}" if len(sizes[name]) > 1 else value for name, value, size in pairs]
        rows.append((source, cells))
    return _block(f"{task}: accuracy on the test split", _table(heads, rows))


def _block(title: str, table: str) -> str:
    return f'<div class="block">\n<h3>{escape(title)}</h3>\n{table}</div>\n'


def _table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{_lines(name)}</th>" for name in ("run", *columns))
    body = "".join(
        f"<tr><td>{_badge(source)}</td>{''.join(f'<td>{_lines(cell)}</td>' for cell in cells)}</tr>\n"
        for source, cells in rows
    )
    return f'<div class="scroll">\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n'


def _lines(text: str) -> str:
    """What is below the first line stands there smaller."""
    first, *below = text.split("\n")
    return escape(first) + "".join(f"<small>{escape(line)}</small>" for line in below)


def _badge(source: Source) -> str:
    return f'<b class="badge {hue_of_run(source)}" title="{escape(source.name)}">{source.letter}</b>'


def _chips(values: Mapping[str, str], sources: Sequence[Source]) -> str:
    """Each value once, after the runs that have it."""
    shown: dict[str, list[Source]] = {}
    for source in sources:
        shown.setdefault(values[source.letter], []).append(source)
    return "".join(
        f'<span class="chip">{"".join(map(_badge, having))} <code>{escape(value)}</code></span>\n'
        for value, having in shown.items()
    )


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
