"""A search file: which values a search may draw, how, how often, and by what figure of validation it chooses.

    search: tpe
    trials: 20
    maximize: classifier.validation_accuracy
    stop: median
    train.optimizer.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
    train.model.units: [32, 64, 128]
    train.epochs: 5

Keys without a dot say how; keys with one are those of `params.yaml`, as in a grid file.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from lengthwise.core.names import TASKS
from lengthwise.errors import SweepError
from lengthwise.pipeline.settings.contained import NUMBER, Section
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.settings.refusals import first_error
from lengthwise.pipeline.sweeps.grid_file import SweepRun, Value, changed_run, check_key, combination_name, grid_options
from lengthwise.system.dotted import leaves
from lengthwise.system.strict_yaml import read_yaml
from lengthwise.training.watch import VALIDATION_COLUMNS

SEARCH = "search"
# Digits of a number that is drawn: names of experiments are made of them.
DIGITS = 4
# With so many combinations of the other keys a value is tried before it is refused.
COMBINATIONS = 64


class SearchSettings(Section):
    """How a search goes.

    Attributes:
        search: `grid` is every combination, `random` draws each value by itself, `tpe` draws near what was good.
        trials: how many runs; a grid has as many as combinations.
        minimize: the figure of validation that decides, `TASK.validation_loss`; or none.
        maximize: the same, if more is better; one of the two is there.
        stop: by which rule hopeless runs are stopped.
        seed: of what is drawn.
    """

    search: Literal["grid", "random", "tpe"]
    trials: Annotated[int, Field(ge=1, le=100_000)] | None = None
    minimize: str | None = None
    maximize: str | None = None
    stop: Literal["never", "median", "hyperband"] = "never"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1


@dataclass(frozen=True)
class Choices:
    """Values of which one is taken."""

    values: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that have to be legal."""
        return self.values


@dataclass(frozen=True)
class NumberRange:
    """Numbers from `low` to `high`, both of which may be taken.

    Attributes:
        low: the smallest.
        high: the largest.
        log: whether each factor is as likely as another of its size, and not each difference.
        whole: whether only whole numbers are taken.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that have to be legal."""
        return self.low, self.high

    def rounded(self, value: float) -> float:
        """A number of the range near one that is drawn, of few digits."""
        return value if self.whole else min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclass(frozen=True)
class SearchPlan:
    """A search file, checked.

    Attributes:
        settings: how the search goes.
        task: whose training is run.
        column: of its curve, by which the search chooses.
        options: by dotted key, what may be drawn.
        base: the values of all keys.
        path: of the file.
    """

    settings: SearchSettings
    task: str
    column: str
    options: Mapping[str, Choices | NumberRange]
    base: Mapping[str, Any]
    path: Path

    @property
    def is_more_better(self) -> bool:
        """Whether the largest figure is the best."""
        return self.settings.maximize is not None

    @property
    def goal(self) -> str:
        """The figure's name."""
        return f"{self.task}.{self.column}"

    @property
    def trials(self) -> int:
        """How many runs there are at most."""
        return self.settings.trials or math.prod(len(option.ends) for option in self.options.values())

    def run(self, values: Mapping[str, Value]) -> SweepRun:
        """A run with these values, which trains the task's network and leaves the test split unseen."""
        made = changed_run(combination_name(values, self.base), values, self.base, self.path)
        return SweepRun(made.name, made.values, made.params, made.refusal, (f"train@{self.task}",))


def is_search(path: Path) -> bool:
    """Whether a file is a search file, and no grid file.

    Raises:
        ParamsError: it is no YAML.
    """
    content = read_yaml(path)
    return isinstance(content, dict) and SEARCH in content


