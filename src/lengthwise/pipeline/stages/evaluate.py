"""The stage evaluate: a trained network on the test split, in figures and tables."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from lengthwise.core.labels import joint_class_names
from lengthwise.errors import FormatError
from lengthwise.evaluation.baseline_names import LINEAR, TABLES, together_name
from lengthwise.evaluation.baseline_task import SplitItems
from lengthwise.evaluation.item_predictions import ITEM_PREDICTIONS_NAME, read_item_predictions
from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.score import predictions_table, score_task
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.together import score_together
from lengthwise.models.config import Purpose
from lengthwise.models.saved import load_network
from lengthwise.models.saved_folder import CONFIG_NAME, VOCABULARY_NAME, read_config
from lengthwise.pipeline.stages.scored_columns import predicted_columns
from lengthwise.pipeline.stages.task_data import purpose_of, scoring_of, unit_of
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.schema import INDEX_NAME, ShardIndex
from lengthwise.system.files import file_digest, replacing_file, replacing_folder, write_metrics
from lengthwise.system.seals import rerun


def evaluate(
    shards: Path,
    model: Path,
    predictions: Path,
    tables: Path,
    bootstrap: Bootstrap,
    kernel: str = "auto",
    baselines: Path | None = None,
) -> dict[str, float]:
    """Score the test split once and write what came out.

    Args:
        shards: the folder of shards.
        model: the folder of the saved network.
        predictions: a Parquet file for each sequence's prediction, in the corpus's order.
        tables: a folder for `levels.csv`, and the tables of the task's scoring: by length, by step, by class; and for
            what network and linear model are worth together, where both predict one class of an item.
        bootstrap: how intervals are made.
        kernel: who computes the recurrent layers, see `lengthwise.native.choice`.
        baselines: the folder that the stage baselines writes, None to score the network alone.

    Returns:
        The headline figures; for seq2seq also `step_accuracy`, over all time steps, the article's figure for it.

    Raises:
        FormatError: the shards, the network or the baselines are absent or damaged, or the network or the baselines are
            of other shards.
        KernelError: the kernel is `native`, which cannot be built here, or does not compute the network's cell.
    """
    index = read_index(shards)
    test = read_split(shards, index, "test")
    _check_same_data(model, index)
    network = load_network(model, kernel)
    items = items_of(test.per_sequence, unit_of(network.config, index), index.form.words)
    task = network.config.task
    scoring = scoring_of(task, index)
    made = predicted_columns(network, scoring, test, "evaluate")
    scores = score_task(task, scoring, test, made, items, bootstrap)
    together = None
    if baselines is not None and isinstance(scoring, ClassScoring):
        split = SplitItems(test, items)
        linear = _said_by_linear(baselines, scoring, split, shards, index)
        together = score_together(together_name(task), scoring, split, made, linear, bootstrap)
    with replacing_folder(tables) as out:
        scores.write(out)
        if together is not None:
            (out / together_name(task)).mkdir()
            together.write(out / together_name(task))
            write_metrics(out / f"{together_name(task)}.json", together.headline)
    table = predictions_table(scoring, test, made)
    with replacing_file(predictions) as beside:
        pq.write_table(table, beside, compression="zstd", row_group_size=max(1, table.num_rows))
    if task == "seq2seq" and isinstance(scoring, ClassScoring):
        return scores.headline | {"step_accuracy": float(made["step_right"].sum() / made["step_count"].sum())}
    return scores.headline


def _said_by_linear(
    baselines: Path, scoring: ClassScoring, split: SplitItems, shards: Path, index: ShardIndex
) -> dict[str, np.ndarray]:
    """What the linear model says of the items of each level; nothing where it is not there."""
    folder = baselines / TABLES / LINEAR
    if not folder.is_dir():
        return {}
    classes = len(joint_class_names(scoring.factors))
    digest = file_digest(shards / INDEX_NAME)
    return read_item_predictions(folder / ITEM_PREDICTIONS_NAME, split, index.form.words, digest, classes)


def _check_same_data(model: Path, index: ShardIndex) -> None:
    """Refuse a network of another vocabulary or other classes: its figures would be of no use, and look as if."""
    config = read_config(model)
    expected = purpose_of(config.network.task, index)
    others = [name for name in _names() if getattr(config.network, name) != getattr(expected, name)]
    if others:
        what = "its classes and the size of its vocabulary"
    elif config.digests.get(VOCABULARY_NAME, index.vocabulary_digest) != index.vocabulary_digest:
        what = "its vocabulary"
    else:
        return
    raise FormatError(f"{model / CONFIG_NAME}: is not of these shards; expected {what} to be theirs; {rerun('train')}")


def _names() -> list[str]:
    return [field.name for field in fields(Purpose)]
