"""The stage baselines: shards in, the figures of simple models of each task out."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lengthwise.core.names import LABEL_TASKS, Split, Task
from lengthwise.evaluation.baseline_names import LINEAR, TABLES, baseline_name
from lengthwise.evaluation.baseline_options import BaselineOptions
from lengthwise.evaluation.baseline_task import BaselineTask, SplitItems
from lengthwise.evaluation.fit_baselines import (
    baseline_points,
    baseline_work,
    fit_baselines,
    score_baseline,
)
from lengthwise.evaluation.item_predictions import ITEM_PREDICTIONS_NAME, write_item_predictions
from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.pipeline.stages.task_data import inputs_of, purpose_of, scoring_of
from lengthwise.prepare.shards.encoding import read_shard_encoding
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.schema import INDEX_NAME
from lengthwise.system.files import file_digest, replacing_folder, write_metrics
from lengthwise.system.progress import Progress


def evaluate_baselines(
    shards: Path, folder: Path, tasks: Sequence[Task], options: BaselineOptions, bootstrap: Bootstrap
) -> dict[str, dict[str, float]]:
    """Fit the baselines of each task on the training split and score the test split.

    Args:
        shards: the folder of shards.
        folder: gets, per baseline, a JSON file of its headline and a folder below `tables`; in that of `linear`, where
            it predicts one class of each item, what it says of the test items.
        tasks: those that networks are trained for; the two that predict labels have the same baselines.
        options: how they are fitted.
        bootstrap: how intervals are made.

    Returns:
        The headline figures of each baseline by its name; where there is a validation split, also its figures,
        `validation_<level>_...`: what is chosen, such as the options, is to be chosen by them.

    Raises:
        FormatError: the shards are absent or damaged, or do not have what a task needs.
    """
    index = read_index(shards)
    splits: dict[Split, SplitItems] = {}
    for name in ("train", "test", "validation"):
        sequences = read_split(shards, index, name)
        if len(sequences) or name != "validation":
            splits[name] = SplitItems(sequences, items_of(sequences.per_sequence, index.unit, index.form.words))
    asked = [splits[name] for name in splits if name != "train"]
    tokens = () if options.linear.characters is None else read_shard_encoding(shards, index).vocabulary.tokens
    headlines: dict[str, dict[str, float]] = {}
    with replacing_folder(folder) as out:
        for task in _of_different_targets(tasks):
            purpose_of(task, index)
            judge = len(asked) - 1 if "validation" in splits else None
            of_task = BaselineTask(scoring_of(task, index), inputs_of(index), options, judge, tokens)
            with Progress("baselines", baseline_work(of_task, splits["train"]), "iterations") as progress:
                fitted = fit_baselines(of_task, splits["train"], asked, progress)
            for model, (on_test, *on_validation) in fitted.predictions.items():
                name = baseline_name(task, model)
                scores = score_baseline(name, of_task.scoring, splits["test"], on_test, bootstrap)
                headlines[name] = dict(scores.headline)
                for by_level in on_validation:
                    points = baseline_points(of_task.scoring, splits["validation"], by_level)
                    headlines[name] |= {f"validation_{figure}": value for figure, value in points.items()}
                (out / TABLES / name).mkdir(parents=True)
                scores.write(out / TABLES / name)
                if name == LINEAR and isinstance(of_task.scoring, ClassScoring):
                    place = out / TABLES / name / ITEM_PREDICTIONS_NAME
                    digest = file_digest(shards / INDEX_NAME)
                    write_item_predictions(place, splits["test"], on_test, index.form.words, digest)
                for table, rows in (("regularization", fitted.tried), ("fits", fitted.fits)):
                    if model == "linear" and rows:
                        pd.DataFrame(rows).to_csv(out / TABLES / name / f"{table}.csv", index=False)
                write_metrics(out / f"{name}.json", headlines[name])
    return headlines


def _of_different_targets(tasks: Sequence[Task]) -> list[Task]:
    """One of the tasks that predict labels, and all others."""
    labels = [task for task in tasks if task in LABEL_TASKS]
    return [*labels[:1], *(task for task in tasks if task not in LABEL_TASKS)]
