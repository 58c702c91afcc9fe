"""One table over all folds, in which each test item of the corpus is there once: figures, folds and differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lengthwise.errors import SweepError
from lengthwise.evaluation.baseline_names import LINEAR, is_baseline_of, is_together, model_of, together_name
from lengthwise.evaluation.item_figures import mean_figures, paired_figures
from lengthwise.evaluation.item_table import LevelScores, joined
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.scoring.registry import metric_of
from lengthwise.pipeline.sweeps.fold_runs import FoldItems
from lengthwise.system.files import replacing_folder

TEXT_NAME = "folds.md"
DIGITS = 6


@dataclass(frozen=True)
class FoldTables:
    """What a cross-validation says.

    Attributes:
        figures: of all test items together, with the columns of `levels.csv`.
        by_fold: columns fold, groups, model, level, items, metric, value.
        differences: of each network less each baseline, and of a network and the linear model together less each of the
            two; columns network, baseline, level, metric, one, other, difference, low, high.
        head: what was tested, in a sentence.
    """

    figures: pd.DataFrame
    by_fold: pd.DataFrame
    differences: pd.DataFrame
    head: str

    def text(self) -> str:
        """All of it for a person, in Markdown."""
        return "\n\n".join(filter(None, (self.head, self._figures(), self._folds(), self._differences())))

    def write(self, folder: Path) -> None:
        """Write `levels.csv`, `folds.csv`, `differences.csv` and `folds.md`, and nothing else, into a folder.

        Raises:
            OutputError: there is no room, or no permission.
        """
        tables = {"levels": self.figures, "folds": self.by_fold, "differences": self.differences}
        with replacing_folder(folder) as out:
            for name, of in tables.items():
                of.to_csv(out / f"{name}.csv", index=False, float_format=f"%.{DIGITS}g")
            (out / TEXT_NAME).write_text(f"{self.text()}\n", encoding="utf-8")

    def _figures(self) -> str:
        models = [*dict.fromkeys(self.figures["model"])]
        cells = {
            (row.level, row.metric, row.model): _ranged(row.value, row.low, row.high) for row in _records(self.figures)
        }
        rows = dict.fromkeys((level, metric) for level, metric, _ in cells)
        lines = [[*row, *(cells.get((*row, model), "") for model in models)] for row in rows]
        return _table(["level", "metric", *map(_words, models)], lines)

    def _folds(self) -> str:
        """The first metric of the finest level, fold by fold."""
        first = self.by_fold.iloc[0]
        shown = self.by_fold[(self.by_fold["level"] == first["level"]) & (self.by_fold["metric"] == first["metric"])]
        models = [*dict.fromkeys(shown["model"])]
        sizes = {row.fold: (row.groups, row.items) for row in _records(shown)}
        values = shown["value"].to_numpy().reshape(len(sizes), len(models))
        lines = [
            [fold, *(f"{number:,}" for number in size), *(f"{value:.3f}" for value in row)]
            for (fold, size), row in zip(sizes.items(), values, strict=True)
        ]
        ends = {"mean": values.mean(axis=0), "standard deviation": values.std(axis=0, ddof=1)}
        lines += [[name, "", "", *(f"{value:.3f}" for value in of)] for name, of in ends.items()]
        title = f"By fold, {first['metric']} by {first['level']}:"
        header = ["fold", "groups", f"{first['level']}s", *map(_words, models)]
        return f"{title}\n\n{_table(header, lines)}"

    def _differences(self) -> str:
        """Of each network less the baseline that is best, and of two together less each."""
        best: dict[tuple[str, str, str, str], Any] = {}
        for row in _records(self.differences):
            part = row.baseline if is_together(row.network) else ""
            known, place = metric_of(row.metric), (row.network, row.level, row.metric, part)
            direction = known.direction if known else 1
            if place not in best or direction * row.other > direction * best[place].other:
                best[place] = row
        lines = [
            [
                level,
                metric,
                _words(network),
                of.baseline,
                _ranged(of.difference, of.low, of.high, "+"),
            ]
            for (network, level, metric, _), of in best.items()
        ]
        more = ", and of two together from each" if any(is_together(row.network) for row in best.values()) else ""
        header = ["level", "metric", "network", "less", "difference"]
        return f"Paired differences from the best baseline{more}:\n\n{_table(header, lines)}" if lines else ""


def pooled(folds: Sequence[FoldItems], is_grouped: bool, bootstrap: Bootstrap) -> FoldTables:
    """The tables of a cross-validation.

    Args:
        folds: in their order.
        is_grouped: whether no group may be in two of them.
        bootstrap: how intervals are made.

    Raises:
        SweepError: two folds test the same group, so they are not of one cross-validation.
    """
    together = {model: joined([fold.models[model] for fold in folds]) for model in _common(folds)}
    levels = next(iter(together.values()))
    groups = [np.unique(fold.models[next(iter(together))][0].group) for fold in folds]
    tested = np.unique(np.concatenate(groups))
    if is_grouped and len(tested) < sum(map(len, groups)):
        raise SweepError(
            f"folds: {sum(map(len, groups)) - len(tested)} groups are tested more than once; expected folds of one "
            "corpus and one split.seed; dvc exp remove their experiments, and run this again"
        )
    sizes = [f"{len(level.group):,} {level.name}s" for level in levels]
    once = ", each in one fold" if is_grouped else ""
    head = f"{len(folds)} folds test {len(tested):,} groups{once}: {', '.join(sizes)}."
    figures = pd.concat([mean_figures(model, of, bootstrap) for model, of in together.items()], ignore_index=True)
    return FoldTables(figures, _by_fold(folds, [*together]), _differences(folds[0], together, bootstrap), head)


def _common(folds: Sequence[FoldItems]) -> list[str]:
    return [model for model in folds[0].models if all(model in fold.models for fold in folds)]


def _by_fold(folds: Sequence[FoldItems], models: Sequence[str]) -> pd.DataFrame:
    rows = [
        (number, len(np.unique(level.group)), model, level.name, len(level.group), metric, float(scores.mean()))
        for number, fold in enumerate(folds)
        for model in models
        for level in fold.models[model]
        for metric, scores in level.scores.items()
    ]
    return pd.DataFrame(rows, columns=["fold", "groups", "model", "level", "items", "metric", "value"])


def _differences(fold: FoldItems, together: Mapping[str, Sequence[LevelScores]], bootstrap: Bootstrap) -> pd.DataFrame:
    pairs = [
        (task, baseline) for task in fold.networks for baseline in fold.baselines if is_baseline_of(task, baseline)
    ]
    for task in fold.networks:
        pairs += [(together_name(task), part) for part in (LINEAR, task)]
    tables = [
        paired_figures(together[network], together[baseline], bootstrap.confidence).assign(
            network=network, baseline=baseline
        )
        for network, baseline in pairs
        if network in together and baseline in together
    ]
    columns = ["network", "baseline", "level", "metric", "one", "other", "difference", "low", "high"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _records(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples(index=False))


def _words(model: str) -> str:
    """A model's name; of two together in words."""
    return model_of(model) if is_together(model) else model


def _ranged(value: float, low: float, high: float, sign: str = "") -> str:
    """A figure with its interval; of a difference with a plus or a real minus."""
    figures = [f"{figure:{sign}.3f}" for figure in (value, low, high)]
    value_text, low_text, high_text = (figure.replace("-", "\N{MINUS SIGN}") for figure in figures)
    return f"{value_text} ({low_text} to {high_text})"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (header, ["---"] * len(header), *rows))
