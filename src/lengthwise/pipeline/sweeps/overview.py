"""The experiments beside the commit that they are derived from.

`dvc exp show` has a column for every metric and every param; here are those that a choice is made by.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from lengthwise.system.dotted import leaves

# The folders of headline figures: what a training says of validation, and what is said of the test split.
HEADLINE = ("metrics/live", "metrics/test")
MOST_FIGURES = 12
# A choice on the test split would be no test of it.
CHOSEN_BY = ".val_acc"
WIDTH = 160
LONGEST_VALUE = 24
GAP = "  "


@dataclass(frozen=True)
class ExperimentRow:
    """A commit or an experiment.

    Attributes:
        name: of the experiment, or of the commit.
        rev: by which DVC knows it, too; empty if it has no other name.
        state: what it is if it has no results: failed, queued, running.
        params: values as text by dotted key.
        figures: headline figures by their dotted names.
    """

    name: str
    rev: str = ""
    state: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)


def headline(contents: Mapping[str, object]) -> dict[str, float]:
    """The figures in files of metrics, by their keys, a model's together.

    Args:
        contents: of JSON files, by their paths; those that are not in a folder of `HEADLINE` are left out.

    >>> live, test = {"clf": {"val_acc": 0.5}, "s2s": {"val_acc": 0.4}}, {"clf": {"acc": 0.6}}
    >>> list(headline({"metrics/test/classifier.json": test, "metrics/live/all.json": live, "metrics/split.json": {}}))
    ['clf.val_acc', 'clf.acc', 's2s.val_acc']
    """
    ours = sorted(path for path in contents if str(PurePosixPath(path).parent) in HEADLINE)
    figures: dict[str, float] = {}
    for path in ours:
        for key, value in leaves(contents[path]):
            if isinstance(value, int | float) and not isinstance(value, bool):
                figures.setdefault(key, value)
    models = list(dict.fromkeys(key.partition(".")[0] for key in figures))
    return {key: figures[key] for model in models for key in figures if key.partition(".")[0] == model}


def flat(content: Mapping[str, Any]) -> dict[str, str]:
    """Values as text by dotted key."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in leaves(content)}


def rows_of(shown: Sequence[Mapping[str, Any]]) -> list[list[ExperimentRow]]:
    """The rows of each commit, itself first.

    Args:
        shown: what `dvc exp show --json` prints.
    """
    return [[_row(commit, ""), *map(_experiment, commit["experiments"] or [])] for commit in shown]


def best_first(rows: Sequence[ExperimentRow]) -> list[ExperimentRow]:
    """Rows by the accuracy on validation of the first model that has one; those without figures come last."""
    key = next((key for row in rows for key in row.figures if key.endswith(CHOSEN_BY)), "")
    return sorted(rows, key=lambda row: -row.figures.get(key, -1.0))


