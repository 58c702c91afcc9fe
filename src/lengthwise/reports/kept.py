"""The named runs on real text that are in Git: `results/`, with what others have published beside them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lengthwise.errors import FormatError
from lengthwise.reports.markdown import code
from lengthwise.reports.run import FigureFile, Run, parsed_yaml, read_text
from lengthwise.reports.words import listed
from lengthwise.system.bundles import read_bundle
from lengthwise.system.dotted import leaves

MEND = "check it out again, or run make real"


class KeptRun(Run):
    """A named run, all of it in one file: its params as they were, for a lock would say where somebody's corpus is."""

    mend = MEND

    @classmethod
    def of(cls, record: Path) -> "KeptRun":
        """The run that a record has.

        Args:
            record: the file `NAME.json`, see docs/formats.md.
        """
        # Places within the file, as if it were a folder.
        return cls(record / "metrics", record / "params.yaml")

    @property
    def all_params(self) -> dict[str, Any]:
        """All of them, by their dotted keys."""
        return dict(leaves(self._params))

    def params(self, section: str) -> dict[str, Any]:
        """A section of the params that the run was made with.

        Raises:
            FormatError: the file has none.
        """
        if not isinstance(self._params.get(section), dict):
            raise FormatError(f"{self.lock}: has no section {section!r}; expected params of a run; {self.mend}")
        return dict(self._params[section])

    @cached_property
    def _params(self) -> dict[str, Any]:
        return _as_map(self._text(self.lock), self.lock)

    @cached_property
    def _texts(self) -> dict[str, str]:
        return read_bundle(self.lock.parent, self.mend)

    def _is_file(self, path: Path) -> bool:
        return path.relative_to(self.lock.parent).as_posix() in self._texts

    def _text(self, path: Path) -> str:
        name = path.relative_to(self.lock.parent).as_posix()
        if name not in self._texts:
            raise FormatError(f"{self.lock.parent}: has no {name}; expected that of the run; {self.mend}")
        return self._texts[name]


def measured(run: KeptRun, stage: str) -> FigureFile:
    """What a machine measured of a stage.

    Raises:
        FormatError: it is not there.
    """
    figures = run.timing(stage)
    if figures is None:
        raise FormatError(f"{run.lock.parent}: has no times of {stage}; expected those of the run; {MEND}")
    return figures


@dataclass(frozen=True)
class Kept:
    """The folder `results`.

    Attributes:
        folder: the folder.
    """

    folder: Path

    @cached_property
    def named(self) -> dict[str, Any]:
        """What each run is for, which DVC file it runs, and which keys it changes, by its name."""
        return read_map(self.folder / "runs.yaml")

    @cached_property
    def published(self) -> dict[str, Any]:
        """Figures of others by their source."""
        return read_map(self.folder / "published.yaml")

    @cached_property
    def runs(self) -> dict[str, KeptRun]:
        """The named runs that are there."""
        records = {name: self.folder / f"{name}.json" for name in self.named}
        return {name: KeptRun.of(record) for name, record in records.items() if record.is_file()}


def read_map(path: Path) -> dict[str, Any]:
    """A YAML file that is a map.

    Raises:
        FormatError: it is absent or something else.
    """
    return _as_map(read_text(path, MEND), path)


def _as_map(text: str, path: Path) -> dict[str, Any]:
    try:
        content = parsed_yaml(text)
    except yaml.YAMLError as error:
        raise FormatError(f"{path}: is not YAML; expected a map; {MEND}") from error
    if not isinstance(content, Mapping):
        raise FormatError(f"{path}: got {content!r:.40}; expected a map; {MEND}")
    return dict(content)


def changes_of(kept: Kept, name: str) -> str:
    """The keys that a named run changes, with their values, in Markdown."""
    return ", ".join(code(f"{key}: {json.dumps(value)}") for key, value in kept.named[name]["changes"].items())


def not_run(kept: Kept, names: Iterable[str]) -> list[str]:
    """A line of Markdown on those that are not there, and the command that runs them; none if all are."""
    missing = [name for name in names if name not in kept.runs]
    if not missing:
        return []
    subject = f"{listed([code(name) for name in missing])} {'has' if len(missing) == 1 else 'have'}"
    command = f'make real CORPUS=path/to/corpus RUNS="{" ".join(missing)}"'
    return [f"{subject} not been run: {code(command)}."]
