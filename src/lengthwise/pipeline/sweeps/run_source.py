"""What a sweep runs next: runs that are known from the start, or what a search draws while others run."""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from lengthwise.pipeline.sweeps.grid_file import SweepRun
from lengthwise.pipeline.sweeps.overview import ExperimentRow, best_first
from lengthwise.pipeline.sweeps.workspace import Snapshot


class RunSource:
    """Runs that are known from the start, those that are refused first. A search overrides what it does otherwise.

    Args:
        runs: in their order.
    """

    def __init__(self, runs: Sequence[SweepRun]) -> None:
        self.runs = runs
        numbered = list(enumerate(runs, 1))
        self._waiting = deque(sorted(numbered, key=lambda entry: entry[1].params is not None))

    @property
    def total(self) -> int:
        """How many runs there are, at most."""
        return len(self.runs)

    def begin(self, snapshot: Snapshot) -> None:
        """The sweep begins."""

    def take(self) -> tuple[int, SweepRun] | None:
        """The next run and its number, from 1; None if there is none now, or no more if nothing runs."""
        return self._waiting.popleft() if self._waiting else None

    def why_hopeless(self, number: int, project: Path) -> str:
        """Why a run that is under way in a workspace is to be stopped; empty if it is not."""
        return ""

    def finished(self, number: int, reference: str) -> None:
        """A run is there as an experiment.

        Raises:
            SweepError: it lacks what the source needs of it.
        """

    def stopped(self, number: int) -> None:
        """A run that was hopeless has been stopped."""

    def failed(self, number: int) -> None:
        """A run has failed or was refused."""

    def state(self, number: int) -> str:
        """What the overview says of a run that has been stopped before its end; empty if it was not."""
        return ""

    def figures(self, number: int) -> Mapping[str, float]:
        """What the source itself knows of a run, by name."""
        return {}

    def ordered(self, rows: Sequence[ExperimentRow]) -> list[ExperimentRow]:
        """The rows of the overview, the best first."""
        return best_first(rows)

    def remarks(self) -> str:
        """What stands below the overview."""
        return ""
