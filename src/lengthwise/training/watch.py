"""What a run tells who watches it: rows of its curves, and a headline."""

from collections.abc import Mapping, Sequence
from typing import Protocol

STEP_COLUMNS = ("step", "loss", "accuracy")
EPOCH_COLUMNS = ("epoch", "train_loss", "train_accuracy")
VALIDATION_COLUMNS = ("validation_loss", "validation_accuracy")
# Every row has it too: seconds since 1970.
WALL_TIME = "wall_time"

NamedNumbers = Mapping[str, float]


class Unwatched:
    """Is told, and does nothing: a `Watcher` for a process that has nothing to show."""

    def begin(self, epochs: Sequence[NamedNumbers], steps: Sequence[NamedNumbers], headline: NamedNumbers) -> None:
        """The run begins."""

    def after_steps(self, rows: Sequence[NamedNumbers], new: int, headline: NamedNumbers) -> None:
        """Rows of steps are new."""

    def after_epoch(self, rows: Sequence[NamedNumbers], headline: NamedNumbers) -> None:
        """A row of epochs is new."""


class Watcher(Protocol):
    """Is told of a run by its loop: `begin` once, then after steps and after epochs."""

    def begin(self, epochs: Sequence[NamedNumbers], steps: Sequence[NamedNumbers], headline: NamedNumbers) -> None:
        """The run begins, or goes on: all rows that it has come to so far.

        Args:
            epochs: with `EPOCH_COLUMNS`, and `VALIDATION_COLUMNS` where there are validation sequences.
            steps: with `STEP_COLUMNS`.
            headline: the last figures by their names; empty at first.
        """
        ...

    def after_steps(self, rows: Sequence[NamedNumbers], new: int, headline: NamedNumbers) -> None:
        """The last `new` of all rows of steps are new."""
        ...

    def after_epoch(self, rows: Sequence[NamedNumbers], headline: NamedNumbers) -> None:
        """The last of all rows of epochs is new."""
        ...
