"""What a run of the pipeline left, wherever it lies: metrics, and the lock that says from what they were made."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lengthwise.core.names import LABEL_TASKS, TASKS
from lengthwise.errors import FormatError
from lengthwise.evaluation.baseline_names import baselines_of, folder_of, together_name
from lengthwise.runs.metric_tables import csv_table, number_table
from lengthwise.runs.run_files import (
    LOCK,
    METRICS,
    PARAMS,
    TIMING,
    FigureFile,
    FolderFiles,
    in_a_line,
    is_timing,
    parsed_yaml,
    recorded_params,
)
from lengthwise.system.dotted import leaves

SUFFIXES = (".json", ".csv")
# It has read all params, also those with which nothing else has run, and no figure is made of what it writes.
CHECK = "check"
BASELINE = re.compile(r"metrics/baselines/\w+\.json")
LEVELS_COLUMNS = ("value", "low", "high")
# A sample of a corpus that is invented.
SAMPLES = Path("data/sample")
MEND = "run dvc repro"


@dataclass(frozen=True)
class Run:
    """The files of a run, read and checked one at a time.

    A page needs all that it shows: `figures`, `table` and `params` refuse what is not there. A comparison takes what
    there is: `json`, `csv`, `params_file` and `stages` are empty then.

    Attributes:
        name: how messages call it.
        files: bytes by path, relative to the project and with slashes.
        mend: what to do about a file that is absent or damaged.
        is_record: whether it is a record of `results/`: its params are those of its `params.yaml`, for a lock would say
            where somebody's corpus is.
    """

    name: str
    files: Mapping[str, bytes]
    mend: str = MEND
    is_record: bool = False

    def has(self, name: str) -> bool:
        """Whether it is there."""
        return METRICS + name in self.files

    def text(self, name: str) -> str:
        """A metrics file as it is.

        Raises:
            FormatError: it is absent, or is not UTF-8.
        """
        return self._text(METRICS + name)

    def figures(self, name: str) -> FigureFile:
        """A JSON file of numbers and strings.

        Raises:
            FormatError: it is absent or something else; what is returned raises it for a figure that is not there.
        """
        return self._figures(METRICS + name)

    def timing(self, stage: str) -> FigureFile | None:
        """What the machine measured of a stage; None where it is not at hand, since Git does not have it.

        Raises:
            FormatError: it is something else.
        """
        path = f"{TIMING}{stage}.json"
        return self._figures(path) if path in self.files else None

    def table(self, name: str, texts: Sequence[str], numbers: Sequence[str], gaps: bool = False) -> pd.DataFrame:
        """A CSV file, or those of its columns that are asked for.

        Args:
            name: of the file.
            texts: columns that are text.
            numbers: columns that are numbers.
            gaps: whether a number may be left out.

        Raises:
            FormatError: it is absent, has no row or lacks a column, or a number is none.
        """
        path = METRICS + name
        self._text(path)
        try:
            return number_table(self.files[path], texts, numbers, gaps=gaps)
        except ValueError as error:
            raise self._wrong(path, str(error)) from error

    @cached_property
    def tasks(self) -> list[str]:
        """The tasks that it trained a network for; those of a record are the ones that it keeps."""
        if self.is_record:
            return [task for task in TASKS if self.has(f"evaluate/{task}/levels.csv")]
        self._text(LOCK)
        return [task for task in TASKS if task in self._tasks_of_lock]

    @cached_property
    def baselines(self) -> list[str]:
        """The names of all baselines: each has a file of its headline."""
        return [Path(path).stem for path in self.files if BASELINE.fullmatch(path)]

    @cached_property
    def levels(self) -> pd.DataFrame:
        """Every figure of every model with its interval: model, level, metric, value, low, high."""
        return self.levels_of(self.tasks)

    def levels_of(self, tasks: Sequence[str]) -> pd.DataFrame:
        """The same of some tasks' networks, the baselines that predict what they do, and both together."""
        models = dict.fromkeys(model for task in tasks for model in baselines_of(task, self.baselines))
        names = [*(f"baselines/tables/{model}/levels.csv" for model in models)]
        networks = [*tasks, *self.together(tasks).values()]
        names += [f"evaluate/{folder_of(model)}/levels.csv" for model in networks]
        tables = [self.table(name, ("model", "level", "metric"), LEVELS_COLUMNS) for name in names]
        return pd.concat(tables, ignore_index=True)

    def together(self, tasks: Sequence[str]) -> dict[str, str]:
        """By task, the name of its network and the linear model together, where they are scored so."""
        names = {task: together_name(task) for task in tasks}
        return {task: name for task, name in names.items() if self.has(f"evaluate/{folder_of(name)}/levels.csv")}

    @property
    def on_sample(self) -> bool:
        """Whether the corpus was the invented one."""
        return Path(self.params("ingest")["source"]).parent == SAMPLES

    @property
    def all_params(self) -> dict[str, Any]:
        """All params that the run was made with, by their dotted keys."""
        return dict(leaves(self._made_with))

    def params(self, section: str) -> dict[str, Any]:
        """A section of the params that the run was made with, whatever stands in `params.yaml` now.

        Raises:
            FormatError: the run has none.
        """
        if not isinstance(found := self._made_with.get(section), dict):
            raise self._wrong(PARAMS if self.is_record else LOCK, f"has no params of {section!r}; expected a whole run")
        return dict(found)

    @cached_property
    def _made_with(self) -> dict[str, Any]:
        self._text(PARAMS if self.is_record else LOCK)
        if self.is_record:
            return self.params_file
        sections: dict[str, Any] = {}
        for stage in self._stages_of_this_run:
            sections |= recorded_params(stage)
        return sections

    @property
    def _tasks_of_lock(self) -> Sequence[str]:
        # Runs of before had two, and no key for them.
        return recorded_params(self.stages.get("baselines")).get("tasks", LABEL_TASKS)

    @cached_property
    def _stages_of_this_run(self) -> list[Any]:
        """Those that read or write data: the lock keeps also what was run for other tasks, until these run again."""
        others = {*TASKS} - {*self._tasks_of_lock}
        return [of for name, of in self.stages.items() if name != CHECK and str(name).partition("@")[2] not in others]

    def digest(self, path: str) -> str:
        """The MD5 by which DVC knows a file or a folder that the run read or wrote.

        Raises:
            FormatError: the lock has no such file.
        """
        self._text(LOCK)
        found = self.output_hashes | {str(entry["path"]): entry.get("md5") for entry in self._entries("deps")}
        if path not in found:
            raise self._wrong(LOCK, f"has no digest of {path}; expected a whole run")
        return str(found[path])

    @cached_property
    def output_hashes(self) -> dict[str, Any]:
        """What the lock has as MD5 of each output of the run, by its path: `.dir` is behind that of a folder."""
        return {str(entry.get("path")): entry.get("md5") for entry in self._entries("outs")}

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        stages = [stage for stage in self._stages_of_this_run if isinstance(stage, dict)]
        lists = [stage[kind] for stage in stages if isinstance(stage.get(kind), list)]
        return [entry for entries in lists for entry in entries if isinstance(entry, dict)]

    @cached_property
    def params_file(self) -> dict[str, Any]:
        """`params.yaml` as it is; empty where there is none.

        Raises:
            FormatError: it is no YAML map.
        """
        return self._yaml(PARAMS)

    @cached_property
    def stages(self) -> dict[str, Any]:
        """The stages of `dvc.lock`; empty where there is none.

        Raises:
            FormatError: it is no YAML map.
        """
        stages = self._yaml(LOCK).get("stages", {})
        return stages if isinstance(stages, dict) else {}

    @property
    def metric_files(self) -> list[str]:
        """Paths of all JSON and CSV files of metrics, timing among them."""
        return sorted(path for path in self.files if path.startswith(METRICS) and path.endswith(SUFFIXES))

    @property
    def timing_files(self) -> list[str]:
        """Paths of what the machine measured, as far as it is at hand."""
        return sorted(path for path in self.files if path.endswith(".json") and is_timing(path))

    def json(self, path: str) -> dict[str, Any]:
        """A file of metrics, by its path in the project; empty where it is absent.

        Raises:
            FormatError: it is no JSON object.
        """
        try:
            content = json.loads(self.files.get(path, b"{}"))
        except (ValueError, RecursionError) as error:
            raise self._wrong(path, f"is no JSON ({in_a_line(error)}); expected metrics") from None
        if not isinstance(content, dict):
            raise self._wrong(path, f"got {content!r:.40}; expected an object of metrics")
        return content

    def csv(self, path: str, *columns: str) -> pd.DataFrame:
        """A table, by its path in the project; one without rows where it is absent.

        Raises:
            FormatError: it is no CSV, or lacks one of the columns.
        """
        if path not in self.files:
            return pd.DataFrame(columns=list(columns))
        self._text(path)
        try:
            return csv_table(self.files[path], columns)
        except ValueError as error:
            raise self._wrong(path, str(error)) from None

    def _figures(self, path: str) -> FigureFile:
        self._text(path)
        content = self.json(path)
        if any(type(value) not in (int, float, str) for value in content.values()):
            raise self._wrong(path, "is no flat map of numbers and strings; expected a metrics file")
        return FigureFile(f"{path} of {self.name}", content, self.mend)

    def _text(self, path: str) -> str:
        try:
            return self.files[path].decode()
        except (KeyError, UnicodeDecodeError) as error:
            reason = "there is none" if isinstance(error, KeyError) else "it is not UTF-8"
            raise self._wrong(path, f"cannot be read ({reason}); expected what the pipeline writes") from None

    def _yaml(self, path: str) -> dict[str, Any]:
        try:
            content = parsed_yaml(self.files.get(path, b""))
        except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
            raise self._wrong(path, f"is not YAML ({in_a_line(error)}); expected a map of sections") from None
        if not isinstance(content, dict | None):
            raise self._wrong(path, f"got {content!r:.40}; expected a map of sections")
        return content or {}

    def _wrong(self, path: str, what: str) -> FormatError:
        return FormatError(f"{path} of {self.name}: {what}; {self.mend}")


def run_in(folder: Path) -> Run:
    """The run that a folder has, with `metrics/` and `dvc.lock`: its files are read when they are asked for."""
    return Run("the working tree" if folder == Path() else str(folder), FolderFiles(folder))
