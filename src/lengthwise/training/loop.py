"""Training: epochs over plans, seen by who watches, resumed where a run was killed."""

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.batching.stats import plan_stats, stats_of_plans
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.models.class_counts import class_counts
from lengthwise.models.ensemble import Ensemble
from lengthwise.models.network import Network, States
from lengthwise.native.arch import arch_of_run
from lengthwise.system.progress import Progress
from lengthwise.training.class_weights import balanced_weights
from lengthwise.training.epoch_parts import EpochParts
from lengthwise.training.group_steps import GroupSteps
from lengthwise.training.optimizers import UpdateRule, make_optimizer
from lengthwise.training.resume import ResumeState, RunDigests, interruptions
from lengthwise.training.schedule import learning_rate
from lengthwise.training.sharded_steps import ShardedSteps
from lengthwise.training.step import Steps
from lengthwise.training.stopping import BestEpoch
from lengthwise.training.sums import Sums
from lengthwise.training.team import Team
from lengthwise.training.training_settings import TrainingSettings
from lengthwise.training.watch import EPOCH_COLUMNS, STEP_COLUMNS, VALIDATION_COLUMNS, WALL_TIME, Watcher

NamedFigures = dict[str, float | int | str]


@dataclass
class _Position:
    """Where a run is: all of it that is no variable, and goes through JSON."""

    epoch: int = 0
    part: int = 0
    batch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=lambda: asdict(Sums()))
    window: dict[str, float] = field(default_factory=lambda: asdict(Sums()))
    epoch_rows: list[dict[str, float]] = field(default_factory=list)
    step_rows: list[dict[str, float]] = field(default_factory=list)
    headline: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    best_arrays: int = 0


