"""What the next trial of a search is, and whether one that runs is hopeless: pure functions of the trials before it.

Optuna draws and judges. Each question is put to a study that is made anew from what is known, with a seed of the
trial's number: so a search that is killed goes on as if nothing had happened, and has no state but its trials.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from lengthwise.pipeline.sweeps.grid_file import Value
from lengthwise.pipeline.sweeps.search_file import Choices, SearchPlan

# The first trials of `tpe` are drawn at random.
STARTUP_TRIALS = 10
# Of the rule `median`: before so many runs are complete, and before this epoch, none is stopped.
FEWEST_TO_JUDGE, FIRST_JUDGED = 5, 2
# Of Hyperband: one of so many goes on.
REDUCTION = 3
# So often a combination that was there is drawn again before a search is at its end.
DRAWS = 100

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass
class Trial:
    """A run of a search.

    Attributes:
        values: by dotted key.
        state: running, complete, stopped, or failed.
        curve: the figure of validation after each epoch that counts.
        final: the figure of the epoch whose weights were kept, if it is not the last.
        reason: why it was stopped.
        marks: what the rule that stops has noted of it.
    """

    values: dict[str, Value]
    state: str = "running"
    curve: list[float] = field(default_factory=list)
    final: float | None = None
    reason: str = ""
    marks: dict[str, Any] = field(default_factory=dict)

    @property
    def figure(self) -> float | None:
        """What the trial is worth; None if nobody knows."""
        return self.final if self.final is not None else self.curve[-1] if self.curve else None


def next_values(plan: SearchPlan, known: Sequence[Trial], drawn: Sequence[Trial]) -> dict[str, Value] | None:
    """The values of the next trial; None if no combination is left that was not there.

    Args:
        plan: of the search.
        known: the first trials, all of which have ended: what is learned from.
        drawn: all trials before this one.
    """
    there = [trial.values for trial in drawn]
    if plan.settings.search == "grid":
        return _of_grid(plan, len(drawn)) if len(drawn) < plan.trials else None
    for attempt in range(DRAWS):
        study = _study(plan, known, drawn, f"{plan.settings.seed}/{len(drawn)}/{attempt}")
        found = study.ask(_distributions(plan)).params
        values = {key: _meant(plan, key, value) for key, value in found.items()}
        if values not in there:
            return values
    return None


def stop_epoch(plan: SearchPlan, known: Sequence[Trial], drawn: Sequence[Trial], trial: Trial, epochs: int) -> int:
    """The epoch after which a trial is hopeless; 0 if it is not.

    Args:
        plan: of the search.
        known: the first trials, which had all ended when this one began.
        drawn: all trials before this one.
        trial: with its curve so far; what the rule notes is written to its `marks`.
        epochs: of a whole run.
    """
    if plan.settings.stop == "never":
        return 0
    study = _study(plan, known, drawn, "", epochs)
    study.enqueue_trial({key: _stored(plan, key, value) for key, value in trial.values.items()})
    asked = study.ask(_distributions(plan))
    hopeless = 0
    for epoch, value in enumerate(trial.curve, 1):
        asked.report(value, epoch)
        if epoch < epochs and asked.should_prune():
            hopeless = epoch
            break
    marks = study.get_trials(deepcopy=False)[-1].system_attrs
    trial.marks = {name: mark for name, mark in marks.items() if name != "fixed_params"}
    return hopeless


def stop_reason(plan: SearchPlan, known: Sequence[Trial], trial: Trial, epoch: int, epochs: int) -> str:
    """Why a trial is hopeless, in words."""
    best = max if plan.is_more_better else min
    value = best(trial.curve[:epoch])
    begin = f"after epoch {epoch} of {epochs} its best {plan.goal}, {value:.4g}, is"
    if plan.settings.stop == "hyperband":
        return f"{begin} not among the best of {REDUCTION} in its bracket of Hyperband"
    there = [of.curve[epoch - 1] for of in known if of.state == "complete" and len(of.curve) >= epoch]
    return f"{begin} behind the median of {len(there)} runs then, {median(there):.4g}"


def _of_grid(plan: SearchPlan, number: int) -> dict[str, Value]:
    """The combination of a number, the last key changing fastest."""
    values: dict[str, Value] = {}
    for key, option in reversed([*plan.options.items()]):
        number, place = divmod(number, len(option.ends))
        values[key] = option.ends[place]
    return {key: values[key] for key in plan.options}


def _study(
    plan: SearchPlan, known: Sequence[Trial], drawn: Sequence[Trial], seed: str, epochs: int = 1
) -> optuna.Study:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=number)
    if plan.settings.search == "tpe":
        sampler = optuna.samplers.TPESampler(seed=number, n_startup_trials=STARTUP_TRIALS)
    study = optuna.create_study(
        # Hyperband divides trials into brackets by name and number.
        study_name="search",
        direction="maximize" if plan.is_more_better else "minimize",
        sampler=sampler,
        pruner=_pruner(plan, epochs),
    )
    for place, trial in enumerate(drawn):
        states = {"complete": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}
        # What runs beside it has a number, and nothing is learned from it.
        state = states[trial.state] if place < len(known) else TrialState.RUNNING
        study.add_trial(_frozen(plan, trial, state, trial.curve if place < len(known) else ()))
    return study


def _pruner(plan: SearchPlan, epochs: int) -> optuna.pruners.BasePruner:
    if plan.settings.stop == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=FEWEST_TO_JUDGE, n_warmup_steps=FIRST_JUDGED)
    if plan.settings.stop == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=REDUCTION)
    return optuna.pruners.NopPruner()


def _frozen(plan: SearchPlan, trial: Trial, state: TrialState, curve: Sequence[float]) -> FrozenTrial:
    value = trial.figure if curve and state in (TrialState.COMPLETE, TrialState.PRUNED) else None
    distributions = _distributions(plan)
    return create_trial(
        state=state,
        value=value,
        params={key: _stored(plan, key, trial.values[key]) for key in distributions},
        distributions=distributions,
        intermediate_values=dict(enumerate(curve, 1)),
        system_attrs=trial.marks if curve else {},
    )


def _distributions(plan: SearchPlan) -> dict[str, BaseDistribution]:
    found: dict[str, BaseDistribution] = {}
    for key, option in plan.options.items():
        if isinstance(option, Choices):
            # By their places: Optuna takes true for 1, and no list.
            found[key] = CategoricalDistribution(range(len(option.values)))
        elif option.whole:
            found[key] = IntDistribution(int(option.low), int(option.high), log=option.log)
        else:
            found[key] = FloatDistribution(option.low, option.high, log=option.log)
    return found


def _meant(plan: SearchPlan, key: str, value: Any) -> Value:  # noqa: ANN401
    option = plan.options[key]
    return option.values[value] if isinstance(option, Choices) else option.rounded(value)


def _stored(plan: SearchPlan, key: str, value: Value) -> Any:  # noqa: ANN401
    option = plan.options[key]
    if not isinstance(option, Choices):
        return value
    return next(place for place, known in enumerate(option.values) if repr(known) == repr(value))


def is_known(figure: float) -> bool:
    """Whether a figure is a number that others can be compared with."""
    return math.isfinite(figure)


def as_content(trials: Sequence[Trial]) -> list[Mapping[str, Any]]:
    """Trials as JSON has them."""
    return [vars(trial) for trial in trials]
