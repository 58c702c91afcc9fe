"""What each test item adds to a model's metrics, as a file: so that parts of a test can be put together afterwards.

    level     group  accuracy  nll
    sentence  0      1.0       0.31
    sentence  0      0.0       1.90
    author    0      1.0       0.65

A row an item, the levels one after another; a metric that a level does not have is null there. The mean of a column
over a level is the metric. `group` is the rank in the corpus of what the item is held out with, such as its author.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import FormatError

ITEMS_NAME = "items.parquet"
LEVEL, GROUP = "level", "group"


@dataclass(frozen=True)
class LevelScores:
    """The N items of a level.

    Attributes:
        name: of the level.
        group: int64 (N,), what each item is held out with.
        scores: by metric, float64 (N,), whose mean is the metric.
    """

    name: str
    group: np.ndarray
    scores: Mapping[str, np.ndarray]


def write_item_scores(path: Path, levels: Sequence[LevelScores]) -> None:
    """Write the table of a model.

    Args:
        path: of the Parquet file.
        levels: each of its own name.
    """
    names = dict.fromkeys(name for level in levels for name in level.scores)
    columns: dict[str, list[pa.Array]] = {LEVEL: [], GROUP: [], **{name: [] for name in names}}
    for level in levels:
        count = len(level.group)
        columns[LEVEL].append(pa.array([level.name] * count, pa.string()))
        columns[GROUP].append(pa.array(level.group, pa.int64()))
        for name in names:
            found = level.scores.get(name)
            columns[name].append(pa.nulls(count, pa.float64()) if found is None else pa.array(found, pa.float64()))
    table = pa.table({name: pa.chunked_array(chunks) for name, chunks in columns.items()})
    pq.write_table(table, path, compression="zstd", row_group_size=max(1, len(table)))


def read_item_scores(source: Path | IO[bytes], place: str) -> list[LevelScores]:
    """Read a table back.

    Args:
        source: the file, or its bytes.
        place: what messages call it.

    Raises:
        FormatError: it is no such table.
    """
    try:
        table = pq.read_table(source)
        names = [name for name in table.column_names if name not in (LEVEL, GROUP)]
        level = np.asarray(table[LEVEL].to_pylist(), str)
        group = table[GROUP].to_numpy().astype(np.int64)
        scores = {name: table[name].to_numpy().astype(np.float64) for name in names}
        known = {name: table[name].is_valid().to_numpy() for name in names}
    except (KeyError, OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise FormatError(
            f"{place}: cannot be read ({reason}); expected a table of items; run the fold again"
        ) from error
    found = []
    for name in dict.fromkeys(level.tolist()):
        rows = level == name
        of_level = {metric: score[rows] for metric, score in scores.items() if known[metric][rows].all()}
        found.append(LevelScores(name, group[rows], of_level))
    return found


def joined(parts: Sequence[Sequence[LevelScores]]) -> list[LevelScores]:
    """The items of several tests of one kind of model as those of one test: levels and metrics that all parts have.

    >>> part = [LevelScores("author", np.array([3]), {"accuracy": np.array([1.0])})]
    >>> joined([part, part])[0].scores["accuracy"].tolist()
    [1.0, 1.0]
    """
    by_name = [{level.name: level for level in part} for part in parts]
    levels = []
    for name in by_name[0]:
        if not all(name in part for part in by_name):
            continue
        same = [part[name] for part in by_name]
        metrics = [metric for metric in same[0].scores if all(metric in level.scores for level in same)]
        scores = {metric: np.concatenate([level.scores[metric] for level in same]) for metric in metrics}
        levels.append(LevelScores(name, np.concatenate([level.group for level in same]), scores))
    return levels
