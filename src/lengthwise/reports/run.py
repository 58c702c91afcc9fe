"""What a run of the pipeline left: its metrics, and the lock that says from what they were made."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pandas as pd
import yaml

from lengthwise.errors import FormatError, LengthwiseError
from lengthwise.names import TASKS
from lengthwise.reports.differences import agree
from lengthwise.system.dotted import leaves

LEVELS_COLUMNS = ("value", "low", "high")
# A sample of a corpus that is invented.
SAMPLES = Path("data/sample")
TIMING = "data/timing"
PREDICTIONS = "data/predictions"


class FigureFile(dict[str, Any]):
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
        return self._is_file(self.metrics / name)

    def text(self, name: str) -> str:
        """A metrics file as it is.

        Raises:
            FormatError: it is absent, or is not UTF-8.
        """
        return self._text(self.metrics / name)

    def figures(self, name: str) -> FigureFile:
        """A JSON file of numbers and strings.

        Raises:
            FormatError: it is absent or something else; what is returned raises it for a figure that is not there.
        """
        return self._figures(self.metrics / name)

    def _figures(self, path: Path) -> FigureFile:
        try:
            content = json.loads(self._text(path))
        except ValueError as error:
            raise FormatError(f"{path}: is not JSON ({error}); expected a metrics file; {self.mend}") from error
        if not isinstance(content, dict) or any(type(value) not in (int, float, str) for value in content.values()):
            raise FormatError(f"{path}: is no flat map of numbers and strings; expected a metrics file; {self.mend}")
        return FigureFile(path, content, self.mend)

    def timing(self, stage: str) -> FigureFile | None:
        """What the machine measured of a stage; None where it is not at hand, since Git does not have it.

        Raises:
            FormatError: it is something else.
        """
        path = self.lock.parent / TIMING / f"{stage}.json"
        return self._figures(path) if self._is_file(path) else None

    def predictions(self, model: str) -> pd.DataFrame | None:
        """What a model said of each test sequence, if it is at hand and of this run; else None."""
        try:
            found = pd.read_parquet(self.lock.parent / PREDICTIONS / f"{model}.parquet")
        except (OSError, ValueError):
            return None
        return found if self._is_of_this_run(found, model) else None

    def _is_of_this_run(self, predictions: pd.DataFrame, model: str) -> bool:
        accuracies = self.levels[(self.levels["model"] == model) & (self.levels["metric"] == "accuracy")]
        try:
            reported = dict(zip(accuracies["level"], accuracies["value"], strict=True))
            return agree(predictions, self.params("shards")["unit"], reported)
        except (KeyError, TypeError, ValueError, LengthwiseError):
            return False

    def size(self, level: str) -> int:
        """How many items of a level the test split has.

        Raises:
            FormatError: the table that says so is absent or damaged.
        """
        name = f"evaluate/{TASKS[0]}/confusion_{level}.csv"
        return int(self.table(name, (), ("count",))["count"].sum())

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
        text = self._text(path)
        try:
            frame = pd.read_csv(io.StringIO(text), dtype=dict.fromkeys(texts, str), keep_default_na=False)
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
        return Path(self.params("ingest")["source"]).parent == SAMPLES

    @property
    def outputs(self) -> list[str]:
        """The files and folders that the lock says the run wrote."""
        return [str(entry["path"]) for entry in self._entries("outs")]

    @property
    def all_params(self) -> dict[str, Any]:
        """All params that the run was made with, by their dotted keys."""
        sections: dict[str, Any] = {}
        for stage in self._stages.values():
            sections |= stage.get("params", {}).get("params.yaml", {})
        return dict(leaves(sections))

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

    def _is_file(self, path: Path) -> bool:
        return path.is_file()

    def _text(self, path: Path) -> str:
        return read_text(path, self.mend)

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        return [entry for stage in self._stages.values() for entry in stage.get(kind, [])]

    @cached_property
    def _stages(self) -> dict[str, Any]:
        try:
            content = parsed_yaml(self._text(self.lock))
        except yaml.YAMLError as error:
            raise FormatError(f"{self.lock}: is not YAML; expected what DVC writes; {self.mend}") from error
        stages = content.get("stages") if isinstance(content, dict) else None
        if not isinstance(stages, dict):
            raise FormatError(f"{self.lock}: has no stages; expected what DVC writes; {self.mend}")
        # It has read all params, also those with which nothing else has run.
        return {name: stage for name, stage in stages.items() if name != "check"}


@lru_cache(maxsize=64)
def parsed_yaml(text: str | bytes) -> Any:  # noqa: ANN401
    """What YAML says, parsed once: a `dvc.lock` takes a quarter of a second. It is shared: leave it as it is.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.safe_load(text)


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
