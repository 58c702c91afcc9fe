"""The stage train: epochs over plans, curves, a saved network."""

import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from lengthwise.batching.evaluation import evaluation_plan
from lengthwise.batching.plan import Plan, epoch_rng
from lengthwise.batching.registry import make_strategy
from lengthwise.batching.stats import plan_stats
from lengthwise.models.config import NetworkConfig
from lengthwise.models.ensemble import Ensemble, make_network
from lengthwise.models.network import Network, States
from lengthwise.models.saved import save_network
from lengthwise.native.arch import arch_of_run
from lengthwise.native.choice import choose_kernel
from lengthwise.prepare.shards.encoding import read_shard_encoding
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.shards.schema import INDEX_NAME, ShardIndex
from lengthwise.sequences import Sequences
from lengthwise.system.files import file_digest
from lengthwise.system.progress import Progress
from lengthwise.training.events import WALL_TIME, EventFolder
from lengthwise.training.figures import TrainFiles, validation_levels, write_figures
from lengthwise.training.live import EPOCH_COLUMNS, STEP_COLUMNS, VALIDATION_COLUMNS, LiveFigures
from lengthwise.training.resume import ResumeState, interruptions, run_digest
from lengthwise.training.schedule import learning_rate
from lengthwise.training.step import Steps, Sums

if TYPE_CHECKING:
    from lengthwise.pipeline.settings.params import TrainParams

RESUME_FOLDER = Path(".lengthwise") / "resume"


@dataclass(frozen=True)
class TrainResult:
    """What a run reports: reproducible metrics, and rates of this machine."""

    metrics: dict[str, float | int | str]
    timing: dict[str, float | int | str]


