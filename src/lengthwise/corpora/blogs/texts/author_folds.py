"""Every blogger tested once, by models that have not seen him: the tables of ten folds in `docs/results.md`."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from lengthwise.corpora.blogs.texts.unknown_authors import BEST_METRICS
from lengthwise.errors import FormatError
from lengthwise.reports.words import ranged, records
from lengthwise.runs.kept import MEND, Kept
from lengthwise.system.markdown import table

FOLDER = "author_folds"
COLUMNS = ("level", "metric", "value", "low", "high")


def author_folds_block(kept: Kept) -> str:
    """Figures of all models over all folds, and how far the network is from the linear model on the same authors.

    Raises:
        FormatError: a table that is there is damaged.
    """
    folder = kept.folder / FOLDER
    if not folder.is_dir():
        return f"The folds have not been run: `make folds FOLDS=10 KEYS=results/{FOLDER}.yaml`."
    levels = _read(folder / "levels.csv", ("model", *COLUMNS))
    differences = _read(
        folder / "differences.csv", ("network", "baseline", "level", "metric", "difference", *COLUMNS[3:])
    )
    models = [*dict.fromkeys(levels["model"])]
    published = kept.published["schler"]
    rows = []
    for (level, metric), figures in levels[levels["metric"].isin(BEST_METRICS)].groupby(
        ["level", "metric"], sort=False
    ):
        cells = {row.model: ranged(row.value, row.low, row.high) for row in records(figures)}
        other = published.get(f"{level}_{metric}")
        shown = (cells.get(model, "") for model in models)
        rows.append((level, BEST_METRICS[str(metric)], *shown, "" if other is None else f"{other:.3f}"))
    header = ("by", "of", *(model.replace("_", " ") for model in models), "Schler et al.")
    pairs = table(("by", "of", "model", "less", "difference"), [*_pairs(differences)])
    return "\n\n".join(
        [table(header, rows), "Paired differences on the same items, with intervals over authors:", pairs]
    )


def _pairs(differences: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """What is compared with more than the frequencies of classes."""
    for row in records(differences[differences["metric"].isin(BEST_METRICS) & (differences["baseline"] != "majority")]):
        cell = f"{row.difference:+.3f} ({row.low:+.3f} to {row.high:+.3f})"
        yield row.level, BEST_METRICS[row.metric], row.network.replace("_", " "), row.baseline, cell


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        found = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); expected the table of folds; {MEND}") from error
    if missing := [name for name in columns if name not in found.columns]:
        raise FormatError(f"{path}: has no column {missing[0]}; expected the table of folds; {MEND}")
    return found