def table_text(
    rows: Sequence[ExperimentRow],
    width: int,
    heads: Sequence[ExperimentRow] = (),
    order: Callable[[Sequence[ExperimentRow]], Sequence[ExperimentRow]] = best_first,
) -> str:
    """A table in at most a width.

    It has the params that differ, and the headline figures. Figures that are the same in all rows, as those of
    baselines may be, stand below it. What does not fit into the width goes on in a second table below the first.

    Args:
        rows: experiments; the best come first.
        width: in characters.
        heads: the commits that the experiments are derived from; they stay first.
        order: puts the best experiments first.
    """
    ordered = [*heads, *order(rows)]
    figures = _figures(ordered)
    # Of a table of one row all are the same.
    same = {key for key in figures if sum(bool(row.figures) for row in ordered) > 1 and _is_same(ordered, key)}
    longest = max(width // 3, 12)
    names = [_shortened(row.name, longest) for row in ordered]
    columns = {
        "rev": [row.rev for row in ordered] if names != [row.name for row in ordered] else [],
        "state": [row.state for row in ordered],
        **_differing(ordered),
        **{key: [_number(row.figures.get(key)) for row in ordered] for key in figures if key not in same},
    }
    parts = _parts(names, {name: cells for name, cells in columns.items() if any(cells)}, width)
    if same:
        value = {key: next(row.figures[key] for row in ordered if key in row.figures) for key in figures}
        parts.append(_wrapped([f"{key} {_number(value[key])}" for key in figures if key in same], width))
    return "\n\n".join(parts)


def terminal_width() -> int:
    """Columns of the terminal, or of `COLUMNS`; 160 where there is none."""
    return max(40, shutil.get_terminal_size((WIDTH, 24)).columns)


def _figures(rows: Sequence[ExperimentRow]) -> list[str]:
    """At most a dozen figures that a row has, in the order of the rows that have most."""
    fullest = sorted(rows, key=lambda row: -len(row.figures))
    return list(dict.fromkeys(key for row in fullest for key in row.figures))[:MOST_FIGURES]


def _is_same(rows: Sequence[ExperimentRow], key: str) -> bool:
    return len({row.figures.get(key) for row in rows if row.figures}) == 1


def _differing(rows: Sequence[ExperimentRow]) -> dict[str, list[str]]:
    """The params whose values differ; each called by its last part if that is enough."""
    # A row without params differs in none.
    known = [row.params for row in rows if row.params]
    keys = dict.fromkeys(key for params in known for key in params)
    differing = [key for key in keys if len({params.get(key) for params in known}) > 1]
    last = [key.rpartition(".")[2] for key in differing]
    short = [name if last.count(name) == 1 else key for key, name in zip(differing, last, strict=True)]
    cells = ([_shortened(row.params.get(key, ""), LONGEST_VALUE) for row in rows] for key in differing)
    return dict(zip(short, cells, strict=True))


def _parts(names: Sequence[str], columns: Mapping[str, Sequence[str]], width: int) -> list[str]:
    """Tables of as many columns as fit beside the names."""
    stub = _column("experiment", names, str.ljust)
    tables = [list(stub)]
    for name, cells in columns.items():
        column = _column(_shortened(name, width // 2), cells, str.rjust)
        if len(tables[-1][0]) + len(GAP) + len(column[0]) > width and tables[-1] != stub:
            tables.append(list(stub))
        tables[-1] = [f"{line}{GAP}{cell}" for line, cell in zip(tables[-1], column, strict=True)]
    return ["\n".join(line.rstrip() for line in table) for table in tables]


def _column(name: str, cells: Sequence[str], justify: Any) -> list[str]:  # noqa: ANN401
    width = max(map(len, (name, *cells)))
    return [justify(cell, width) for cell in (name, *cells)]


def _wrapped(items: Sequence[str], width: int) -> str:
    lines = ["the same in all:"]
    for item in items:
        if len(lines[-1]) + len(GAP) + len(item) > width:
            lines.append("")
        lines[-1] += f"{GAP}{item}"
    return "\n".join(lines)


def _shortened(text: str, longest: int) -> str:
    """A text without its middle if it is longer; its ends tell the most."""
    if len(text) <= longest:
        return text
    end = (longest - 1) // 2
    return f"{text[: longest - 1 - end]}…{text[len(text) - end :]}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def _experiment(experiment: Mapping[str, Any]) -> ExperimentRow:
    state = (experiment["executor"] or {}).get("state", "success").replace("success", "")
    return _row(experiment["revs"][-1], state)


def _row(revision: Mapping[str, Any], state: str) -> ExperimentRow:
    data = revision["data"] or {}
    # Of a run that failed or still runs, DVC gives the metrics of the commit that it began with.
    metrics = {} if state else data.get("metrics", {})
    params = data.get("params", {}).get("params.yaml", {}).get("data") or {}
    rev = revision["rev"][:7]
    contents = {path: file.get("data") for path, file in metrics.items()}
    return ExperimentRow(revision["name"] or rev, rev, state, flat(params), headline(contents))


def experiments_text(commits: str) -> str:
    """The tables of the experiments of the last commits, as wide as the terminal.

    Exits with the status of `dvc exp show` if that fails; it has said why.

    Args:
        commits: how many, as DVC takes it.
    """
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--hide-workspace", "--num", commits]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.returncode)
    tables = [table_text(rows, terminal_width(), [head]) for head, *rows in rows_of(json.loads(done.stdout))]
    return "\n\n".join(tables)
