"""A search as the source of a sweep's runs: its trials are kept in a file, from which a killed search goes on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from lengthwise.errors import SweepError
from lengthwise.pipeline.sweeps.grid_file import SweepRun
from lengthwise.pipeline.sweeps.overview import ExperimentRow
from lengthwise.pipeline.sweeps.run_source import RunSource
from lengthwise.pipeline.sweeps.screen import say
from lengthwise.pipeline.sweeps.search_file import SearchPlan
from lengthwise.pipeline.sweeps.trial_values import Trial, as_content, is_known, next_values, stop_epoch, stop_reason
from lengthwise.pipeline.sweeps.workspace import Snapshot
from lengthwise.system.files import write_json
from lengthwise.system.git import git

STUDY_NAME = "study.json"
# What else than its own values decides what a trial is worth.
CODE = ("dvc.yaml", "src", "stages", "data")


class SearchRuns(RunSource):
    """The trials of a search, drawn one by one.

    With N runs at once, trial `n` is drawn from what the trials up to `n - N` have given, and begins only when all of
    them have ended: so what is drawn and stopped depends on the file, its seed and N, not on which run was quicker.

    Args:
        plan: of the search.
        file: that keeps the trials.
        jobs: how many run at once.
    """

    def __init__(self, plan: SearchPlan, file: Path, jobs: int) -> None:
        super().__init__([])
        self._plan, self._file, self._jobs = plan, file, jobs
        self._trials: list[Trial] = []
        self._runs: dict[int, SweepRun] = {}
        self._taken, self._is_over, self._digest = 0, False, ""

    @property
    def total(self) -> int:
        """As many as the file says, or as there are combinations."""
        return len(self._trials) if self._is_over else self._plan.trials

    def begin(self, snapshot: Snapshot) -> None:
        """Read the trials of the same search that there are."""
        code = git("ls-tree", snapshot.tree, "--", *CODE).text
        settings = self._plan.settings.model_dump(exclude={"trials"})
        options = {key: repr(option) for key, option in self._plan.options.items()}
        asked = json.dumps([settings, options, self._plan.base, code], default=str)
        self._digest = hashlib.sha256(asked.encode()).hexdigest()
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            found = [Trial(**trial) for trial in content["trials"]]
            is_same = content["digest"] == self._digest
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError):
            found, is_same = [], False
        if not is_same:
            say(f"{self._file}: is of another search; {self._plan.path}, params.yaml or the code changed; begins anew")
            return
        # JSON has their keys in the order of the alphabet, and names in that of the file.
        for trial in found:
            trial.values = {key: trial.values[key] for key in self._plan.options}
        self._trials = found[: self._plan.trials]
        counts = {state: sum(trial.state == state for trial in self._trials) for state in ("complete", "stopped")}
        say(f"the search goes on: {counts['complete']} complete and {counts['stopped']} stopped runs are known")

    def take(self) -> tuple[int, SweepRun] | None:
        """The next trial: those that are known first, since their experiments are there, or they run again."""
        place = self._taken
        if place == len(self._trials) and not self._draw():
            return None
        self._taken += 1
        self._runs[place] = self._plan.run(self._trials[place].values)
        return place + 1, self._runs[place]

    def _draw(self) -> bool:
        known = self._known(len(self._trials))
        if self._is_over or len(self._trials) >= self._plan.trials or any(of.state == "running" for of in known):
            return False
        values = next_values(self._plan, known, self._trials)
        if values is None:
            self._is_over = True
            say(f"the search is over: no combination is left that was not there; {len(self._trials)} runs in all")
            return False
        self._trials.append(Trial(values))
        self._save()
        return True

    def _known(self, place: int) -> list[Trial]:
        return self._trials[: max(0, place - self._jobs + 1)]

    def why_hopeless(self, number: int, project: Path) -> str:
        """Judged anew after each epoch."""
        trial, path = self._trials[number - 1], project / self._curve_name
        try:
            curve = _curve(path.read_text(encoding="utf-8"), self._plan.column)
        except (OSError, ValueError):
            # It is not there yet.
            return ""
        if len(curve) == len(trial.curve) or not all(map(is_known, curve)):
            return ""
        trial.curve = curve
        self._judge(number)
        return trial.reason

    def _judge(self, number: int) -> None:
        """Cut the curve off where the rule stops the trial; what comes behind counts nothing, even if it was there."""
        place, trial = number - 1, self._trials[number - 1]
        params, known = self._runs[place].params, self._known(place)
        epochs = params.train.course.epochs if params else 1
        trial.reason = ""
        if epoch := stop_epoch(self._plan, known, self._trials[:place], trial, epochs):
            trial.reason = stop_reason(self._plan, known, trial, epoch, epochs)
            trial.curve = trial.curve[:epoch]

    def finished(self, number: int, reference: str) -> None:
        """Takes its curve from Git."""
        trial = self._trials[number - 1]
        shown = git("show", f"{reference}:./{self._curve_name}")
        try:
            curve = _curve(shown.text, self._plan.column)
        except ValueError:
            curve = []
        if not curve or not all(map(is_known, curve)):
            what = (
                f"has no curve of {self._plan.column}" if not curve else f"{self._plan.column} is no number throughout"
            )
            raise SweepError(f"{self._curve_name}: {what}; expected a figure an epoch; change {self._plan.path}")
        trial.curve = curve
        self._judge(number)
        trial.final = None if trial.reason else self._kept_figure(number, shown.text)
        self._end(number, "stopped" if trial.reason else "complete")

    def _kept_figure(self, number: int, table: str) -> float | None:
        """The figure of the best epoch, if its weights and not those of the last are kept."""
        params = self._runs[number - 1].params
        by = params.train.course.best if params else "none"
        if by == "none":
            return None
        judged = _curve(table, f"validation_{by}")
        best = judged.index(max(judged) if by == "accuracy" else min(judged))
        return self._trials[number - 1].curve[best]

    def stopped(self, number: int) -> None:
        """Its curve ends where the rule stopped it."""
        self._end(number, "stopped")

    def failed(self, number: int) -> None:
        """Nothing is learned from it."""
        self._trials[number - 1].curve, self._trials[number - 1].final = [], None
        self._end(number, "failed")

    def _end(self, number: int, state: str) -> None:
        self._trials[number - 1].state = state
        self._save()

    def _save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._file, {"digest": self._digest, "trials": as_content(self._trials)})

    def state(self, number: int) -> str:
        """After which epoch it was stopped."""
        trial = self._trials[number - 1]
        return f"stopped at {len(trial.curve)}" if trial.state == "stopped" else ""

    def figures(self, number: int) -> Mapping[str, float]:
        """The figure that decides, at the end or where it was stopped."""
        figure = self._trials[number - 1].figure
        return {} if figure is None else {self._plan.goal: figure}

    def ordered(self, rows: Sequence[ExperimentRow]) -> list[ExperimentRow]:
        """Complete ones by the figure that decides, then those that were stopped by theirs, then the others."""
        sign = -1 if self._plan.is_more_better else 1

        def rank(row: ExperimentRow) -> tuple[bool, bool, float]:
            figure = row.figures.get(self._plan.goal)
            return figure is None, bool(row.state), 0.0 if figure is None else sign * figure

        return sorted(rows, key=rank)

    def remarks(self) -> str:
        """The best run, and each that was stopped with the reason."""
        found = [(trial.figure, place) for place, trial in enumerate(self._trials) if trial.state == "complete"]
        complete = [(figure, place) for figure, place in found if figure is not None]
        lines = []
        if complete:
            figure, best = (max if self._plan.is_more_better else min)(complete, key=lambda entry: entry[0])
            lines.append(f"best: {self._name(best)}, {self._plan.goal} {figure:.4g}, of {len(complete)} complete runs")
        stopped = (place for place, trial in enumerate(self._trials) if trial.state == "stopped")
        lines += [f"stopped: {self._name(place)}: {self._trials[place].reason}" for place in stopped]
        return "\n".join(lines)

    def _name(self, place: int) -> str:
        return self._plan.run(self._trials[place].values).name

    @property
    def _curve_name(self) -> str:
        return f"metrics/train/{self._plan.task}/epochs.csv"


def _curve(text: str, column: str) -> list[float]:
    """A column of a table that may still grow: its complete lines.

    Raises:
        ValueError: it has no such column, or something else than numbers.
    """
    header, *lines = text.split("\n")
    place = header.split(",").index(column)
    return [float(line.split(",")[place]) for line, _ in pairwise(lines)]
