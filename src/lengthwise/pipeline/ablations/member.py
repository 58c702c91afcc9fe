"""One member of an ablation: a network trained with one seed, and what it gets right of each test author."""

import json
from pathlib import Path

import pandas as pd

from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.score import sums_by_group
from lengthwise.models.saved import load_network
from lengthwise.pipeline.ablations.member_files import AUTHORS_NAME, EPOCHS_NAME, SHARDS_NAME, read_settings
from lengthwise.pipeline.stages.scored_columns import predicted_columns
from lengthwise.pipeline.stages.task_data import scoring_of
from lengthwise.pipeline.stages.train.live import LiveFiles
from lengthwise.pipeline.stages.train.training_run import TrainFiles, TrainResult, train
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.system.files import replacing_folder, scratch_folder


def run_member(seed: int, shards: Path, prepared: Path, member: Path) -> TrainResult:
    """Train, predict the test split, and write the folder `member`.

    `authors.csv` has a row for each level and author: how many items there are, how many are right, and the sum of
    their negative log-likelihoods in nats, see `lengthwise.evaluation.score.sums_by_group`. `epochs.csv` is training's.

    Args:
        seed: of training.
        shards: of the pipeline.
        prepared: the ablation's folder, see `prepare`; its shards are taken if there are any.
        member: the folder.

    Returns:
        Figures that are the same in every run, and times.
    """
    settings = read_settings(prepared)
    own = prepared / SHARDS_NAME
    shards = own if own.is_dir() else shards
    with replacing_folder(member) as folder, scratch_folder(member) as scratch:
        live = LiveFiles(scratch / EPOCHS_NAME, scratch / "steps.csv", scratch / "live.json")
        files = TrainFiles(scratch / "model", scratch / "figures", live)
        params = settings.train.model_copy(update={"seed": seed})
        trained = train(shards, files, settings.task, params)
        index = read_index(shards)
        test = read_split(shards, index, "test")
        scoring = scoring_of(settings.task, index)
        made = predicted_columns(load_network(files.model, settings.kernel), scoring, test, "evaluate")
        items = items_of(test.per_sequence, index.unit, index.form.words)
        sums_by_group(scoring.levels(test, made, items)).to_csv(folder / AUTHORS_NAME, index=False)
        epochs = pd.read_csv(live.epochs)
        epochs.to_csv(folder / EPOCHS_NAME, index=False)
        cost = json.loads((files.figures / "cost.json").read_text(encoding="utf-8"))
    metrics = {name: cost[name] for name in ("parameters", "steps", "padding_share")}
    reached = steps_to(epochs, settings.accuracy, cost["batches"])
    tokens = float(index.splits["train"].tokens)
    seconds = tokens / max(float(trained.timing["tokens_per_second"]), 1e-9)
    return TrainResult(
        metrics | ({} if reached is None else {"steps_to_accuracy": reached}),
        {**trained.timing, "seconds_per_epoch": round(seconds, 3)},
    )


def steps_to(epochs: pd.DataFrame, accuracy: float, batches: int) -> int | None:
    """Steps at the end of the first epoch that is so good on the validation split; None if there is none.

    Args:
        epochs: with the columns epoch, from 1, and validation_accuracy, which is absent where that split is empty.
        accuracy: how good.
        batches: steps of an epoch.
    """
    if "validation_accuracy" not in epochs:
        return None
    good = epochs["epoch"][epochs["validation_accuracy"] >= accuracy]
    return None if good.empty else int(good.iloc[0]) * batches
