"""Every blogger tested once, by models that have not seen him: the tables of ten folds in `docs/results.md`."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from lengthwise.charts.frame import Caption
from lengthwise.charts.rows import IntervalRow, interval_chart
from lengthwise.corpora.blogs.texts.unknown_authors import BEST_METRICS
from lengthwise.errors import FormatError
from lengthwise.reports.words import hue_of, ranged, records
from lengthwise.runs.kept import MEND, Kept
from lengthwise.runs.metric_tables import csv_table
from lengthwise.system.markdown import code, table

FOLDER = "author_folds"
CHART = "author_folds.svg"
# The models that have columns of their own; what knows only how frequent classes are is in none.
LINEAR = "linear"
MODELS = (LINEAR, "classifier", "classifier_and_linear")
# Whose difference is shown: one model less another.
PAIRS = (("classifier", LINEAR), ("classifier_and_linear", LINEAR), ("classifier_and_linear", "classifier"))
INTERVAL = ("low", "high")


def author_folds_chart(kept: Kept) -> str | None:
    """How far the network, and both models together, are from the linear model in accuracy; None without any folds.

    Raises:
        FormatError: a table that is there is damaged.
    """
    groups = {}
    for recipe in _recipes(kept):
        compared = records(_compared(recipe))
        for metric, what in [*BEST_METRICS.items()][:-1]:
            groups[f"{what}, {recipe.name}"] = [
                IntervalRow(model_words(row.network), row.difference, row.low, row.high, hue_of(row.network))
                for row in compared
                if row.metric == metric and row.baseline == LINEAR
            ]
    caption = Caption("Accuracy of authors less that of the linear model")
    return interval_chart(caption, groups, "accuracy less the linear model's", signed=True) if groups else None


def author_folds_block(kept: Kept) -> str:
    """Figures of each recipe over all folds, and how far its models are from each other on the same authors.

    Raises:
        FormatError: a table that is there is damaged.
    """
    recipes = _recipes(kept)
    if not recipes:
        return f"The folds have not been run: `make folds FOLDS=10 KEYS=results/{FOLDER}/last.yaml`."
    figures = [row for recipe in recipes for row in _figures(recipe, kept.published["schler"])]
    header = ("recipe", "by", "of", *map(model_words, MODELS), "Schler et al.")
    less = (f"{model_words(model)} less {baseline}" for model, baseline in PAIRS)
    pairs = table(("recipe", "by", "of", *less), [row for of in recipes for row in _pairs(of)])
    picture = f'<img src="{CHART}" width="480" alt="Accuracies less those of the linear model, with intervals">'
    return "\n\n".join(
        [table(header, figures), picture, "Paired differences on the same items, with intervals over authors:", pairs]
    )


def _figures(recipe: Path, published: dict[str, float]) -> Iterator[tuple[str, ...]]:
    """A row a level and metric."""
    levels = _read(recipe / "levels.csv", ("model", "level", "metric", "value", *INTERVAL))
    levels = levels[levels["metric"].isin(BEST_METRICS)]
    for (level, metric), of_models in levels.groupby(["level", "metric"], sort=False):
        cells = {row.model: ranged(row.value, row.low, row.high) for row in records(of_models)}
        other = published.get(f"{level}_{metric}")
        there = "" if other is None else f"{other:.3f}"
        yield (
            code(recipe.name),
            str(level),
            BEST_METRICS[str(metric)],
            *(cells.get(model, "") for model in MODELS),
            there,
        )


def _recipes(kept: Kept) -> list[Path]:
    return sorted(path for path in (kept.folder / FOLDER).glob("*") if path.is_dir())


def _compared(recipe: Path) -> pd.DataFrame:
    """What is compared with more than the frequencies of classes."""
    columns = ("network", "baseline", "level", "metric", "difference", *INTERVAL)
    differences = _read(recipe / "differences.csv", columns)
    return differences[differences["metric"].isin(BEST_METRICS) & differences["baseline"].isin(MODELS)]


def _pairs(recipe: Path) -> Iterator[tuple[str, ...]]:
    """A row a level and metric."""
    for (level, metric), of_pairs in _compared(recipe).groupby(["level", "metric"], sort=False):
        cells = {
            (row.network, row.baseline): f"{row.difference:+.3f} ({row.low:+.3f} to {row.high:+.3f})"
            for row in records(of_pairs)
        }
        yield code(recipe.name), str(level), BEST_METRICS[str(metric)], *(cells.get(pair, "") for pair in PAIRS)


def model_words(model: str) -> str:
    """What a model is called for a person: of two together in words."""
    return model.replace("_", " ")


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        return csv_table(path.read_bytes(), columns)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); expected the table of folds; {MEND}") from error
