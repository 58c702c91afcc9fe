"""The tables that an evaluation leaves: the same for a network and for a baseline."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lengthwise.core.labels import LabelFactor, joint_class_names
from lengthwise.evaluation.levels import Level
from lengthwise.evaluation.metric import headline_name
from lengthwise.evaluation.metrics import figures_of_level
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.scoring.registry import metric_of
from lengthwise.evaluation.scoring.strata import confusion

COLUMNS = ("model", "level", "metric", "value", "low", "high")


def level_figures(
    model: str, levels: Sequence[Level], factors: Sequence[LabelFactor], bootstrap: Bootstrap
) -> pd.DataFrame:
    """The figures of all levels, with the columns `COLUMNS`."""
    tables = [figures_of_level(level, factors, bootstrap).assign(level=level.name) for level in levels]
    return pd.concat(tables).assign(model=model)[list(COLUMNS)]


def write_level_tables(
    out: Path, figures: pd.DataFrame, levels: Sequence[Level], factors: Sequence[LabelFactor]
) -> None:
    """Write `levels.csv` and one `confusion_<level>.csv` each."""
    figures.to_csv(out / "levels.csv", index=False)
    for level in levels:
        confusion_table(level, factors).to_csv(out / f"confusion_{level.name}.csv", index=False)


def confusion_table(level: Level, factors: Sequence[LabelFactor]) -> pd.DataFrame:
    """How often each class was taken for each: columns actual, predicted, count; all pairs."""
    return confusion(joint_class_names(factors), level.labels, level.log_probabilities.argmax(axis=1))


def headline(figures: pd.DataFrame) -> dict[str, float]:
    """The few figures that a table of experiments shows.

    Per level the accuracy, of the joint class as `<level>_accuracy` and of each factor as `<level>_<factor>`; for the
    finest level the likelihood as well, `<level>_nll`.
    """
    metric, level = figures["metric"], figures["level"]
    at_finest = (level == level.iloc[0]).tolist()
    found = zip(map(metric_of, metric), at_finest, strict=True)
    chosen = np.array([of is not None and (finest or not of.finest) for of, finest in found])
    names = level + "_" + metric.map(headline_name)
    return dict(zip(names[chosen].tolist(), figures["value"][chosen].tolist(), strict=True))
