"""All figures of a run, each by its file and name, with its interval where it has one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from lengthwise.evaluation.level_tables import COLUMNS, headline
from lengthwise.evaluation.paired import Interval
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import METRICS, is_timing
from lengthwise.system.dotted import finite, leaves

# The file, relative to metrics/, and the name in it.
Key = tuple[str, str]
ABLATION_FIGURES = ("accuracy", "nll", "author_accuracy")


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        value: a finite number, or text.
        interval: of a resampling of the test authors.
    """

    value: float | str
    interval: Interval | None = None


def figures_of(snapshot: Run) -> dict[Key, Figure]:
    """All figures but the times.

    JSON gives its numbers and texts, the headline with the intervals of `levels.csv`. What `levels.csv` has beyond the
    headline and the figures of each ablation follow; of any other table the number of rows, so that its loss is seen.
    What is no finite number and no text is no figure.

    Raises:
        FormatError: a file is damaged.
    """
    figures: dict[Key, Figure] = {}
    margins: dict[Key, Interval] = {}
    for path in snapshot.metric_files:
        file = path.removeprefix(METRICS)
        if is_timing(file):
            continue
        if path.endswith(".json"):
            content = leaves(snapshot.json(path))
            figures |= {
                (file, name): Figure(value) for name, value in content if isinstance(value, str) or finite(value)
            }
        elif PurePosixPath(path).name == "levels.csv":
            beyond, of_headline = _levels(file, snapshot.csv(path, *COLUMNS))
            figures |= beyond
            margins |= of_headline
        elif file == "ablations.csv":
            figures |= dict(_ablations(file, snapshot.csv(path, "name", *ABLATION_FIGURES)))
        else:
            figures[file, "rows"] = Figure(len(snapshot.csv(path)))
    for key in margins.keys() & figures.keys():
        value, margin = figures[key].value, margins[key]
        if finite(value):
            figures[key] = Figure(value, Interval(value + margin.low, value + margin.high))
    return figures


def _levels(file: str, table: pd.DataFrame) -> tuple[dict[Key, Figure], dict[Key, Interval]]:
    """What is beyond the headline, and the headline's intervals less its values, by the keys of its file."""
    numbers = table[["value", "low", "high"]].apply(pd.to_numeric, errors="coerce")
    table = table[["level", "metric"]].astype(str).join(numbers)
    if table.empty:
        return {}, {}
    lows, highs = (headline(table.assign(value=table[end] - table["value"])) for end in ("low", "high"))
    # metrics/baselines/tables/linear/levels.csv belongs to metrics/baselines/linear.json.
    of = f"{PurePosixPath(file).parent}.json".replace("/tables/", "/")
    ends = {name: Interval(low, highs[name]) for name, low in lows.items()}
    margins = {(of, name): margin for name, margin in ends.items() if finite(margin.low) and finite(margin.high)}
    beyond = {}
    for row in table.to_dict("records"):
        name = f"{row['level']} {row['metric']}"
        short = f"{row['level']}_{row['metric'].removesuffix('_accuracy')}"
        if short not in lows and finite(row["value"]):
            beyond[file, name] = Figure(row["value"])
    return beyond, margins


def _ablations(file: str, table: pd.DataFrame) -> Iterator[tuple[Key, Figure]]:
    for row in table.to_dict("records"):
        for name in ABLATION_FIGURES:
            if finite(row[name]):
                yield (file, f"{row['name']} {name}"), Figure(row[name])