class Training:
    """A network in training.

    Args:
        network: with the weights that it begins with.
        training: sequences with the columns `tokens` and `label`, in memory or read through a window.
        validation: the like, in memory; may be empty.
        settings: how.
        folder: where the states of all runs are kept, see `ResumeState`.
        digests: what this run is made of: a state that was made of the same is gone on from.
        still: by a weight's path, the rows that training leaves as they are, see `UpdateRule`.
        team: the workers that compute the logical shards of every batch; None where batches have none.

    Attributes:
        resumed_at: the step that the run goes on at; 0 if it begins.
        state: is to be cleared once what the run has come to is saved.

    Raises:
        ArgumentError: the best epoch is asked for without validation sequences, or the learning rate rises to the end.
    """

    def __init__(
        self,
        network: Network | Ensemble,
        training: EpochParts,
        validation: Sequences,
        settings: TrainingSettings,
        folder: Path,
        digests: RunDigests,
        still: Mapping[str, np.ndarray] | None = None,
        team: Team | None = None,
    ) -> None:
        self._team = team
        self._network, self._training, self._validation = network, training, validation
        self._settings, course, optimizer = settings, settings.course, settings.optimizer
        if course.best != "none" and not len(validation):
            problem = f"got {course.best!r}, and there are no validation sequences; expected none"
            raise ArgumentError("best", problem, "hold some out, or set it to none")
        network.adapt(training)
        counts = training.length_counts
        self._count, self._tokens = int(counts[:, 1].sum()), int(counts.prod(axis=1).sum())
        self._plans = training.plans(settings.strategy, course.seed)
        steps = self._plans.batches(course.epochs)
        self._rate = learning_rate(optimizer.schedule, optimizer.learning_rate, steps, optimizer.warmup_steps)
        made_by = (network, self._rate, optimizer.clip_norm, self._rule(still or {}))
        whole = Steps if network.config.outer == "none" else GroupSteps
        self._steps = whole(*made_by) if team is None else ShardedSteps(*made_by, team)
        variables = [*network.variables, *self._steps.optimizer.variables]
        self.state = ResumeState(folder, digests, variables)
        progress, beside = self._restored(variables)
        self.position = _Position(**progress)
        carried = len(beside) - self.position.best_arrays
        self._carried: States | None = beside[:carried] or None
        self._best = BestEpoch(course.best, course.patience, self.position.best_epoch, beside[carried:])
        self.resumed_at = self.position.step
        self._train_seconds = self._train_tokens = 0.0

    def _restored(self, variables: list[keras.Variable]) -> tuple[dict[str, Any], list[np.ndarray]]:
        """What was saved, in every worker what the first one has; the variables are set to it."""
        if self._team is None:
            return self.state.restore() or ({}, [])
        progress, beside = (self.state.restore() if self._team.writes else None) or ({}, [])
        progress, arrays = self._team.from_first(progress, [*(v.numpy() for v in variables), *beside])
        for variable, array in zip(variables, arrays, strict=False):
            variable.assign(array)
        return progress, arrays[len(variables) :]

    def _rule(self, still: Mapping[str, np.ndarray]) -> UpdateRule:
        network, settings = self._network, self._settings
        native = network.kernel == "native"
        optimizer = make_optimizer(settings.optimizer, self._rate, network.trainable_variables, still, native=native)
        self._class_weights = None
        if settings.class_weights == "balanced":
            self._class_weights = balanced_weights(class_counts(network.config, self._training))
        return UpdateRule(optimizer, self._class_weights, still)

    def complete(self, watcher: Watcher) -> None:
        """Train to the end, and tell `watcher` of it; the network then has the weights that are kept."""
        epochs, position = self._settings.course.epochs, self.position
        done = self._plans.tokens(position.epoch)
        if position.epoch < epochs:
            done += self._plans.tokens_before(position.epoch, position.part, position.batch)
        if self.resumed_at:
            print(f"train: goes on at step {self.resumed_at}", file=sys.stderr)
        name = f"train {self._network.config.task}"
        watcher.begin(position.epoch_rows, position.step_rows, position.headline)
        with interruptions() as received, Progress(name, self._plans.tokens(epochs), "tokens", done) as progress:
            if self._team is not None:
                self._team.listen(received, lambda: self.state.due)
            while position.epoch < epochs and not self._best.is_over(position.epoch):
                self._epoch(progress, received, watcher)
                self._end_epoch(watcher)
        self._best.restore(self._network.trainable_variables)

    def metrics(self) -> NamedFigures:
        """The figures of a complete run: loss and accuracy of the epoch whose weights are kept, and which one it is."""
        kept = self._kept_row()
        figures: NamedFigures = {name: kept[name] for name in (*EPOCH_COLUMNS[1:], *VALIDATION_COLUMNS) if name in kept}
        figures |= {"best_epoch": int(kept["epoch"]), "epochs_trained": self.position.epoch}
        if self._class_weights is not None:
            present = self._class_weights[self._class_weights > 0]
            figures |= {"class_weight_least": float(present.min()), "class_weight_most": float(present.max())}
        return figures

    def _kept_row(self) -> dict[str, float]:
        return self.position.epoch_rows[(self._best.number or self.position.epoch) - 1]

    def timing(self) -> NamedFigures:
        """With what and how fast this process has trained."""
        seconds = max(self._train_seconds, 1e-9)
        sequences = self._count * self._train_tokens / self._tokens
        return {
            "kernel": self._network.kernel,
            "kernel_arch": arch_of_run(self._network.kernel),
            "resumed_at_step": self.resumed_at,
            "sequences_per_second": round(sequences / seconds, 1),
            "tokens_per_second": round(self._train_tokens / seconds, 1),
            "traces": self._steps.traces,
        }

    def cost(self) -> NamedFigures:
        """What the run took, whatever the machine: weights, steps, and the padding of its first epoch."""
        return {
            "parameters": sum(int(np.prod(v.shape)) for v in self._network.trainable_variables),
            "steps": self.position.step,
            **asdict(stats_of_plans(self._plans.epoch(0))),
        }

    def _epoch(self, progress: Progress, received: list[int], watcher: Watcher) -> None:
        """The rest of the epoch that the run is in: the rest of its part, and the parts after it."""
        position = self.position
        for sequences in self._training.read(position.epoch, position.part):
            self._part(sequences, progress, received, watcher)
            # A part begins with sequences of its own, from their first steps.
            position.part, position.batch, self._carried = position.part + 1, 0, None
            # The thread that reads ahead goes on now.
            del sequences
        position.part = 0

    def _part(self, sequences: Sequences, progress: Progress, received: list[int], watcher: Watcher) -> None:
        position = self.position
        plan = self._plans.of(position.epoch, position.part)
        sums, window = Sums(**position.sums), Sums(**position.window)
        batch_tokens = plan.steps
        share = plan_stats(plan).padding_share
        steps = self._steps.train_over(plan, sequences, position.batch, self._settings.padding, self._carried)
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
                if position.step % self._settings.course.log_every == 0:
                    position.step_rows.append(self._step_row(window))
                    position.headline["loss"] = sums.mean_loss
                    window = Sums()
            position.batch += len(figures)
            position.sums, position.window = asdict(sums), asdict(window)
            if new := len(position.step_rows) - points:
                watcher.after_steps(position.step_rows, new, position.headline)
            note = f"epoch {position.epoch + 1}  loss {sums.mean_loss:.4f}  accuracy {sums.accuracy:.4f}"
            progress.update(tokens, f"{note}  padding {share:.1%}")
            signal, save = self._decided(received)
            if signal or save:
                self._save()
            if signal:
                print(f"train: stopped at step {position.step}; run it again to go on", file=sys.stderr)
                sys.exit(128 + signal)

    def _decided(self, received: list[int]) -> tuple[int, bool]:
        """The signal by which the run ends here, or 0, and whether its state is saved here: so in every worker."""
        if self._team is not None:
            return self._team.signal, self._team.save
        return received[0] if received else 0, self.state.due

    def _save(self) -> None:
        carried = self._steps.whole(self._carried or ())
        if self._team is None or self._team.writes:
            self.state.save(asdict(self.position), [*carried, *self._best.weights])

    def _step_row(self, window: Sums) -> dict[str, float]:
        """A point of the curves by step; the learning rate is that of the step just taken."""
        step = self.position.step
        rate = float(self._rate(step - 1)) if callable(self._rate) else self._rate
        row: dict[str, float] = dict(zip(STEP_COLUMNS, (step, window.mean_loss, window.accuracy), strict=True))
        return {**row, "learning_rate": rate, WALL_TIME: time.time()}

    def _end_epoch(self, watcher: Watcher) -> None:
        position = self.position
        sums = Sums(**position.sums)
        row: dict[str, float] = dict(
            zip(EPOCH_COLUMNS, (position.epoch + 1, sums.mean_loss, sums.accuracy), strict=True)
        )
        if len(self._validation):
            held_out = self._validate()
            row |= zip(VALIDATION_COLUMNS, (held_out.mean_loss, held_out.accuracy), strict=True)
        position.epoch_rows.append({**row, WALL_TIME: time.time()})
        position.epoch, position.sums = position.epoch + 1, asdict(Sums())
        self._best.look_at(position.epoch_rows, self._network.trainable_variables)
        position.best_epoch, position.best_arrays = self._best.number, len(self._best.weights)
        kept = self._kept_row()
        position.headline["loss"] = kept["train_loss"]
        if len(self._validation):
            position.headline["val_acc"] = kept["validation_accuracy"]
        watcher.after_epoch(position.epoch_rows, position.headline)

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
