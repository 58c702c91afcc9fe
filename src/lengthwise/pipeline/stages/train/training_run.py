"""The stage train: shards in, a saved network and the run's figures out."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lengthwise.core.names import Task
from lengthwise.models.config import NetworkConfig
from lengthwise.models.ensemble import make_network
from lengthwise.models.saved import save_network
from lengthwise.native.arch import arch_of_run
from lengthwise.native.choice import choose_kernel
from lengthwise.pipeline.stages.task_data import purpose_of
from lengthwise.pipeline.stages.train.events import EventFolder
from lengthwise.pipeline.stages.train.live import LiveFigures, LiveFiles
from lengthwise.pipeline.stages.train.outcome import validation_figures, write_figures
from lengthwise.pipeline.stages.train.pretrained import begin_with_wanted, wanted_digest
from lengthwise.prepare.shards.encoding import read_shard_encoding
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.schema import INDEX_NAME, ShardIndex
from lengthwise.prepare.shards.shard_blocks import ShardBlocks
from lengthwise.system.files import file_digest
from lengthwise.training.epoch_parts import EpochParts, InMemory, Windowed
from lengthwise.training.loop import Training, start_tensorflow
from lengthwise.training.resume import run_digests
from lengthwise.training.training_settings import TrainingSettings

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
        OutputError: there is no room, or no permission.
    """
    index = read_index(shards)
    training = training_parts(shards, index, params)
    validation = read_split(shards, index, "validation")
    encoding = read_shard_encoding(shards, index)
    architecture = params.model.architecture
    # What `auto` comes to: kernels, and one kernel's instruction sets, differ in the last bits.
    kernel = choose_kernel(params.kernel, architecture.cell, architecture.activation)
    start_tensorflow(params.course.seed, kernel)
    config = NetworkConfig(**vars(purpose_of(cast(Task, task), index)), **asdict(architecture))
    network = make_network(config, kernel)
    vectors = params.model.pretrained
    still, begun = begin_with_wanted(network, vectors, encoding.vocabulary)
    settings = {"task": task, **params.model_dump(), "kernel": kernel, "kernel_arch": arch_of_run(kernel)}
    settings["vectors"] = wanted_digest(vectors)
    digests = run_digests(task, settings, file_digest(shards / INDEX_NAME))
    run = Training(network, training, validation, training_settings(params), RESUME_FOLDER, digests, still)
    root = files.live.events
    events = None if root is None else EventFolder(root, task, digests.name, run.resumed_at > 0)
    with LiveFigures(files.live, task, len(validation) > 0, events) as live:
        run.complete(live)
        save_network(network, files.model, encoding)
        result = TrainResult(run.metrics() | begun, run.timing())
        result.metrics.update(validation_figures(network, validation, index))
        write_figures(files.figures, training, params, run.cost(), result.metrics)
    run.state.clear()
    return result


def training_parts(shards: Path, index: ShardIndex, params: "TrainParams") -> EpochParts:
    """The training sequences: all in memory, or through a window of blocks.

    Raises:
        FormatError: the shards are absent or damaged.
    """
    window = params.batching.window_blocks
    if window is None:
        return InMemory(read_split(shards, index, "train"))
    return Windowed(ShardBlocks(shards, index, "train"), window, params.course.seed)


def training_settings(params: "TrainParams") -> TrainingSettings:
    """What the section `train` says of the loop."""
    batching = params.batching
    return TrainingSettings(
        params.course, batching.chosen, batching.padding, params.optimizer.settings, params.class_weights
    )