def read_search(path: Path, params_file: Path) -> SearchPlan:
    """Read and check a search file.

    Args:
        path: the search file.
        params_file: the values of all keys that it leaves alone.

    Raises:
        ParamsError: one of the files cannot be read, or the params file is wrong by itself.
        SweepError: a key of the search file is unknown or wrong, or `params.yaml` may not have one of its values.
    """
    base = load_params(params_file).model_dump()
    content: Any = read_yaml(path)
    how = {key: value for key, value in content.items() if not (isinstance(key, str) and "." in key)}
    try:
        settings = SearchSettings.model_validate(how)
    except ValidationError as error:
        raise SweepError(f"{path}: {first_error(error, SearchSettings)}") from None
    task, column = _goal(path, settings)
    if task not in base["tasks"]:
        raise SweepError(f"{path}: no {task} is trained: tasks of {params_file} is {[*base['tasks']]}; add it there")
    if not base["split"]["validation"]:
        raise SweepError(f"{path}: a search chooses by validation, and split.validation is 0; raise it")
    options = {key: _option(path, base, key, value) for key, value in content.items() if key not in how}
    plan = SearchPlan(settings, task, column, options, base, path)
    _check_trials(plan)
    _refuse_ends(plan)
    return plan


def _goal(path: Path, settings: SearchSettings) -> tuple[str, str]:
    given = [goal for goal in (settings.minimize, settings.maximize) if goal is not None]
    legal = f"TASK.COLUMN, of {', '.join(TASKS)} and {', '.join(VALIDATION_COLUMNS)}"
    if len(given) != 1:
        got = "neither" if not given else "both"
        raise SweepError(f"{path}: minimize or maximize: got {got}; expected one of them, {legal}; choose one")
    task, _, column = given[0].partition(".")
    if task not in TASKS or column not in VALIDATION_COLUMNS:
        name = "minimize" if settings.maximize is None else "maximize"
        raise SweepError(
            f"{path}: {name}: got {given[0]!r}; expected {legal}; change it: the test split is for what has been chosen"
        )
    return task, column


def _option(path: Path, base: Mapping[str, Any], key: object, value: object) -> Choices | NumberRange:
    if not isinstance(value, dict):
        return Choices(tuple(grid_options(path, base, key, value)))
    if set(value) == {"choices"}:
        return Choices(tuple(grid_options(path, base, key, value["choices"])))
    check_key(path, base, key)
    expected = "{low: NUMBER, high: NUMBER}, with log: true or without, or {choices: [...]}"
    low, high, log = (_number(value.get(name)) for name in ("low", "high", "log"))
    if not {"low", "high"} <= set(value) <= {"low", "high", "log"} or not isinstance(log, bool | None):
        raise SweepError(f"{path}: {key}: got {value}; expected {expected}; change it")
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high)):
        raise SweepError(f"{path}: {key}: got {value}; expected {expected}; change it")
    if not math.isfinite(low) or not math.isfinite(high) or not low < high or (log and low <= 0):
        more = "above 0 " if log else ""
        raise SweepError(f"{path}: {key}: got {value}; expected a low {more}below a high; change them")
    here = dict(leaves(base))[str(key)]
    whole = isinstance(low, int) and isinstance(high, int) if here is None else isinstance(here, int)
    return NumberRange(low, high, bool(log), whole) if whole else NumberRange(float(low), float(high), bool(log))


def _number(value: object) -> Any:  # noqa: ANN401
    """YAML 1.1 reads a hand-written `1e-3` as text."""
    return float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value


def _check_trials(plan: SearchPlan) -> None:
    ranged = [key for key, option in plan.options.items() if isinstance(option, NumberRange)]
    if not plan.options:
        raise SweepError(f"{plan.path}: has no key of params.yaml; expected what is to be searched; see docs/sweeps.md")
    if plan.settings.search == "grid":
        if ranged:
            raise SweepError(f"{plan.path}: {ranged[0]}: got a range; expected a list of values in a grid; change it")
        if plan.settings.trials is not None:
            raise SweepError(
                f"{plan.path}: trials: got {plan.settings.trials}; a grid has as many as combinations; remove it"
            )
    elif plan.settings.trials is None:
        raise SweepError(f"{plan.path}: trials: is missing; expected a whole number from 1; add it")


def _refuse_ends(plan: SearchPlan) -> None:
    """Refuse a value that no run may have; one that only some may have is refused run by run."""
    for key, option in plan.options.items():
        others = [[(name, end) for end in of.ends] for name, of in plan.options.items() if name != key]
        for value in option.ends:
            tried = ({**dict(rest), key: value} for rest in islice(product(*others), COMBINATIONS))
            runs = [plan.run({name: values[name] for name in plan.options}) for values in tried]
            if all(run.params is None for run in runs):
                raise SweepError(runs[0].refusal)
