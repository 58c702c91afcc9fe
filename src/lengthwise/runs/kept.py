"""The named runs on real text that are in Git: `results/`, with what others have published beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lengthwise.errors import FormatError
from lengthwise.runs.run import Run
from lengthwise.runs.run_files import FigureFile, parsed_yaml
from lengthwise.system.bundles import read_bundle
from lengthwise.system.files import read_text

MEND = "check it out again, or run make real"


def run_of(record: Path) -> Run:
    """The named run that a record has.

    Args:
        record: the file `NAME.json`, see docs/formats.md.

    Raises:
        FormatError: it is absent, or is no record.
    """
    files = {path: text.encode() for path, text in read_bundle(record, MEND).items()}
    return Run(str(record), files, MEND, is_record=True)


def measured(run: Run, stage: str) -> FigureFile:
    """What a machine measured of a stage.

    Raises:
        FormatError: it is not there.
    """
    figures = run.timing(stage)
    if figures is None:
        raise FormatError(f"{run.name}: has no times of {stage}; expected those of the run; {MEND}")
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
    def runs(self) -> dict[str, Run]:
        """The named runs that are there."""
        records = {name: self.folder / f"{name}.json" for name in self.named}
        return {name: run_of(record) for name, record in records.items() if record.is_file()}


def read_map(path: Path) -> dict[str, Any]:
    """A YAML file that is a map.

    Raises:
        FormatError: it is absent or something else.
    """
    try:
        content = parsed_yaml(read_text(path))
    except yaml.YAMLError as error:
        raise FormatError(f"{path}: is not YAML; expected a map; {MEND}") from error
    if not isinstance(content, Mapping):
        raise FormatError(f"{path}: got {content!r:.40}; expected a map; {MEND}")
    return dict(content)
