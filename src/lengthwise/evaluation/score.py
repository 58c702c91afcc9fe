"""A model's predictions for a split, of any task, in figures and tables: what the stages evaluate and baselines write.

scoring = TagScoring("upos", ("ADJ", "NOUN", ...))
scores = score_task(scoring, test, {"predicted": ..., "log_probability": ...}, items, judge)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.item_table import ITEMS_NAME, LevelScores, write_item_scores
from lengthwise.evaluation.level_tables import COLUMNS, headline
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.metric import headline_name
from lengthwise.evaluation.ratios import SAME, Ratio
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.scoring.registry import metric_of, scoring_from_json, scoring_to_json
from lengthwise.evaluation.scoring.task_scoring import PredictedColumns, RatioLevel, ScoredLevel, TaskScoring, as_ratio

SCORING_KEY = b"lengthwise.scoring"


@dataclass(frozen=True)
class TaskScores:
    """What a model is worth.

    Attributes:
        figures: every figure with its interval, with the columns of `levels.csv`.
        levels: what was scored, with what each item adds to the metrics, for paired differences.
        tables: by the name of a file, what plots draw.
    """

    figures: pd.DataFrame
    levels: Sequence[ScoredLevel]
    tables: dict[str, pd.DataFrame]

    @property
    def headline(self) -> dict[str, float]:
        """The few figures that a table of experiments shows."""
        return headline(self.figures)

    def write(self, folder: Path) -> None:
        """Write `levels.csv`, all tables, and what each item adds to the metrics."""
        for name, table in {"levels.csv": self.figures, **self.tables}.items():
            table.to_csv(folder / name, index=False)
        scores = [LevelScores(level.name, level.group, level.item_scores()) for level in self.levels]
        write_item_scores(folder / ITEMS_NAME, scores)


def score_task(
    model: str,
    scoring: TaskScoring,
    sequences: Sequences,
    predictions: PredictedColumns,
    items: Sequence[Items],
    bootstrap: Bootstrap,
) -> TaskScores:
    """Score a model's predictions for a split.

    Args:
        model: its name in the figures.
        scoring: of its task.
        sequences: of the split.
        predictions: for these, as `scoring` says.
        items: of each level, see `lengthwise.evaluation.levels.items_of`.
        bootstrap: how intervals are made.
    """
    levels = scoring.levels(sequences, predictions, items)
    return TaskScores(figures_of(model, levels, bootstrap), levels, scoring.tables(sequences, predictions, items))


def figures_of(model: str, levels: Sequence[ScoredLevel], bootstrap: Bootstrap) -> pd.DataFrame:
    """The figures of all levels, with the columns of `levels.csv`."""
    figures = pd.concat([level.figures(bootstrap).assign(level=level.name) for level in levels])
    return figures.assign(model=model)[list(COLUMNS)]


def points_of(levels: Sequence[ScoredLevel]) -> dict[str, float]:
    """What a choice is made by, without intervals: the metrics by `<level>_<name>`, each as the headline calls it."""
    return {f"{level.name}_{headline_name(name)}": of for level in levels for name, of in level.values().items()}


def sums_by_group(levels: Sequence[ScoredLevel]) -> pd.DataFrame:
    """What each group adds to the first metric of each level that is better the higher it is, and to its loss.

    Returns:
        Columns level, author (the group), items, right and nll, sums over the group. `right` over `items` is the
        metric, `nll` over `items` the loss: nats of classes, tags, labels and tokens, absolute errors of numbers. It is
        empty where a level has no loss. A level without such a metric has no rows.
    """
    tables = []
    for level in levels:
        good, bad = (_first_judged(level, direction) for direction in (1, -1))
        if good is not None:
            loss = np.full(len(level.group), np.nan) if bad is None else bad.numerator
            columns = {"items": _whole(good.denominator), "right": _whole(good.numerator), "nll": loss}
            groups = pd.DataFrame({"author": level.group, **columns}).groupby("author")
            sums = groups[["items", "right"]].sum().join(groups["nll"].sum(min_count=1))
            tables.append(sums.reset_index().assign(level=level.name)[["level", "author", *columns]])
    return pd.concat(tables)


def loss_of_level(level: ScoredLevel) -> float:
    """The value of the first metric of a level that is better the smaller it is; 0 where it has none."""
    loss = _first_judged(level, -1)
    return 0.0 if loss is None else loss.value


def _first_judged(level: ScoredLevel, direction: int) -> Ratio | None:
    """The first metric of a level that is better in a direction, as a ratio of sums over its items."""
    for name in level.values():
        metric = metric_of(name)
        if metric is None or metric.direction != direction:
            continue
        ratio = level.judged[name] if isinstance(level, RatioLevel) else None
        if ratio is None or ratio.link is not SAME or ratio.numerator.ndim > 1:
            return as_ratio(level.item_scores()[name])
        return Ratio(ratio.numerator * np.log(2), ratio.denominator) if name == "bits" else ratio
    return None


def _whole(values: np.ndarray) -> np.ndarray:
    """Whole numbers as such."""
    return values.astype(np.int64) if (values == np.rint(values)).all() else values


def predictions_table(scoring: TaskScoring, sequences: Sequences, predictions: PredictedColumns) -> pa.Table:
    """What a file of predictions holds: a row a sequence, in the corpus's order; columns per step are lists.

    All predictions but those of classes say in their metadata what scores them.
    """
    kept = scoring.kept(sequences, predictions)
    kept = kept.take(np.argsort(kept["sequence"], kind="stable"))
    columns = {name: _arrow(values) for name, values in kept.per_sequence.items()}
    for name, values in kept.per_step.items():
        columns[name] = pa.LargeListArray.from_arrays(pa.array(kept.offsets), pa.array(values))
    said = {} if isinstance(scoring, ClassScoring) else {SCORING_KEY: scoring_to_json(scoring).encode()}
    return pa.table(columns).replace_schema_metadata(said)


def scoring_of_table(table: pa.Table) -> TaskScoring | None:
    """What scores a table of predictions, if it says so.

    Raises:
        ValueError: what it says makes no sense.
    """
    said = (table.schema.metadata or {}).get(SCORING_KEY)
    return None if said is None else scoring_from_json(said.decode())


def read_predictions(scoring: TaskScoring, table: pa.Table) -> tuple[Sequences, PredictedColumns]:
    """The sequences of a table of predictions, and what was predicted of them: what a scoring's levels are made of.

    Sequences of which nothing was predicted at steps have none.
    """
    lengths, per_step, per_sequence = np.zeros(len(table), np.int64), {}, {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.combine_chunks()
        if pa.types.is_large_list(values.type):
            lengths, per_step[name] = np.asarray(values.value_lengths()), values.flatten().to_numpy()
        elif pa.types.is_fixed_size_list(values.type):
            per_sequence[name] = values.flatten().to_numpy().reshape(len(values), -1)
        else:
            per_sequence[name] = values.to_numpy()
    kept = Sequences(offsets_of(lengths), per_step, per_sequence)
    return kept, scoring.from_kept(kept)


def _arrow(values: np.ndarray) -> pa.Array:
    flat = pa.array(values.reshape(-1))
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
