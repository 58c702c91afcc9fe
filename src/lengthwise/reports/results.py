"""The results of the last run as one table."""

from pathlib import Path

import pandas as pd

from lengthwise.runs.run import Run
from lengthwise.runs.run_files import METRICS, PlacedFiles

# From what needs no text to what needs most of it.
MODELS = ("majority", "linear", "classifier", "seq2seq")


def results_table(run: Run) -> pd.DataFrame:
    """Every figure with its interval, a column a model.

    Args:
        run: its files `levels.csv` are read, at any depth.

    Returns:
        Indexed by level and metric, cells such as `0.2864 (0.2169-0.3545)`; the models that were run.
    """
    tables = [run.csv(path) for path in run.metric_files if path.endswith("/levels.csv")]
    return cells_of(pd.concat(tables)) if tables else pd.DataFrame()


def cells_of(levels: pd.DataFrame) -> pd.DataFrame:
    """Figures with the columns of `levels.csv` as cells, indexed by level and metric, a column a model."""
    figures = levels.copy()
    figures["cell"] = [f"{row.value:.4f} ({row.low:.4f}-{row.high:.4f})" for row in figures.itertuples(index=False)]
    order = list(dict.fromkeys(zip(figures["level"], figures["metric"], strict=True)))
    wide = figures.pivot_table(index=["level", "metric"], columns="model", values="cell", aggfunc="first")
    known = [model for model in (*MODELS, *levels["model"].unique()) if model in wide.columns]
    known = list(dict.fromkeys(known))
    return wide.reindex(order)[known]


def results_text(metrics: Path) -> str:
    """The table as text, or one line if there are no results yet."""
    files = {f"{METRICS}{path.relative_to(metrics).as_posix()}": path for path in metrics.rglob("levels.csv")}
    table = results_table(Run(str(metrics), PlacedFiles(files, {})))
    return "no results yet: run dvc repro" if table.empty else table.fillna("").to_string()
