"""What is kept of each slice waits in a scratch file, from the pass that sees all lengths to the one that knows places.

So a slice is read and decoded once. A file goes once it is read: of what it held, only what the second pass makes of it
is on disk then.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lengthwise.core.ragged import offsets_of
from lengthwise.prepare.shards.lengths import Pieces
from lengthwise.prepare.shards.part_bytes import take_parts
from lengthwise.prepare.shards.units import Units


def pieces_of(units: Units, pieces: Pieces) -> Units:
    """What is kept of some sequences, as sequences of its own.

    Args:
        units: the sequences.
        pieces: as `LengthLimits.pieces` gives them for these.
    """
    begins, every = units.offsets[pieces.unit] + pieces.start, np.arange(len(pieces.unit))
    return Units(
        {name: take_parts(values, begins, pieces.length, every) for name, values in units.steps.items()},
        offsets_of(pieces.length),
        units.document[pieces.unit],
        units.split[pieces.unit],
    )


class KeptUnits:
    """Sequences of some slices in scratch files, to be read once, in order.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[tuple[str, ...]] = []

    def add(self, units: Units) -> None:
        """Put down the sequences of the next slice."""
        with self._file(len(self._names)).open("wb") as stream:
            for array in (units.offsets, units.document, units.split, *units.steps.values()):
                np.save(stream, array)
        # The names of columns come from outside: they are no names of files.
        self._names.append(tuple(units.steps))

    def __iter__(self) -> Iterator[Units]:
        for number, names in enumerate(self._names):
            with self._file(number).open("rb") as stream:
                offsets, document, split, *steps = (np.load(stream) for _ in range(3 + len(names)))
            self._file(number).unlink()
            yield Units(dict(zip(names, steps, strict=True)), offsets, document, split)

    def _file(self, number: int) -> Path:
        return self._folder / f"kept of slice {number}"