@dataclass
class _Position:
    """Where a run is: all of it that is no variable, and goes through JSON."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=lambda: asdict(Sums()))
    window: dict[str, float] = field(default_factory=lambda: asdict(Sums()))
    epoch_rows: list[dict[str, float]] = field(default_factory=list)
    step_rows: list[dict[str, float]] = field(default_factory=list)
    headline: dict[str, float] = field(default_factory=dict)


def start_tensorflow(seed: int, kernel: str) -> None:
    """Seed everything, let TensorFlow take deterministic ops only, which switches XLA off, and share out its threads.

    The native kernel computes with all of them. Threads that look for another operation to run meanwhile take the
    processors from those that are to help, a sixth of a step's time: so operations run one at a time. Where TensorFlow
    has begun already, its threads stay as they are.

    Args:
        seed: of weights and dropout.
        kernel: what computes the recurrent layers, `native` or `keras`.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    if kernel == "native":
        with suppress(RuntimeError):
            tf.config.threading.set_inter_op_parallelism_threads(1)


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
        ArgumentError: the strategy cannot plan these lengths.
        KernelError: the kernel is `native`, and it cannot be built here.
        OutputError: there is no room, or no permission.
    """
    index = read_index(shards)
    training = read_split(shards, index, "train")
    validation = read_split(shards, index, "validation")
    encoding = read_shard_encoding(shards, index)
    # What `auto` comes to: kernels, and one kernel's instruction sets, differ in the last bits.
    kernel = choose_kernel(params.kernel, params.model.cell, params.model.activation)
    start_tensorflow(params.seed, kernel)
    network = make_network(_network_config(index, task, params), kernel)
    settings = {"task": task, **params.model_dump(), "kernel": kernel, "kernel_arch": arch_of_run(kernel)}
    state_of_run = run_digest(settings, file_digest(shards / INDEX_NAME))
    run = _Run(network, training, validation, params, state_of_run)
    root = files.live.events
    events = None if root is None else EventFolder(root, task, state_of_run, run.resumed_at > 0)
    with LiveFigures(files.live, task, len(validation) > 0, events) as live:
        run.complete(live)
        save_network(network, files.model, encoding)
        result = run.result()
        result.metrics.update(validation_levels(network, validation, index))
        write_figures(files.figures, training.lengths, params, run.cost(), result.metrics)
    run.state.clear()
    return result


def _network_config(index: ShardIndex, task: str, params: "TrainParams") -> NetworkConfig:
    factors = tuple(index.factors)
    return NetworkConfig(task, index.vocabulary_size, factors, **params.model.model_dump())


class _Run:
    """A run in progress."""

    def __init__(
        self,
        network: Network | Ensemble,
        training: Sequences,
        validation: Sequences,
        params: "TrainParams",
        digest: str,
    ) -> None:
        self._network, self._training, self._validation = network, training, validation
        self._params = params
        self._strategy = make_strategy(params.batching.strategy, params.batching.model_dump())
        self._plan = lru_cache(maxsize=1)(self._plan_epoch)
        # Every epoch has as many batches.
        self._rate = learning_rate(
            params.optimizer.schedule, params.optimizer.learning_rate, params.epochs * len(self._plan(0))
        )
        self._steps = Steps(network, self._rate, params.optimizer.clip_norm)
        variables = [*network.variables, *self._steps.optimizer.variables]
        self.state = ResumeState(RESUME_FOLDER, digest, variables)
        saved = self.state.restore()
        progress, carried = saved or ({}, [])
        self.position = _Position(**progress)
        self._carried: States | None = carried or None
        self.resumed_at = self.position.step
        self._train_seconds = self._train_tokens = 0.0

    def complete(self, live: LiveFigures) -> None:
        """Train from where the run is to its end, and show it."""
        params, position = self._params, self.position
        tokens = int(self._training.offsets[-1])
        done = position.epoch * tokens + int(self._plan(position.epoch).steps[: position.batch].sum())
        if self.resumed_at:
            print(f"train: goes on at step {self.resumed_at}", file=sys.stderr)
        name = f"train {self._network.config.task}"
        live.begin(position.epoch_rows, position.step_rows, position.headline)
        with interruptions() as received, Progress(name, tokens * params.epochs, "tokens", done) as progress:
            while position.epoch < params.epochs:
                self._epoch(progress, received, live)
                self._end_epoch(live)

    def result(self) -> TrainResult:
        """The figures of a complete run: loss and accuracy of its last epoch."""
        last = self.position.epoch_rows[-1]
        names = [name for name in (*EPOCH_COLUMNS[1:], *VALIDATION_COLUMNS) if name in last]
        metrics: dict[str, float | int | str] = {name: last[name] for name in names}
        seconds = max(self._train_seconds, 1e-9)
        sequences = len(self._training) * self._train_tokens / int(self._training.offsets[-1])
        timing: dict[str, float | int | str] = {
            "kernel": self._network.kernel,
            "kernel_arch": arch_of_run(self._network.kernel),
            "resumed_at_step": self.resumed_at,
            "sequences_per_second": round(sequences / seconds, 1),
            "tokens_per_second": round(self._train_tokens / seconds, 1),
            "traces": self._steps.traces,
        }
        return TrainResult(metrics, timing)

    def cost(self) -> dict[str, float | int | str]:
        """What the run took, whatever the machine: weights, steps, and the padding of its first epoch."""
        return {
            "parameters": sum(int(np.prod(v.shape)) for v in self._network.trainable_variables),
            "steps": self.position.step,
            **asdict(plan_stats(self._plan(0))),
        }

    def _plan_epoch(self, epoch: int) -> Plan:
        return self._strategy.plan(self._training.lengths, epoch_rng(self._params.seed, epoch))

    def _epoch(self, progress: Progress, received: list[int], live: LiveFigures) -> None:
        """The rest of the epoch that the run is in."""
        position = self.position
        plan = self._plan(position.epoch)
        sums, window = Sums(**position.sums), Sums(**position.window)
        batch_tokens = plan.steps
        share = plan_stats(plan).padding_share
        steps = self._steps.train_over(
            plan, self._training, position.batch, self._params.batching.padding, self._carried
        )
        started = time.monotonic()
        for figures, self._carried in steps:
            tokens = int(batch_tokens[position.batch : position.batch + len(figures)].sum())
            if position.step > self.resumed_at:  # The first step is traced and compiled.
                self._train_seconds += time.monotonic() - started
                self._train_tokens += tokens
            started = time.monotonic()
            points = len(position.step_rows)
            for step in figures:
                sums.add(step)
                window.add(step)
                position.step += 1
                if position.step % self._params.log_every == 0:
                    position.step_rows.append(self._step_row(window))
                    position.headline["loss"] = sums.mean_loss
                    window = Sums()
            position.batch += len(figures)
            position.sums, position.window = asdict(sums), asdict(window)
            if new := len(position.step_rows) - points:
                live.after_steps(position.step_rows, new, position.headline)
            note = f"epoch {position.epoch + 1}  loss {sums.mean_loss:.4f}  accuracy {sums.accuracy:.4f}"
            progress.update(tokens, f"{note}  padding {share:.1%}")
            if received:
                self._save()
                print(f"train: stopped at step {position.step}; run it again to go on", file=sys.stderr)
                sys.exit(128 + received[0])
            if self.state.due:
                self._save()

    def _save(self) -> None:
        self.state.save(asdict(self.position), self._carried or ())

    def _step_row(self, window: Sums) -> dict[str, float]:
        """A point of the curves by step; the learning rate is that of the step just taken."""
        step = self.position.step
        rate = float(self._rate(step - 1)) if callable(self._rate) else self._rate
        row: dict[str, float] = dict(zip(STEP_COLUMNS, (step, window.mean_loss, window.accuracy), strict=True))
        return {**row, "learning_rate": rate, WALL_TIME: time.time()}

    def _end_epoch(self, live: LiveFigures) -> None:
        position = self.position
        sums = Sums(**position.sums)
        row: dict[str, float] = dict(
            zip(EPOCH_COLUMNS, (position.epoch + 1, sums.mean_loss, sums.accuracy), strict=True)
        )
        position.headline["loss"] = sums.mean_loss
        if len(self._validation):
            held_out = self._validate()
            row |= zip(VALIDATION_COLUMNS, (held_out.mean_loss, held_out.accuracy), strict=True)
            position.headline["val_acc"] = held_out.accuracy
        position.epoch_rows.append({**row, WALL_TIME: time.time()})
        position.epoch, position.batch, position.sums = position.epoch + 1, 0, asdict(Sums())
        live.after_epoch(position.epoch_rows, position.headline)

    def _validate(self) -> Sums:
        """Loss and accuracy on the validation split, all of it once."""
        plan = evaluation_plan(self._validation.lengths)
        sums = Sums()

        tokens, batch = plan.steps, 0
        with Progress("validation", int(self._validation.offsets[-1]), "tokens", summary=False) as progress:
            for figures in self._steps.evaluate_over(plan, self._validation):
                sums.add(figures.sum(axis=0, dtype=np.float64))
                progress.update(int(tokens[batch : batch + len(figures)].sum()))
                batch += len(figures)
        return sums
