"""The settings that are measured: those of the source article, whatever params.yaml advises."""

from pathlib import Path

from lengthwise.pipeline.settings.params import TrainParams
from lengthwise.pipeline.stage import PARAMS_FILE
from lengthwise.pipeline.sweeps.grid_file import read_grid

ARTICLE_FILE = Path("results") / "article.yaml"


def article_params() -> TrainParams:
    """The section train with the article's settings."""
    (run,) = read_grid(ARTICLE_FILE, PARAMS_FILE)
    if run.params is None:
        raise ValueError(f"{ARTICLE_FILE}: {run.refusal}")
    return run.params.train
