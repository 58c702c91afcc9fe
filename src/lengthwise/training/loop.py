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
import pandas as pd
import tensorflow as tf

from lengthwise.batching.evaluation import evaluation_plan
from lengthwise.batching.plan import Plan, epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.stats import plan_stats
from lengthwise.errors import ParamsError
from lengthwise.evaluation.levels import items_of, pool
from lengthwise.evaluation.metrics import point_figures
from lengthwise.evaluation.predict import predict_split
from lengthwise.files import file_digest, replacing_folder, write_metrics
from lengthwise.models.config import NetworkConfig
from lengthwise.models.ensemble import Ensemble, make_network
from lengthwise.models.network import Network, States
from lengthwise.models.saved import save_network
from lengthwise.native.choice import choose_kernel
from lengthwise.progress import Progress
from lengthwise.shards.reader import Sequences, read_index, read_split
from lengthwise.shards.schema import INDEX_NAME, ShardIndex
from lengthwise.training.resume import ResumeState, interruptions, run_digest
from lengthwise.training.schedule import learning_rate
from lengthwise.training.step import Steps, Sums

if TYPE_CHECKING:
    from lengthwise.params import TrainParams

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


def train(shards: Path, model: Path, curves: Path, task: str, params: "TrainParams") -> TrainResult:
    """Train a network for one of `TASKS` and save it.

    A run that was killed goes on where it was, to the same bytes.

    Args:
        shards: the folder of shards.
        model: the folder for the saved network.
        curves: the folder for `epochs.csv`, `steps.csv`, `batching.csv`, `lengths.csv` and `cost.json`.
        task: a name in `TASKS`.
        params: the section `train`.

    Raises:
        FormatError: the shards are absent or damaged.
        ParamsError: the strategy cannot plan these lengths.
        KernelError: the kernel is `native`, and it cannot be built here.
    """
    index = read_index(shards)
    training = read_split(shards, index, "train")
    validation = read_split(shards, index, "validation")
    # What `auto` comes to, for the two kernels differ in the last bits.
    kernel = choose_kernel(params.kernel, params.model.cell, params.model.activation)
    start_tensorflow(params.seed, kernel)
    network = make_network(_network_config(index, task, params), kernel)
    settings = {"task": task, **params.model_dump(), "kernel": kernel}
    state_of_run = run_digest(settings, file_digest(shards / INDEX_NAME))
    run = _Run(network, training, validation, params, state_of_run)
    run.complete()
    save_network(network, model)
    with replacing_folder(curves) as out:
        pd.DataFrame(run.position.epoch_rows).to_csv(out / "epochs.csv", index=False)
        pd.DataFrame(run.position.step_rows, columns=list(_STEP_COLUMNS)).to_csv(out / "steps.csv", index=False)
        batching_table(training.lengths, params).to_csv(out / "batching.csv", index=False)
        lengths_table(training.lengths).to_csv(out / "lengths.csv", index=False)
        write_metrics(out / "cost.json", run.cost())
    result = run.result()
    result.metrics.update(_validation_levels(network, validation, index))
    run.state.clear()
    return result


def _validation_levels(network: Network | Ensemble, validation: Sequences, index: ShardIndex) -> dict[str, float]:
    """Figures of the validation split by level, `validation_<level>_...`: what is chosen is to be chosen by them."""
    if not len(validation):
        return {}
    scores = predict_split(network, validation, "validation").log_probabilities
    figures: dict[str, float] = {}
    for items in items_of(validation, index.unit):
        figures |= point_figures(pool(items, scores), index.factors)
    return {f"validation_{name}": value for name, value in figures.items()}


def batching_table(lengths: np.ndarray, params: "TrainParams") -> pd.DataFrame:
    """What an epoch costs under every strategy, with this run's settings: a row a strategy that can plan it."""
    rows = []
    for name in sorted(STRATEGIES):
        try:
            plan = make_strategy(name, params.batching.model_dump()).plan(lengths, epoch_rng(params.seed, 0))
        except ParamsError:  # Another strategy's budget is no reason to fail.
            continue
        rows.append({"strategy": name, **asdict(plan_stats(plan))})
    return pd.DataFrame(rows)


def lengths_table(lengths: np.ndarray) -> pd.DataFrame:
    """How many sequences have a length: columns length, in tokens, and sequences."""
    length, sequences = np.unique(lengths, return_counts=True)
    return pd.DataFrame({"length": length, "sequences": sequences})


def _network_config(index: ShardIndex, task: str, params: "TrainParams") -> NetworkConfig:
    factors = tuple(index.factors)
    return NetworkConfig(task, index.vocabulary_size, factors, **params.model.model_dump())


_STEP_COLUMNS = ("step", "loss", "accuracy")


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
        rate = learning_rate(
            params.optimizer.schedule, params.optimizer.learning_rate, params.epochs * len(self._plan(0))
        )
        self._steps = Steps(network, rate, params.optimizer.clip_norm)
        variables = [*network.variables, *self._steps.optimizer.variables]
        self.state = ResumeState(RESUME_FOLDER, digest, variables)
        saved = self.state.restore()
        progress, carried = saved or ({}, [])
        self.position = _Position(**progress)
        self._carried: States | None = carried or None
        self._resumed_at = self.position.step
        self._train_seconds = self._train_tokens = 0.0

    def complete(self) -> None:
        """Train from where the run is to its end."""
        params, position = self._params, self.position
        tokens = int(self._training.offsets[-1])
        done = position.epoch * tokens + int(self._plan(position.epoch).steps[: position.batch].sum())
        if self._resumed_at:
            print(f"train: goes on at step {self._resumed_at}", file=sys.stderr)
        name = f"train {self._network.config.task}"
        with interruptions() as received, Progress(name, tokens * params.epochs, "tokens", done) as progress:
            while position.epoch < params.epochs:
                self._epoch(progress, received)
                self._end_epoch()

    def result(self) -> TrainResult:
        """The figures of a complete run: loss and accuracy of its last epoch."""
        last = self.position.epoch_rows[-1]
        metrics: dict[str, float | int | str] = {name: value for name, value in last.items() if name != "epoch"}
        seconds = max(self._train_seconds, 1e-9)
        sequences = len(self._training) * self._train_tokens / int(self._training.offsets[-1])
        timing: dict[str, float | int | str] = {
            "kernel": self._network.kernel,
            "resumed_at_step": self._resumed_at,
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

    def _epoch(self, progress: Progress, received: list[int]) -> None:
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
            if position.step > self._resumed_at:  # The first step is traced and compiled.
                self._train_seconds += time.monotonic() - started
                self._train_tokens += tokens
            started = time.monotonic()
            for step in figures:
                sums.add(step)
                window.add(step)
                position.step += 1
                if position.step % self._params.log_every == 0:
                    row = (position.step, window.mean_loss, window.accuracy)
                    position.step_rows.append(dict(zip(_STEP_COLUMNS, row, strict=True)))
                    window = Sums()
            position.batch += len(figures)
            position.sums, position.window = asdict(sums), asdict(window)
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

    def _end_epoch(self) -> None:
        position = self.position
        sums = Sums(**position.sums)
        row = {"epoch": position.epoch + 1, "train_loss": sums.mean_loss, "train_accuracy": sums.accuracy}
        if len(self._validation):
            held_out = self._validate()
            row |= {"validation_loss": held_out.mean_loss, "validation_accuracy": held_out.accuracy}
        position.epoch_rows.append(row)
        position.epoch, position.batch, position.sums = position.epoch + 1, 0, asdict(Sums())

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
