"""What a run of the pipeline left: its metrics, and the lock that says from what they were made."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pandas as pd
import yaml

from lengthwise.errors import FormatError

TASKS = ("classifier", "seq2seq")
LEVELS_COLUMNS = ("value", "low", "high")
SAMPLE = "data/sample/blogs.zip"


class Figures(dict[str, Any]):
    """A flat metrics file; a figure that it lacks is the user's to mend."""

    def __init__(self, path: Path, content: dict[str, Any], mend: str) -> None:
        super().__init__(content)
        self._path, self._mend = path, mend

    def __missing__(self, name: str) -> NoReturn:
        raise FormatError(f"{self._path}: has no figure {name!r}; expected one of this version's; {self._mend}")


@dataclass(frozen=True)
class Run:
    """The metrics of a run, read and checked one file at a time.

    Attributes:
        mend: what to do about a file that is absent or damaged.
        metrics: the folder `metrics`.
        lock: the file `dvc.lock`: params and digests as they were run, whatever stands in `params.yaml` now.
    """

    mend: ClassVar[str] = "run dvc repro"
    metrics: Path
    lock: Path

    def has(self, name: str) -> bool:
        """Whether a metrics file is there."""
        return (self.metrics / name).is_file()

    def figures(self, name: str) -> Figures:
        """A JSON file of numbers and strings.

        Raises:
            FormatError: it is absent or something else; what is returned raises it for a figure that is not there.
        """
        path = self.metrics / name
        try:
            content = json.loads(read_text(path, self.mend))
        except ValueError as error:
            raise FormatError(f"{path}: is not JSON ({error}); expected a metrics file; {self.mend}") from error
        if not isinstance(content, dict) or any(type(value) not in (int, float, str) for value in content.values()):
            raise FormatError(f"{path}: is no flat map of numbers and strings; expected a metrics file; {self.mend}")
        return Figures(path, content, self.mend)

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
        path = self.metrics / name
        read_text(path, self.mend)
        try:
            frame = pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False)
            if missing := [column for column in (*texts, *numbers) if column not in frame]:
                raise FormatError(f"{path}: has no column {missing[0]!r}; expected {[*texts, *numbers]}; {self.mend}")
            frame[[*numbers]] = frame[[*numbers]].apply(pd.to_numeric)
        except ValueError as error:
            raise FormatError(f"{path}: is no table of numbers ({error}); expected CSV; {self.mend}") from error
        if not gaps and frame[[*numbers]].isna().to_numpy().any():
            raise FormatError(f"{path}: lacks a number; expected one in every cell of {[*numbers]}; {self.mend}")
        if frame.empty:
            raise FormatError(f"{path}: has no row; expected some; {self.mend}")
        return frame[[*texts, *numbers]]

    @cached_property
    def levels(self) -> pd.DataFrame:
        """Every figure of every model with its interval: model, level, metric, value, low, high."""
        return self.levels_of(TASKS)

    def levels_of(self, tasks: Sequence[str]) -> pd.DataFrame:
        """The same of the baselines and some tasks' networks."""
        baselines = [f"baselines/tables/{model}/levels.csv" for model in ("majority", "linear")]
        names = [*baselines, *(f"evaluate/{task}/levels.csv" for task in tasks)]
        tables = [self.table(name, ("model", "level", "metric"), LEVELS_COLUMNS) for name in names]
        return pd.concat(tables, ignore_index=True)

    @property
    def on_sample(self) -> bool:
        """Whether the corpus was the invented one."""
        return bool(self.params("ingest")["source"] == SAMPLE)

    def params(self, section: str) -> dict[str, Any]:
        """A section of the params that the run was made with.

        Raises:
            FormatError: the lock has none.
        """
        for stage in self._stages.values():
            params = stage.get("params", {}).get("params.yaml", {})
            if section in params:
                return dict(params[section])
        raise FormatError(f"{self.lock}: has no params of {section!r}; expected a whole run; {self.mend}")

    def digest(self, path: str) -> str:
        """The MD5 by which DVC knows a file or a folder that the run read or wrote.

        Raises:
            FormatError: the lock has no such file.
        """
        entries = [*self._entries("outs"), *self._entries("deps")]
        for entry in entries:
            if entry["path"] == path:
                return str(entry["md5"])
        raise FormatError(f"{self.lock}: has no digest of {path}; expected a whole run; {self.mend}")

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        return [entry for stage in self._stages.values() for entry in stage.get(kind, [])]

    @cached_property
    def _stages(self) -> dict[str, Any]:
        try:
            content = yaml.safe_load(read_text(self.lock, self.mend))
        except yaml.YAMLError as error:
            raise FormatError(f"{self.lock}: is not YAML; expected what DVC writes; {self.mend}") from error
        stages = content.get("stages") if isinstance(content, dict) else None
        if not isinstance(stages, dict):
            raise FormatError(f"{self.lock}: has no stages; expected what DVC writes; {self.mend}")
        return stages


def read_text(path: Path, mend: str) -> str:
    """A file of a run.

    Raises:
        FormatError: it is absent, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise FormatError(f"{path}: cannot be read ({reason}); expected what the pipeline writes; {mend}") from error
