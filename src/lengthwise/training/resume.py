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
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

import lengthwise
from lengthwise.errors import FormatError
from lengthwise.system.seals import SEAL_KEY, UNSEALED, check_seal, sealed_file

SAVE_SECONDS = 10.0
STATE_NAME = "state.safetensors"
CARRIED = "carried-"
CODE = (".cc", ".h", ".py")


def run_digest(settings: Mapping[str, Any], data: str) -> str:
    """A digest of a run's settings, its data's digest, and this library's code."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode() + data.encode())
    root = Path(lengthwise.__file__).parent
    for source in sorted(root.rglob("*.*")):
        if source.suffix in CODE:
            digest.update(str(source.relative_to(root)).encode() + source.read_bytes())
    return digest.hexdigest()[:24]


class ResumeState:
    """Saves and restores variables and a JSON-able progress.

    Args:
        folder: where all runs keep their states.
        digest: of this run (see `run_digest`).
        variables: all that a step changes: weights, the optimizer's moments, the state of dropout.
    """

    def __init__(self, folder: Path, digest: str, variables: Sequence[keras.Variable]) -> None:
        self._path = folder / digest / STATE_NAME
        self._variables = variables
        self._saved = time.monotonic()

    def restore(self) -> tuple[dict[str, Any], list[np.ndarray]] | None:
        """Set the variables to the saved state.

        Returns:
            What was saved beside them: the progress and the arrays; None where there is nothing to go on from, or
            it is damaged, which is said.
        """
        if not self._path.exists():
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
        with sealed_file(self._path) as beside:
            # `save_file` writes under a name of its own, which a kill leaves behind, and has errors of its own.
            beside.write_bytes(save(arrays, {"progress": json.dumps(progress), SEAL_KEY: UNSEALED}))
        self._saved = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last save is long enough ago."""
        return time.monotonic() - self._saved >= SAVE_SECONDS

    def clear(self) -> None:
        """Remove the state: the run is complete."""
        shutil.rmtree(self._path.parent, ignore_errors=True)


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
