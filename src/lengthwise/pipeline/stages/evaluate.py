"""The stage evaluate: a trained network on the test split, in figures and tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import FormatError
from lengthwise.evaluation.level_tables import headline, level_figures, write_level_tables
from lengthwise.evaluation.levels import items_of, pool
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.models.prediction import Predictions, predict_split
from lengthwise.models.saved import CONFIG_NAME, VOCABULARY_NAME, load_network, read_config
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.schema import ShardIndex
from lengthwise.sequences import LABEL, Sequences
from lengthwise.system.files import replacing_file, replacing_folder
from lengthwise.system.seals import rerun


def evaluate(
    shards: Path, model: Path, predictions: Path, tables: Path, bootstrap: Bootstrap, kernel: str = "auto"
) -> dict[str, float]:
    """Score the test split once and write what came out.

    Args:
        shards: the folder of shards.
        model: the folder of the saved network.
        predictions: a Parquet file for each sequence's prediction, in the corpus's order.
        tables: a folder for `levels.csv`, `confusion_<level>.csv`, `by_length.csv` and `by_step.csv`.
        bootstrap: how intervals are made.
        kernel: who computes the recurrent layers, see `lengthwise.native.choice`.

    Returns:
        The headline figures; for seq2seq also `step_accuracy`, over all time steps, the article's figure for it.

    Raises:
        FormatError: the shards or the network are absent or damaged, or the network is of other shards.
        KernelError: the kernel is `native`, which cannot be built here, or does not compute the network's cell.
    """
    index = read_index(shards)
    test = read_split(shards, index, "test")
    items = items_of(test.per_sequence, index.unit)
    _check_same_data(model, index)
    network = load_network(model, kernel)
    made = predict_split(network, test)
    levels = [pool(of_level, made.log_probabilities) for of_level in items]
    figures = level_figures(network.config.task, levels, index.factors, bootstrap)
    with replacing_folder(tables) as out:
        write_level_tables(out, figures, levels, index.factors)
        _by_length(test, made).to_csv(out / "by_length.csv", index=False)
        _by_step(made).to_csv(out / "by_step.csv", index=False)
    _write_predictions(predictions, test, made)
    step_accuracy = float(made.step_right.sum() / made.step_count.sum())
    return headline(figures) | ({"step_accuracy": step_accuracy} if network.config.task == "seq2seq" else {})


def _check_same_data(model: Path, index: ShardIndex) -> None:
    """Refuse a network of another vocabulary or other classes: its figures would be of no use, and look as if."""
    config = read_config(model)
    if list(config.network.factors) != index.factors or config.network.vocabulary_size != index.vocabulary_size:
        what = "its classes and the size of its vocabulary"
    elif config.digests.get(VOCABULARY_NAME, index.vocabulary_digest) != index.vocabulary_digest:
        what = "its vocabulary"
    else:
        return
    raise FormatError(f"{model / CONFIG_NAME}: is not of these shards; expected {what} to be theirs; {rerun('train')}")


def _by_length(test: Sequences, made: Predictions) -> pd.DataFrame:
    right = made.log_probabilities.argmax(axis=1) == test[LABEL]
    frame = pd.DataFrame({"length": test.lengths, "accuracy": right.astype(float)})
    return frame.groupby("length")["accuracy"].agg(count="count", accuracy="mean").reset_index()


def _by_step(made: Predictions) -> pd.DataFrame:
    step = np.flatnonzero(made.step_count)
    accuracy = made.step_right[step] / made.step_count[step]
    return pd.DataFrame({"step": step + 1, "count": made.step_count[step], "accuracy": accuracy})


def _write_predictions(path: Path, test: Sequences, made: Predictions) -> None:
    order = np.argsort(test["sequence"])
    columns = {
        "sequence": test["sequence"][order],
        "document": test["document"][order],
        "author": test["author"][order],
        "label": test[LABEL][order],
        **{f"log_probability_{number}": column[order] for number, column in enumerate(made.log_probabilities.T)},
    }
    with replacing_file(path) as beside:
        pq.write_table(pa.table(columns), beside, compression="zstd", row_group_size=max(1, len(order)))
