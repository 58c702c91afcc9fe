"""The experiments beside the commit that they are derived from: `python -m lengthwise.reports.experiments`.

`dvc exp show` has a column for every metric and every param; here are those that a choice is made by.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

# What a column is called, and what it shows: the task's folder of metrics and the metric.
FIGURES = {
    ("validation", "loss"): ("train", "validation_loss"),
    ("validation", "accuracy"): ("train", "validation_accuracy"),
    ("validation", "author"): ("train", "validation_author_accuracy"),
    ("test", "sentence"): ("evaluate", "sentence_accuracy"),
    ("test", "author"): ("evaluate", "author_accuracy"),
}
TASKS = ("classifier", "seq2seq")
# A choice on the test split would be no test of it.
CHOSEN_BY = ("classifier", "validation", "accuracy")
WIDTH = 120


def experiments_table(shown: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The columns that matter.

    Args:
        shown: what `dvc exp show --json` prints: commits, each with its experiments.

    Returns:
        A row a commit and, below it, one an experiment, best validation accuracy first. The columns, in three levels,
        are the state, if something has no results yet or has failed; the params that differ; and losses in nats and
        accuracies, NaN where a run has none.
    """
    rows = [row for commit in shown for row in _rows(commit)]
    index = pd.Index([name for name, _, _ in rows], name="experiment")
    states = pd.DataFrame({("", "", "state"): [state for _, state, _ in rows]}, index=index)
    params = _differing([_data(data, "params", "params.yaml") for _, _, data in rows]).set_axis(index)
    figures = pd.DataFrame(
        {
            (task, *column): [_data(data, "metrics", f"metrics/{stage}/{task}.json").get(metric) for _, _, data in rows]
            for task in TASKS
            for column, (stage, metric) in FIGURES.items()
        },
        index=index,
        dtype=float,
    )
    parts = [states] if states.to_numpy().any() else []
    parts += [params.set_axis(pd.MultiIndex.from_product([["params"], [""], params.columns]), axis=1), figures]
    return pd.concat(parts, axis=1)


def table_text(table: pd.DataFrame) -> str:
    """The table in at most 120 columns, in two parts if it takes more and the names of its rows allow it."""
    parts = [table]
    if max(map(len, _lines(table))) > WIDTH:
        of_tasks = table.columns.get_level_values(0).isin(TASKS)
        parts = [part for part in (table.loc[:, ~of_tasks], table.loc[:, of_tasks]) if part.shape[1]]
    return "\n\n".join("\n".join(_lines(part, WIDTH)) for part in parts)


def _lines(table: pd.DataFrame, width: int | None = None) -> list[str]:
    text = table.to_string(line_width=width, na_rep="", float_format="{:.4f}".format)
    # Without its blank header lines and the backslashes that say that a block goes on.
    lines = (line.rstrip(" \\") for line in text.splitlines())
    return [line for line in lines if line]


def _differing(params: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Of a params file a row, as text, the keys whose values differ; each called by its last part if that is enough."""
    texts = pd.DataFrame([dict(_flat(row)) for row in params], dtype=object)
    # A row without params differs in none.
    known = pd.Series([bool(row) for row in params])
    differing = texts[[key for key in texts if len(set(texts[key][known])) > 1]].fillna("")
    last = [str(key).rpartition(".")[2] for key in differing]
    short = [name if last.count(name) == 1 else key for key, name in zip(differing, last, strict=True)]
    return differing.set_axis(short, axis=1)


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value if isinstance(value, str) else json.dumps(value)


def _rows(commit: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Name, state and data of a commit and then of its experiments."""
    yield commit["name"] or commit["rev"][:7], "", commit["data"] or {}
    found = []
    for experiment in commit["experiments"] or []:
        last = experiment["revs"][-1]
        state = (experiment["executor"] or {}).get("state", "success").replace("success", "")
        data = last["data"] or {}
        # Of a run that has failed, DVC gives the metrics of the commit that it began with.
        found.append((last["name"] or last["rev"][:7], state, {**data, "metrics": {}} if state else data))
    task, *column = CHOSEN_BY
    stage, metric = FIGURES[column[0], column[1]]
    yield from sorted(found, key=lambda row: -_data(row[2], "metrics", f"metrics/{stage}/{task}.json").get(metric, -1))


def _data(data: Mapping[str, Any], kind: str, path: str) -> dict[str, Any]:
    return data.get(kind, {}).get(path, {}).get("data") or {}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", default="1", metavar="N", help="those of the last N commits (%(default)s)")
    commits = parser.parse_args().commits
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--hide-workspace", "--num", commits]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.returncode)
    table = experiments_table(json.loads(done.stdout))
    print(table_text(table))


if __name__ == "__main__":
    main()
