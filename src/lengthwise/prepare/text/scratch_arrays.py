"""Arrays that wait in a scratch folder for the next map over slices."""

from pathlib import Path

import numpy as np

from lengthwise.system.files import part_file


def save_array(path: Path, array: np.ndarray) -> None:
    """Save an array for the next task to map, complete or not at all; see `part_file`."""
    with part_file(path) as beside, beside.open("wb") as stream:
        np.save(stream, array)
