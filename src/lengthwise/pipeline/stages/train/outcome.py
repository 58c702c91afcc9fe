"""What a run has to say beside its curves: the figures of its end, what it cost, and what its batches are made of."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.stats import stats_of_plans
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.score import points_of
from lengthwise.models.ensemble import Ensemble
from lengthwise.models.network import Network
from lengthwise.pipeline.stages.scored_columns import predicted_columns
from lengthwise.pipeline.stages.task_data import scoring_of, unit_of
from lengthwise.prepare.shards.schema import ShardIndex
from lengthwise.system.files import replacing_folder, write_metrics
from lengthwise.training.epoch_parts import EpochParts

if TYPE_CHECKING:
    from lengthwise.pipeline.settings.params import TrainParams
    from lengthwise.training.loop import NamedFigures


def write_figures(
    folder: Path, training: EpochParts, params: "TrainParams", cost: "NamedFigures", metrics: "NamedFigures"
) -> None:
    """Write the folder of a complete run.

    Args:
        folder: gets `figures.json`, `cost.json`, `batching.csv` and `lengths.csv`.
        training: what the network was trained on.
        params: the section `train`.
        cost: what the run took, whatever the machine.
        metrics: of the last epoch, and of validation by level.

    Raises:
        OutputError: there is no room, or no permission.
    """
    with replacing_folder(folder) as out:
        batching_table(training, params).to_csv(out / "batching.csv", index=False)
        lengths_table(training).to_csv(out / "lengths.csv", index=False)
        write_metrics(out / "cost.json", cost)
        write_metrics(out / "figures.json", metrics)


def batching_table(training: EpochParts, params: "TrainParams") -> pd.DataFrame:
    """What an epoch costs under every strategy, with this run's settings: a row a strategy that can plan it."""
    rows = []
    for name in sorted(STRATEGIES):
        try:
            strategy = make_strategy(name, params.batching.model_dump())
            stats = stats_of_plans(training.plans(strategy, params.course.seed).epoch(0))
        except ArgumentError:  # Another strategy's budget is no reason to fail.
            continue
        rows.append({"strategy": name, **asdict(stats)})
    return pd.DataFrame(rows)


def lengths_table(training: EpochParts) -> pd.DataFrame:
    """How many sequences have a length: columns length, in tokens, and sequences."""
    return pd.DataFrame(training.length_counts, columns=["length", "sequences"])


def validation_figures(network: Network | Ensemble, validation: Sequences, index: ShardIndex) -> dict[str, float]:
    """Figures of the validation split by level, `validation_<level>_...`: what is chosen is to be chosen by them."""
    if not len(validation):
        return {}
    scoring = scoring_of(network.config.task, index)
    made = predicted_columns(network, scoring, validation, "validation")
    items = items_of(validation.per_sequence, unit_of(network.config, index), index.form.words)
    return {f"validation_{name}": value for name, value in points_of(scoring.levels(validation, made, items)).items()}
