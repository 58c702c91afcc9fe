"""The parts of the report on a change: what is in each, and which goes first where all is too long."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from lengthwise.charts.text_charts import curves, interval_line
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import METRICS, TIMING
from lengthwise.system.dotted import finite, leaves
from lengthwise.system.markdown import NOTHING, ReportSection, number, plain, quoted, table_lines, value
from lengthwise.verdict.comparison import Comparison, Verdict, rule_of
from lengthwise.verdict.figures import Figure, Key

METRICS_TITLE, PARAMS, DATA, COST, CHARTS, OTHER = "Metrics", "Params", "Data", "Cost", "Charts", "Other figures"
ORDER_OF_CUTS = (OTHER, CHARTS, COST, DATA, PARAMS, METRICS_TITLE)

METRIC_FILES = re.compile(r"((evaluate(/[^/]+)?|baselines|train)/[^/]+\.json|ablations\.csv)")
COST_FILES = re.compile(r"train/[^/]+/cost\.json")
# The way of the corpus to batches: what is always shown; whatever else changed follows.
FUNNEL = {
    "ingest.json": ("files", "authors", "documents", "documents_empty"),
    "tokens.json": ("sentences", "tokens"),
    "split.json": ("train_authors", "validation_authors", "test_authors"),
    "shards.json": (
        *("sequences_in", "sequences_too_short", "sequences_too_long", "sequences_added_by_splitting"),
        *("sequences_kept", "train_rows", "validation_rows", "test_rows"),
    ),
    "vocabulary.json": ("entries", "train_unknown_share"),
}
CURVES = (
    (re.compile(r"metrics/train/([^/]+)/epochs\.csv"), "epoch", "validation_accuracy"),
    (re.compile(r"metrics/evaluate/([^/]+)/by_length\.csv"), "length", "accuracy"),
    (re.compile(r"metrics/evaluate/([^/]+)/by_step\.csv"), "step", "accuracy"),
)
NAME_WIDTH = 40
# What is larger, or infinite, would leave no room for the others.
DRAWN = 1e100
UNREMARKABLE = (Verdict.REPORTED, Verdict.WITHIN_NOISE)


def metrics_section(comparisons: Sequence[Comparison]) -> ReportSection:
    """The evaluations in full; of the training, the baselines and the ablations what changed."""
    blocks: list[str] = []
    of_metrics = [comparison for comparison in comparisons if METRIC_FILES.fullmatch(comparison.key[0])]
    for file, group in groupby(of_metrics, key=lambda comparison: comparison.key[0]):
        members = list(group)
        shown = members if file.startswith("evaluate/") else [one for one in members if _is_remarkable(one)]
        if shown:
            header = ("metric", "better", "old", "new", "difference", "its interval", "verdict")
            blocks += ["", f"### {quoted(file)}", *table_lines(header, [_metric_row(one) for one in shown])]
        if len(shown) < len(members):
            blocks += ["", f"{quoted(file)}: {len(members) - len(shown)} of {len(members)} figures are the same."]
    return ReportSection(METRICS_TITLE, blocks or ["No metrics."])


def params_section(old: Mapping[str, Any], new: Mapping[str, Any]) -> ReportSection:
    """The keys of params.yaml that differ."""
    # As they are shown: to Python, true is 1.
    before, after = (
        {key: value(content) for key, content in dict(leaves(dict(side))).items() if key} for side in (old, new)
    )
    rows = [
        (quoted(key), before.get(key, NOTHING), after.get(key, NOTHING))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
    return ReportSection(
        PARAMS, table_lines(("key", "old", "new"), rows) if rows else ["No key of params.yaml changed."]
    )


def data_section(comparisons: Sequence[Comparison]) -> ReportSection:
    """The way of the corpus to sequences, as counts."""
    rows = []
    for file, names in FUNNEL.items():
        of_file = {comparison.key[1]: comparison for comparison in comparisons if comparison.key[0] == file}
        changed = [name for name, comparison in of_file.items() if name not in names and _is_remarkable(comparison)]
        rows += [_row(of_file[name], name) for name in (*names, *changed) if name in of_file]
    return ReportSection(
        DATA, table_lines(("", "figure", "old", "new", "difference"), rows) if rows else ["No counts."]
    )


def cost_section(comparisons: Sequence[Comparison], old: Run, new: Run) -> ReportSection:
    """What training costs in parameters, steps and padding, and the times."""
    rows = [_row(one, one.key[1]) for one in comparisons if COST_FILES.fullmatch(one.key[0])]
    blocks = table_lines(("", "figure", "old", "new", "difference"), rows) if rows else []
    times = [row for path in sorted({*old.timing_files, *new.timing_files}) for row in _times(path, old, new)]
    lacking = [name for name, side in (("the base", old), ("the working tree", new)) if not side.timing_files]
    if lacking:
        blocks += ["", f"The times of {' and '.join(lacking)} are not in the DVC cache."]
    if times:
        blocks += ["", "Times and rates may be of different machines: no verdict rests on them."]
        blocks += table_lines(("", "figure", "old", "new", "new / old"), times)
    return ReportSection(COST, blocks or ["No costs."], folded=True)


def charts_section(old: Mapping[Key, Figure], new: Mapping[Key, Figure], before: Run, after: Run) -> ReportSection:
    """Accuracies with their intervals; curves over epochs, lengths and time steps."""
    keys = [key for key in sorted({*old, *new}) if key[0].startswith("evaluate/") and key[1].endswith("_accuracy")]
    blocks = []
    for file in dict.fromkeys(file for file, _ in keys):
        lines = [line for key in keys if key[0] == file for line in _interval_lines(key, old, new)]
        blocks.append(_chart(f"{plain(file, NAME_WIDTH)}: accuracy from 0 to 1, with its interval", lines))
    for path in sorted({*before.metric_files, *after.metric_files}):
        for pattern, axis, name in CURVES:
            if match := pattern.fullmatch(path):
                blocks += _curve_chart(path, f"{match[1]}: {name} by {axis}", (axis, name), (before, after))
    return ReportSection(
        CHARTS, [part for block in blocks for part in (block, "")] or ["Nothing to draw."], folded=True
    )


def other_section(comparisons: Sequence[Comparison]) -> ReportSection:
    """What changed beside all this, without a verdict: recalls, macro-F1, the number of a table's rows."""

    def is_elsewhere(file: str) -> bool:
        return file in FUNNEL or bool(METRIC_FILES.fullmatch(file) or COST_FILES.fullmatch(file))

    return ReportSection(OTHER, other_rows([one for one in comparisons if not is_elsewhere(one.key[0])]), folded=True)


