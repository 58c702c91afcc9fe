"""The files of a run by their paths in the project, and what a value in them is."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import yaml

from lengthwise.errors import FormatError
from lengthwise.system.strict_yaml import SAFE_LOADER

PARAMS, LOCK, METRICS = "params.yaml", "dvc.lock", "metrics/"
TIMING, PREDICTIONS = "data/timing/", "data/predictions/"


class FolderFiles(Mapping[str, bytes]):
    """The files of a folder, read when they are asked for: any can be, and params, lock, metrics and times are listed.

    Args:
        folder: the project's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, path: str) -> bytes:
        """The bytes of a file."""
        if path not in self:
            raise KeyError(path)
        return read_bytes(self.folder / path)

    def __contains__(self, path: object) -> bool:
        """Whether there is such a file: it is not read."""
        return (self.folder / str(path)).is_file()

    def __iter__(self) -> Iterator[str]:
        """The paths."""
        found = [self.folder / PARAMS, self.folder / LOCK]
        found += [path for below in (METRICS, TIMING) for path in sorted((self.folder / below).rglob("*"))]
        return (path.relative_to(self.folder).as_posix() for path in found if path.is_file())

    def __len__(self) -> int:
        """How many there are."""
        return sum(1 for _ in self)


class PlacedFiles(Mapping[str, bytes]):
    """Files whose bytes are known, and others that are read when they are asked for.

    Args:
        places: where the others are, by their paths in the project.
        known: bytes by path, before these.
    """

    def __init__(self, places: Mapping[str, Path], known: Mapping[str, bytes]) -> None:
        self.places, self.known = places, known

    def __getitem__(self, path: str) -> bytes:
        """The bytes of a file."""
        return self.known[path] if path in self.known else read_bytes(self.places[path])

    def __iter__(self) -> Iterator[str]:
        """The paths of all."""
        return iter(dict.fromkeys([*self.known, *self.places]))

    def __len__(self) -> int:
        """How many there are."""
        return len({*self.known, *self.places})


class FigureFile(dict[str, Any]):
    """A flat metrics file; a figure that it lacks is the user's to mend."""

    def __init__(self, place: str, content: dict[str, Any], mend: str) -> None:
        super().__init__(content)
        self._place, self._mend = place, mend

    def __missing__(self, name: str) -> NoReturn:
        raise FormatError(f"{self._place}: has no figure {name!r}; expected one of this version's; {self._mend}")


def read_bytes(path: Path) -> bytes:
    """A file that is there.

    Raises:
        FormatError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); expected a file; mend it") from error


@lru_cache(maxsize=64)
def parsed_yaml(text: str | bytes) -> Any:  # noqa: ANN401
    """What YAML says, parsed once. It is shared: leave it as it is.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, SAFE_LOADER)  # noqa: S506


def recorded_params(stage: object) -> dict[str, Any]:
    """The params of `params.yaml` that a stage in `dvc.lock` ran with."""
    params = stage.get("params") if isinstance(stage, dict) else None
    recorded = params.get(PARAMS) if isinstance(params, dict) else None
    return recorded if isinstance(recorded, dict) else {}


def is_timing(path: str) -> bool:
    """Whether a file holds times, or what else depends on the machine."""
    name = PurePosixPath(path).name
    return path.startswith(TIMING) or name.startswith("timing") or name == "environment.json"


def in_a_line(error: Exception) -> str:
    """What an error says, in a line of bounded length."""
    return f"{' '.join(str(error).split()):.160}"
