"""How a run that was killed goes on at the step where it was, to the same bytes.

The state lies outside DVC, in a folder named by a digest of all that the run depends on: another run cannot pick it up.
It is one file, written beside and renamed, and gone once the run is complete.
"""

import hashlib
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

import lengthwise
from lengthwise.errors import FormatError
from lengthwise.system.seals import SEAL_KEY, UNSEALED, check_seal, sealed_file

SAVE_SECONDS = 10.0
STATE_NAME = "state.safetensors"
CARRIED = "carried-"
SUFFIXES = (".cc", ".h", ".py")
# What training is made of: a change elsewhere costs no state. A test compares with the imports.
CODE = (
    *(
        "batching",
        "core",
        "layers",
        "models",
        "native",
        "system",
    ),
    "training",
)
# States of other runs that stay; the oldest go.
KEPT_STATES = 20


@dataclass(frozen=True)
class RunDigests:
    """What a run is made of: a state is gone on from only where all of it is the same.

    Attributes:
        task: what is trained.
        code: digest of the modules that training imports.
        settings: digest of the run's settings.
        data: digest of its sequences.
    """

    task: str
    code: str
    settings: str
    data: str

    @property
    def name(self) -> str:
        """One digest of all, 24 characters."""
        return hashlib.sha256("".join(astuple(self)).encode()).hexdigest()[:24]

    def other_than(self, made_of: Mapping[str, str]) -> list[str]:
        """What differs from that of another run: of `code`, `settings`, `data`."""
        return [name for name in ("code", "settings", "data") if made_of.get(name) != getattr(self, name)]


def run_digests(task: str, settings: Mapping[str, Any], data: str) -> RunDigests:
    """The digests of a run.

    Args:
        task: what is trained.
        settings: all that the result depends on; goes through JSON.
        data: a digest of the sequences.
    """
    root = Path(lengthwise.__file__).parent
    digest = hashlib.sha256()
    for source in sorted(file for name in CODE for file in _sources(root / name)):
        digest.update(str(source.relative_to(root)).encode() + source.read_bytes())
    of_settings = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    return RunDigests(task, digest.hexdigest(), of_settings.hexdigest(), data)


def _sources(path: Path) -> list[Path]:
    files = [path] if path.is_file() else path.rglob("*.*")
    return [file for file in files if file.suffix in SUFFIXES]


class ResumeState:
    """Saves and restores variables and a JSON-able progress.

    Args:
        folder: where all runs keep their states.
        digests: of this run (see `run_digests`).
        variables: all that a step changes: weights, the optimizer's moments, the state of dropout.
    """

    def __init__(self, folder: Path, digests: RunDigests, variables: Sequence[keras.Variable]) -> None:
        self._path = folder / digests.name / STATE_NAME
        self._digests = digests
        self._variables = variables
        self._saved = time.monotonic()

    def restore(self) -> tuple[dict[str, Any], list[np.ndarray]] | None:
        """Set the variables to the saved state.

        Returns:
            What was saved beside them: the progress and the arrays; None where there is nothing to go on from, it is
            damaged, or only another run of the task has a state: a line says why that is not taken.
        """
        if not self._path.exists():
            self._say_why_others_are_not_taken()
            return None
        try:
            check_seal(self._path, "train")
        except FormatError:
            print(f"train: {self._path}: is damaged; begins anew instead of going on", file=sys.stderr)
            return None
        with safe_open(self._path, framework="numpy") as file:
            arrays = [file.get_tensor(str(number)) for number in range(len(self._variables))]
            progress: dict[str, Any] = json.loads(file.metadata()["progress"])
            count = sum(name.startswith(CARRIED) for name in file.keys())  # noqa: SIM118
            beside = [file.get_tensor(f"{CARRIED}{number}") for number in range(count)]
        for variable, array in zip(self._variables, arrays, strict=True):
            variable.assign(array)
        return progress, beside

    def save(self, progress: Mapping[str, Any], carried: Sequence[np.ndarray] = ()) -> None:
        """Save the variables, the progress, and arrays that are no variables."""
        arrays = {str(number): np.asarray(variable.numpy()) for number, variable in enumerate(self._variables)}
        arrays |= {f"{CARRIED}{number}": np.asarray(array) for number, array in enumerate(carried)}
        metadata = {"progress": json.dumps(progress), "made_of": json.dumps(asdict(self._digests)), SEAL_KEY: UNSEALED}
        with sealed_file(self._path) as beside:
            # `save_file` writes under a name of its own, which a kill leaves behind, and has errors of its own.
            beside.write_bytes(save(arrays, metadata))
        self._saved = time.monotonic()
        for old in _newest_first(self._path.parents[1])[KEPT_STATES:]:
            shutil.rmtree(old.parent, ignore_errors=True)

    def _say_why_others_are_not_taken(self) -> None:
        for path in _newest_first(self._path.parents[1]):
            made_of = _made_of(path)
            if made_of.get("task") == self._digests.task:
                reason = " and ".join(self._digests.other_than(made_of))
                print(f"train: the state in {path.parent} was made by other {reason}; begins anew", file=sys.stderr)
                return

    @property
    def due(self) -> bool:
        """Whether the last save is long enough ago."""
        return time.monotonic() - self._saved >= SAVE_SECONDS

    def clear(self) -> None:
        """Remove the state: the run is complete."""
        shutil.rmtree(self._path.parent, ignore_errors=True)


def _newest_first(folder: Path) -> list[Path]:
    states = [(path.stat().st_mtime, path) for path in folder.glob(f"*/{STATE_NAME}")]
    return [path for _, path in sorted(states, reverse=True)]


def _made_of(path: Path) -> dict[str, str]:
    """The digests of the run that a state is of; nothing where the file is damaged or older than they are."""
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(json.loads((file.metadata() or {}).get("made_of", "{}")))
    except (OSError, SafetensorError, ValueError):
        return {}


@contextmanager
def interruptions() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in a list instead of dying, so that a loop can stop between two steps."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