def other_rows(comparisons: Sequence[Comparison]) -> list[str]:
    """A table of what changed, without a verdict."""
    rows = [_row(one, one.key[1]) for one in comparisons if _is_remarkable(one)]
    return table_lines(("", "figure", "old", "new", "difference"), rows) if rows else ["Nothing else changed."]


def difference_cells(comparison: Comparison) -> tuple[str, str]:
    """A difference and its interval."""
    return number(comparison.difference, signed=True), _interval(comparison)


def change_of(comparison: Comparison) -> str:
    """From what to what, by how much, or why not."""
    if comparison.reason:
        return f"was {number(comparison.old)}; {comparison.reason}"
    return (
        f"{number(comparison.old)} → {number(comparison.new)}, difference {number(comparison.difference, signed=True)} "
        f"({_interval(comparison)})"
    )


def _metric_row(comparison: Comparison) -> tuple[str, ...]:
    rule = rule_of(comparison.key)
    direction = "" if rule is None else "higher" if rule.sign > 0 else "lower"
    verdict = comparison.verdict if comparison.verdict in UNREMARKABLE else f"**{comparison.verdict}**"
    return (
        quoted(comparison.key[1]),
        direction,
        number(comparison.old),
        number(comparison.new),
        *difference_cells(comparison),
        verdict,
    )


def _row(comparison: Comparison, name: str) -> tuple[str, ...]:
    difference = number(comparison.difference, signed=True)
    if comparison.verdict in (Verdict.MISSING, Verdict.NEW):
        difference = f"**{comparison.verdict}**"
    return quoted(comparison.key[0]), quoted(name), number(comparison.old), number(comparison.new), difference


def _is_remarkable(comparison: Comparison) -> bool:
    return comparison.verdict not in UNREMARKABLE or number(comparison.old) != number(comparison.new)


def _interval(comparison: Comparison) -> str:
    if comparison.interval is None:
        return NOTHING
    return f"{number(comparison.interval.low, signed=True)} to {number(comparison.interval.high, signed=True)}"


def _times(path: str, old: Run, new: Run) -> Iterator[tuple[str, ...]]:
    before, after = old.json(path), new.json(path)
    for name in sorted({*before, *after}):
        pair = [side.get(name) for side in (before, after)]
        one, other = (content if isinstance(content, str) or finite(content) else None for content in pair)
        ratio = f"{other / one:.2f}" if finite(one) and finite(other) and one > 0 else NOTHING
        yield quoted(path.removeprefix(METRICS).removeprefix(TIMING)), quoted(name), number(one), number(other), ratio


def _interval_lines(key: Key, old: Mapping[Key, Figure], new: Mapping[Key, Figure]) -> Iterator[str]:
    for side, figures in (("old", old), ("new", new)):
        figure = figures.get(key)
        if figure is not None and finite(figure.value):
            ends = (figure.interval.low, figure.interval.high) if figure.interval else None
            line = interval_line(float(figure.value), ends)
            yield f"{plain(key[1], NAME_WIDTH):<20} {side}  {line}  {number(figure.value)}"


def _curve_chart(path: str, title: str, columns: tuple[str, str], sides: tuple[Run, Run]) -> Iterator[str]:
    axis, name = columns
    found = (side.csv(path, axis, name)[[axis, name]].apply(pd.to_numeric, errors="coerce") for side in sides)
    series = [points[points.abs() < DRAWN].dropna().groupby(axis)[name].mean() for points in found]
    points = pd.concat(series)
    if points.empty:
        return
    bounds = f"{number(float(points.min()))} to {number(float(points.max()))}"
    first, last = (plain(f"{end:g}", NAME_WIDTH) for end in (points.index.min(), points.index.max()))
    lines = [f"{side}  {line}" for side, line in zip(("old", "new"), curves(series), strict=True)]
    yield _chart(f"{plain(title, NAME_WIDTH * 2)} ({first} to {last}), on a scale of {bounds}", lines)


def _chart(title: str, lines: Sequence[str]) -> str:
    return "\n".join(["```", title, "", *lines, "```"])
