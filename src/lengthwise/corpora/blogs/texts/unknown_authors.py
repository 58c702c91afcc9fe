"""Bloggers of whom nothing was read: what was tried, what was chosen by validation, and whether that holds elsewhere.

Parts of `docs/results.md` and of README.md, as `lengthwise.corpora.blogs.texts.named_runs` has the others.
"""

from collections.abc import Iterator, Sequence

import pandas as pd

from lengthwise.core.names import UNITS
from lengthwise.corpora.blogs.texts.changed_keys import changes_of, not_run
from lengthwise.reports.words import count, ranged, records
from lengthwise.runs.kept import Kept, measured
from lengthwise.runs.run import Run
from lengthwise.system.markdown import code, table

# What the levels are called, by the unit of a sequence, from the shortest.
LEVELS = dict(zip(UNITS, ("sentence", "document", "author"), strict=True))
BEST_RUNS = {level: f"best_{level}" for level in LEVELS.values()}
BEST_MODELS = ("classifier", "linear", "majority")
# What was tried, and what was chosen of it.
SEARCHED = ("search_", "best_")
BEST_METRICS = {
    "accuracy": "both",
    "gender_accuracy": "gender",
    "age_bracket_accuracy": "age bracket",
    "nll": "both, nats",
}
# What a column shows, and the end of its figure's name.
_SEARCH_COLUMNS = {
    "sequence, nats": "loss",
    **{
        f"{level}, {what}": f"{level}_{end}"
        for level in BEST_RUNS
        for what, end in (("nats", "nll"), ("both", "accuracy"), ("gender", "gender"), ("age bracket", "age_bracket"))
        if level == "author" or what in ("nats", "both")
    },
}


def search_block(kept: Kept) -> str:
    """Figures on validation, which the best runs were chosen by, of all that was tried."""
    tried = [name for name in kept.named if name.startswith(SEARCHED)]
    parts = []
    if rows := [row for name in tried if name in kept.runs for row in _searched(name, kept.runs[name])]:
        parts.append(table(("run", "model", "minutes", *_SEARCH_COLUMNS), rows))
    return "\n\n".join([*parts, *not_run(kept, tried)])


def _searched(name: str, run: Run) -> Iterator[tuple[str, ...]]:
    """A row a model that the run has."""
    for model, stage, timing in (
        ("classifier", "train/classifier", "train_classifier"),
        ("linear", "baselines/linear", "baselines"),
    ):
        if run.has(f"{stage}.json"):
            figures = run.figures(f"{stage}.json")
            minutes = measured(run, timing)["seconds"] / 60
            found = (figures.get(f"validation_{end}") for end in _SEARCH_COLUMNS.values())
            cells = ("" if value is None else f"{value:.3f}" for value in found)
            yield code(name), model, f"{minutes:.1f}", *cells


def best_block(kept: Kept, every_level: bool = True) -> str:
    """Figures of the best classifier of each unit, beside baselines on the same data and what was published.

    Args:
        kept: the runs.
        every_level: whether its figures are shown at the levels above its unit too.
    """
    there = [name for name in BEST_RUNS.values() if name in kept.runs]
    parts = [_best(kept, there, every_level)] if there else []
    return "\n\n".join([*parts, *not_run(kept, BEST_RUNS.values())])


def _best(kept: Kept, names: Sequence[str], every_level: bool) -> str:
    published = kept.published["schler"]
    rows, said = [], []
    for name in names:
        run = kept.runs[name]
        levels = run.levels_of(["classifier"])
        levels = levels[levels["metric"].isin(BEST_METRICS)]
        if not every_level:
            levels = levels[levels["level"] == LEVELS[run.params("shards")["unit"]]]
        for (level, metric), figures in levels.groupby(["level", "metric"], sort=False):
            cells = {row.model: ranged(row.value, row.low, row.high) for row in records(figures)}
            other = published.get(f"{level}_{metric}")
            there = "" if other is None else f"{other:.3f}"
            rows.append((code(name), level, BEST_METRICS[str(metric)], *(cells[model] for model in BEST_MODELS), there))
        seconds = measured(run, "train_classifier")["seconds"]
        authors = count(run.figures("split.json")["test_authors"], "unknown author")
        changes = changes_of(kept, name) or "nothing changed"
        said.append(f"- {code(name)}: {changes}; {seconds / 60:.1f} minutes of training, {authors}.")
    confidence = f"{100 * kept.runs[names[0]].params('evaluate')['confidence']:g}"
    note = (
        f"Accuracies, and the negative log-likelihood in nats an item, with {confidence} % intervals over resamples of "
        f"the test's authors; linear models have learned from the same sequences. Schler et al., on all bloggers by "
        f"ten-fold cross-validation: {published['source']}."
    )
    header = ("run", "by", "of", *BEST_MODELS, "Schler et al.")
    return "\n\n".join([table(header, rows), note, "\n".join(said)])


def splits_block(kept: Kept) -> str:
    """The best runs again with other authors in each split: whether what one split says holds for others."""
    names = {
        unit: [best, *(name for name in kept.named if name.startswith(f"{unit}_split_"))]
        for unit, best in BEST_RUNS.items()
    }
    rows = [
        row for unit in names for row in _splits(unit, [kept.runs[name] for name in names[unit] if name in kept.runs])
    ]
    parts = [table(("unit", "seed of the split", *BEST_METRICS.values()), rows)] if rows else []
    return "\n\n".join([*parts, *not_run(kept, [name for unit in names for name in names[unit]])])


def _splits(unit: str, runs: Sequence[Run]) -> Iterator[tuple[str, ...]]:
    """A row a run, their means, and how far the network is from the linear model; nothing of a single run."""
    if len(runs) < 2:
        return
    models = list(BEST_MODELS[:2])
    by_seed = {}
    for run in runs:
        levels = run.levels_of(["classifier"])
        of_unit = levels[(levels["level"] == unit) & levels["model"].isin(models)]
        by_seed[run.params("split")["seed"]] = of_unit.pivot_table("value", "metric", "model")[models]
    values = pd.concat(by_seed, names=["seed"])
    by_metric = values.groupby("metric")
    for name, rows in (*by_seed.items(), ("mean", by_metric.mean())):
        cells = (" / ".join(f"{value:.3f}" for value in rows.loc[metric]) for metric in BEST_METRICS)
        yield unit, str(name), *cells
    ahead = (values[models[0]] - values[models[1]]).groupby("metric").agg(["mean", "min", "max"])
    cells = (
        f"{mean:+.3f} ({least:+.3f} to {most:+.3f})" for mean, least, most in ahead.loc[[*BEST_METRICS]].to_numpy()
    )
    yield unit, "difference", *cells
