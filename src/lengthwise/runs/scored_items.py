"""The test items of a run's models: the difference of two models on the same items, paired by what was held out.

What is hard for both cancels out. Two intervals that overlap say little: that of the difference says whether
one model is better.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import FormatError
from lengthwise.evaluation.baseline_names import folder_of
from lengthwise.evaluation.item_figures import paired_figures
from lengthwise.evaluation.item_table import ITEMS_NAME, LevelScores, read_item_scores
from lengthwise.evaluation.metric import headline_name
from lengthwise.evaluation.score import SCORING_KEY
from lengthwise.evaluation.scoring.registry import metric_of
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import METRICS, PREDICTIONS

FIGURES = "data/figures/"
# Where stages leave what each test item adds to the metrics; the figures that it adds up to are below metrics/.
OF_NETWORKS, OF_BASELINES = f"{FIGURES}evaluate", f"{FIGURES}baselines/tables"
# Figures in Git are rounded: items that give others are of another run.
SAME = 1e-4
IDS = {"sequence", "group"}
KEY = ("level", "metric")
# What a network said stands in these columns of its predictions; the others say what was asked, and what is right.
SAID = ("predicted", "logits", "log_probability")


@dataclass(frozen=True)
class Difference:
    """One model's figure less another's at a level.

    Attributes:
        level: the corpus's word for its items.
        metric: which figure.
        one: of the one model.
        other: of the other.
        low: where the interval of the difference begins; too few authors leave it without ends.
        high: where it ends.
        items: how many were scored.
    """

    level: str
    metric: str
    one: float
    other: float
    low: float
    high: float
    items: int

    @property
    def value(self) -> float:
        """One less the other."""
        return self.one - self.other

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def holds_items(path: str) -> bool:
    """Whether an output of the pipeline has test items in it."""
    return path.startswith(f"{OF_NETWORKS}/") or PurePosixPath(path) == PurePosixPath(OF_BASELINES).parent


def items_at_hand(run: Run, model: str) -> list[LevelScores] | None:
    """What each test item adds to a model's metrics, if that is at hand and gives the run's figures; else None."""
    for below in (OF_NETWORKS, OF_BASELINES):
        folder = f"{below}/{folder_of(model)}"
        path = f"{folder}/{ITEMS_NAME}"
        try:
            found = read_item_scores(BytesIO(run.files[path]), path)
        except (KeyError, FormatError):
            continue
        if _give(found, run.csv(f"{METRICS}{folder.removeprefix(FIGURES)}/levels.csv", *KEY, "value")):
            return found
    return None


def _give(items: Sequence[LevelScores], figures: pd.DataFrame) -> bool:
    """Whether the means of items are the metrics that a table has; one that lacks a metric is of another run."""
    values = pd.to_numeric(figures["value"], errors="coerce")
    reported = dict(zip(zip(figures["level"], figures["metric"], strict=True), values, strict=True))
    means = {(level.name, name): float(of.mean()) for level in items for name, of in level.scores.items()}
    known = [(mean, reported[key]) for key, mean in means.items() if key in reported]
    return bool(known) and all(abs(mean - value) < SAME * max(1.0, abs(value)) for mean, value in known)


def paired_differences(one: Sequence[LevelScores], other: Sequence[LevelScores], confidence: float) -> list[Difference]:
    """The metrics of one model less those of another on the same items, by level: see `paired_figures`."""
    sizes = {level.name: len(level.group) for level in one}
    rows: list[Any] = list(paired_figures(one, other, confidence).itertuples(index=False))
    return [Difference(row.level, row.metric, row.one, row.other, row.low, row.high, sizes[row.level]) for row in rows]


def is_at_hand(run: Run, task: str) -> bool:
    """Whether a network can be paired with that of another run: its items and its predictions are there."""
    return _asked(run, task) is not None and items_at_hand(run, task) is not None


def differences_of_runs(one: Run, other: Run, task: str, confidence: float) -> list[Difference] | None:
    """The metrics of a task's network of one run less those of another's, by level.

    Returns:
        None if the runs were tested on other sequences, or the items or predictions of one are not at hand.
    """
    asked = [_asked(run, task) for run in (one, other)]
    mine, its = (items_at_hand(run, task) for run in (one, other))
    if asked[0] is None or asked[1] is None or mine is None or its is None or not asked[0].equals(asked[1], True):
        return None
    return paired_differences(mine, its, confidence) or None


def _asked(run: Run, task: str) -> pa.Table | None:
    """The sequences that a network was tested on, with the right answers, as its predictions have them.

    The columns of what it said stand in the metadata, beside what scores them: other classes are another question.
    """
    try:
        file = pq.ParquetFile(BytesIO(run.files[f"{PREDICTIONS}{task}.parquet"]))
        names = file.schema_arrow.names
        said = [name for name in names if name in SAID or name.startswith(f"{SAID[-1]}_")]
        table = file.read([name for name in names if name not in said])
    except (KeyError, OSError, ValueError, pa.ArrowException, FormatError):
        return None
    scoring = (file.schema_arrow.metadata or {}).get(SCORING_KEY, b"")
    is_usable = set(names) >= IDS and said and table.num_rows
    return table.replace_schema_metadata({SCORING_KEY: scoring, "said": " ".join(said)}) if is_usable else None


def of_headline(found: Sequence[Difference]) -> dict[str, Difference]:
    """The differences of the headline's figures, by its names."""
    return {
        f"{one.level}_{headline_name(one.metric)}": one
        for one in found
        if one.level == found[0].level or not ((metric := metric_of(one.metric)) and metric.finest)
    }
