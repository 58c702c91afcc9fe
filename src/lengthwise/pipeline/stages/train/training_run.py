"""The stage train: shards in, a saved network and the run's figures out."""

import os
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lengthwise.core.names import Task
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.models.config import NetworkConfig
from lengthwise.models.ensemble import Ensemble, make_network
from lengthwise.models.groups import groups_of
from lengthwise.models.network import Network
from lengthwise.models.saved import save_network
from lengthwise.native.arch import arch_of_run
from lengthwise.native.choice import choose_kernel
from lengthwise.pipeline.stages.task_data import purpose_of
from lengthwise.pipeline.stages.train.events import EventFolder
from lengthwise.pipeline.stages.train.live import LiveFigures, LiveFiles
from lengthwise.pipeline.stages.train.machines import team_of_first, team_of_other
from lengthwise.pipeline.stages.train.outcome import validation_figures, write_figures
from lengthwise.pipeline.stages.train.pretrained import begin_with_wanted, wanted_digest
from lengthwise.prepare.shards.encoding import read_shard_encoding
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.schema import INDEX_NAME, ShardIndex
from lengthwise.prepare.shards.shard_blocks import ShardBlocks
from lengthwise.prepare.shards.text_encoding import TextEncoding
from lengthwise.system.files import file_digest
from lengthwise.training.determinism import start_tensorflow
from lengthwise.training.epoch_parts import EpochParts, InMemory, Windowed
from lengthwise.training.group_parts import GroupsInMemory
from lengthwise.training.loop import Training
from lengthwise.training.resume import RunDigests, run_digests
from lengthwise.training.team import Team
from lengthwise.training.training_settings import TrainingSettings
from lengthwise.training.watch import Unwatched

if TYPE_CHECKING:
    from lengthwise.pipeline.settings.params import TrainParams

RESUME_FOLDER = Path(".lengthwise") / "resume"


@dataclass(frozen=True)
class TrainFiles:
    """What a run writes.

    Attributes:
        model: the folder of the saved network.
        figures: the folder for `figures.json`, `batching.csv`, `lengths.csv` and `cost.json`.
        live: what it shows of itself while it trains.
    """

    model: Path
    figures: Path
    live: LiveFiles


@dataclass(frozen=True)
class TrainResult:
    """What a run reports: reproducible metrics, and rates of this machine."""

    metrics: dict[str, float | int | str]
    timing: dict[str, float | int | str]


@dataclass(frozen=True)
class _Begun:
    """A run that is ready to train, and what it is made of."""

    run: Training
    network: Network | Ensemble
    training: EpochParts
    validation: Sequences
    index: ShardIndex
    encoding: TextEncoding
    digests: RunDigests
    figures: dict[str, float | int | str]


def train(shards: Path, files: TrainFiles, task: str, params: "TrainParams") -> TrainResult:
    """Train a network for one of `TASKS` and save it.

    A run that was killed goes on where it was, to the same bytes.

    Args:
        shards: the folder of shards.
        files: what to write.
        task: a name in `TASKS`.
        params: the section `train`.

    Raises:
        FormatError: the shards are absent or damaged.
        ArgumentError: the strategy cannot plan these lengths; or the loop or the vectors refuse a setting.
        VectorsError: the vectors that the network is to begin with cannot be read.
        KernelError: the kernel is `native`, and it cannot be built here.
        WorkerError: another process of the training did not come, or is gone.
        OutputError: there is no room, or no permission.
    """
    if params.logical_shards is None:
        return _train(shards, files, task, params, None)
    with team_of_first(params.logical_shards, os.environ, task, shards) as team:
        return _train(shards, files, task, params, team)


def join_training(shards: Path, task: str, params: "TrainParams") -> None:
    """Take part in a training that another process began by `train`, to its end; write nothing.

    Args:
        shards: the folder of shards.
        task: a name in `TASKS`.
        params: the section `train`.

    Raises:
        ArgumentError: there are no logical shards to compute.
        WorkerError: the first process is not there, is gone, or trains something else.
    """
    if params.logical_shards is None:
        raise ArgumentError("logical_shards", "got nothing; expected a number", "set it, as where the training began")
    with team_of_other(params.logical_shards, os.environ) as team:
        begun = _begin(shards, task, params, team)
        # One process shows how far the run is.
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
            begun.run.complete(Unwatched())


def _train(shards: Path, files: TrainFiles, task: str, params: "TrainParams", team: Team | None) -> TrainResult:
    begun = _begin(shards, task, params, team)
    run, network, index = begun.run, begun.network, begun.index
    root = files.live.events
    events = None if root is None else EventFolder(root, task, begun.digests.name, run.resumed_at > 0)
    with LiveFigures(files.live, task, len(begun.validation) > 0, events) as live:
        run.complete(live)
        save_network(network, files.model, begun.encoding)
        result = TrainResult(run.metrics() | begun.figures, run.timing())
        result.metrics.update(validation_figures(network, begun.validation, index))
        write_figures(files.figures, begun.training, params, run.cost(), result.metrics)
    run.state.clear()
    return result


def _begin(shards: Path, task: str, params: "TrainParams", team: Team | None) -> _Begun:
    index = read_index(shards)
    training = training_parts(shards, index, params)
    validation = read_split(shards, index, "validation")
    encoding = read_shard_encoding(shards, index)
    architecture = params.model.architecture
    # What `auto` comes to: kernels, and one kernel's instruction sets, differ in the last bits.
    kernel = choose_kernel(params.kernel, architecture.cell, architecture.activation)
    arch = arch_of_run(kernel)
    start_tensorflow(params.course.seed, kernel, None if team is None else team.threads)
    config = NetworkConfig(**vars(purpose_of(cast(Task, task), index)), **asdict(architecture))
    network = make_network(config, kernel)
    vectors = params.model.pretrained
    still, begun = begin_with_wanted(network, vectors, encoding.vocabulary)
    settings = {"task": task, **params.model_dump(), "kernel": kernel, "kernel_arch": arch}
    settings["vectors"] = wanted_digest(vectors)
    digests = run_digests(task, settings, file_digest(shards / INDEX_NAME))
    if team is not None:
        team.agree({"kernel": kernel, "kernel_arch": arch, **asdict(digests)})
    run = Training(network, training, validation, training_settings(params), RESUME_FOLDER, digests, still, team)
    return _Begun(run, network, training, validation, index, encoding, digests, begun)


def training_parts(shards: Path, index: ShardIndex, params: "TrainParams") -> EpochParts:
    """The training sequences: all in memory, or through a window of blocks.

    Raises:
        FormatError: the shards are absent or damaged.
    """
    window = params.batching.window_blocks
    if params.model.architecture.outer != "none":
        return GroupsInMemory(groups_of(read_split(shards, index, "train")), params.batching.sample)
    if window is None:
        return InMemory(read_split(shards, index, "train"), params.batching.group_limit)
    return Windowed(ShardBlocks(shards, index, "train"), window, params.course.seed)


def training_settings(params: "TrainParams") -> TrainingSettings:
    """What the section `train` says of the loop."""
    batching = params.batching
    return TrainingSettings(
        params.course, batching.chosen, batching.padding, params.optimizer.settings, params.class_weights
    )
