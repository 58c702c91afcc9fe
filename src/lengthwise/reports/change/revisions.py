"""What Git knows of a run, params, lock and metrics, in the working tree or at a revision."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

import pandas as pd
import yaml

from lengthwise.errors import FormatError, RevisionError
from lengthwise.reports.run import parsed_yaml
from lengthwise.system.git import git

PARAMS, LOCK, METRICS, TIMING = "params.yaml", "dvc.lock", "metrics/", "data/timing/"
SUFFIXES = (".json", ".csv")
REMEDY = "run dvc repro and commit metrics/"


@dataclass(frozen=True)
class RunFiles:
    """The small files of one state of the project.

    Attributes:
        name: how messages call it.
        files: bytes by path, relative to the project and with slashes.
    """

    name: str
    files: Mapping[str, bytes]

    @cached_property
    def params(self) -> dict[str, Any]:
        """`params.yaml`; empty where there is none.

        Raises:
            FormatError: it is no YAML map.
        """
        return self._yaml(PARAMS)

    @cached_property
    def lock(self) -> dict[str, Any]:
        """The stages of `dvc.lock`; empty where there is none.

        Raises:
            FormatError: it is no YAML map.
        """
        stages = self._yaml(LOCK).get("stages", {})
        return stages if isinstance(stages, dict) else {}

    @property
    def metrics(self) -> list[str]:
        """Paths of all metrics, timing among them."""
        return sorted(path for path in self.files if path.startswith(METRICS))

    @property
    def timing(self) -> list[str]:
        """Paths of what the machine measured, as far as it is at hand."""
        return sorted(path for path in self.files if path.endswith(".json") and is_timing(path))

    def json(self, path: str) -> dict[str, Any]:
        """A metrics file; empty where it is absent.

        Raises:
            FormatError: it is no JSON object.
        """
        if path not in self.files:
            return {}
        try:
            content = json.loads(self.files[path])
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{self._place(path)}: is no JSON ({_one_line(error)}); {REMEDY}") from None
        if not isinstance(content, dict):
            raise FormatError(f"{self._place(path)}: got {content!r:.40}; expected an object of metrics; {REMEDY}")
        return content

    def csv(self, path: str, *columns: str) -> pd.DataFrame:
        """A table; one without rows where it is absent.

        Args:
            path: of the file.
            columns: that it has to have.

        Raises:
            FormatError: it is no CSV, or lacks a column.
        """
        if path not in self.files:
            return pd.DataFrame(columns=list(columns))
        try:
            table = pd.read_csv(BytesIO(self.files[path]))
        except (ValueError, pd.errors.ParserError) as error:
            raise FormatError(f"{self._place(path)}: is no CSV ({_one_line(error)}); {REMEDY}") from None
        lacking = [column for column in columns if column not in table.columns]
        if lacking:
            shown = ", ".join(map(str, table.columns))
            raise FormatError(
                f"{self._place(path)}: got the columns {shown:.80}; expected {', '.join(columns)}; {REMEDY}"
            )
        return table

    def _yaml(self, path: str) -> dict[str, Any]:
        try:
            content = parsed_yaml(self.files.get(path, b""))
        except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
            raise FormatError(f"{self._place(path)}: is not YAML ({_one_line(error)}); mend it") from None
        if not isinstance(content, dict | None):
            raise FormatError(f"{self._place(path)}: got {content!r:.40}; expected a map of sections; mend it")
        return content or {}

    def _place(self, path: str) -> str:
        return f"{path} of {self.name}"


def snapshot_of_folder(folder: Path) -> RunFiles:
    """What is in the project's folder now.

    Raises:
        FormatError: a file cannot be read.
        RevisionError: it has no metrics.
    """
    paths = [folder / PARAMS, folder / LOCK, *sorted((folder / METRICS).rglob("*"))]
    try:
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}
    except OSError as error:
        raise FormatError(f"{error.filename}: cannot be read ({error.strerror}); {REMEDY}") from error
    return _snapshot("the working tree", files)


def snapshot_at(revision: str, folder: Path) -> RunFiles:
    """What Git has at a revision.

    Args:
        revision: anything that names a commit.
        folder: the project's, perhaps below the repository's own.

    Raises:
        RevisionError: there is no Git, no repository, no such revision, or it has no metrics.
    """
    commit = resolve(revision, folder)
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", commit, "--", PARAMS, LOCK, METRICS)
    paths = [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]
    files = {path: _git(folder, "cat-file", "blob", f"{commit}:./{path}") for path in paths if _is_read(path)}
    return _snapshot(f"revision {revision}", files)


def blob_at(commit: str, path: str, folder: Path) -> bytes | None:
    """What Git has of a file at a commit; None if it is not in Git."""
    try:
        return _git(folder, "cat-file", "blob", f"{commit}:./{path}")
    except RevisionError:
        return None


def resolve(revision: str, folder: Path) -> str:
    """The hash of the commit that a revision names.

    Raises:
        RevisionError: there is no Git, no repository, or no such revision.
    """
    _git(folder, "rev-parse", "--show-toplevel")
    try:
        # With the ending, what begins with a dash is no option either.
        return _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    except RevisionError:
        raise RevisionError(
            f"--base: got {revision!r}; expected a commit, branch or tag of this repository; fetch it or name another"
        ) from None


def is_timing(path: str) -> bool:
    """Whether a file holds times, or what else depends on the machine."""
    name = PurePosixPath(path).name
    return path.startswith(TIMING) or name.startswith("timing") or name == "environment.json"


def finite(value: object) -> TypeGuard[float]:
    """Whether a value from a file is a number with which one can reckon."""
    try:
        return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


def _snapshot(name: str, files: Mapping[str, bytes]) -> RunFiles:
    snapshot = RunFiles(name, {path: content for path, content in files.items() if _is_read(path)})
    if not snapshot.metrics:
        raise RevisionError(
            f"metrics/ of {name}: got no JSON or CSV; expected the results of a run; {REMEDY}, "
            "or name what this repository has in .lengthwise.yaml (docs/reports.md)"
        )
    return snapshot


def _is_read(path: str) -> bool:
    return path in (PARAMS, LOCK) or (path.startswith(METRICS) and path.endswith(SUFFIXES))


def _git(folder: Path, *arguments: str) -> bytes:
    answer = git(*arguments, folder=folder)
    if answer.is_absent:
        raise RevisionError("git: cannot be run; expected it on the path; install it")
    if answer.status:
        reason = (answer.error.strip() or answer.reason).splitlines()[0].removeprefix("fatal: ")
        raise RevisionError(f"{answer.command}: {reason}; run this in the project's Git repository")
    return answer.data


def _one_line(error: Exception) -> str:
    return f"{' '.join(str(error).split()):.160}"
