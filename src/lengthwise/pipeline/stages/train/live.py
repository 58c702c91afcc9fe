"""What a run shows of itself while it trains: two tables that grow, a headline, and curves for TensorBoard.

A run that goes on after a kill writes all of them anew from its saved state, and only then adds to them. So no row is
there twice and none is missing, whatever the killed run wrote after that state, and whether or not DVC has cleared the
files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from lengthwise.pipeline.published import rounded, write_headline
from lengthwise.pipeline.stages.train.events import EventFolder
from lengthwise.system.files import append_text, replacing_file
from lengthwise.training.watch import EPOCH_COLUMNS, STEP_COLUMNS, VALIDATION_COLUMNS, NamedNumbers


@dataclass(frozen=True)
class LiveFiles:
    """Where a run shows itself.

    Attributes:
        epochs: CSV, a row an epoch.
        steps: CSV, a row every `train.log_every` steps.
        headline: JSON, see `write_headline`.
        events: the folder of all runs' event files, see `EventFolder`; None for no event file.
    """

    epochs: Path
    steps: Path
    headline: Path
    events: Path | None = None


class GrowingTable:
    """A CSV file to which rows are added: header first, complete lines, each written at once.

    Args:
        path: of the file.
        columns: of the rows that are written, in order.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path, self._columns = path, columns
        self._size = -1

    def write(self, rows: Iterable[NamedNumbers]) -> None:
        """Replace the file by these rows.

        Raises:
            OutputError: there is no room, or no permission.
        """
        text = ",".join(self._columns) + "\n" + "".join(map(self._line, rows))
        with replacing_file(self._path) as beside:
            beside.write_text(text, encoding="utf-8")
        self._size = len(text)

    def extend(self, rows: Sequence[NamedNumbers], new: int) -> None:
        """Add the last `new` of all rows; where somebody has changed the file meanwhile, all rows are written anew.

        Raises:
            OutputError: there is no room, or no permission.
        """
        if not self._path.is_file() or self._path.stat().st_size != self._size:
            self.write(rows)
            return
        text = "".join(map(self._line, rows[len(rows) - new :]))
        append_text(self._path, text)
        self._size += len(text)

    def _line(self, row: NamedNumbers) -> str:
        return ",".join(str(rounded(row[column])) for column in self._columns) + "\n"


class LiveFigures:
    """Writes what a run has to show, as a context: `begin` once, then after steps and after epochs.

    Args:
        files: where to.
        task: a name in `TASKS`.
        validated: whether an epoch has figures of the validation split.
        events: for TensorBoard, or None.
    """

    def __init__(self, files: LiveFiles, task: str, validated: bool, events: EventFolder | None) -> None:
        self._headline, self._task, self._events = files.headline, task, events
        self._epochs = GrowingTable(files.epochs, EPOCH_COLUMNS + (VALIDATION_COLUMNS if validated else ()))
        self._steps = GrowingTable(files.steps, STEP_COLUMNS)

    def begin(self, epochs: Sequence[NamedNumbers], steps: Sequence[NamedNumbers], headline: NamedNumbers) -> None:
        """Write all that a run has come to: nothing but headers, or what its saved state has."""
        self._epochs.write(epochs)
        self._steps.write(steps)
        if headline:
            write_headline(self._headline, {self._task: headline})
        else:
            self._headline.unlink(missing_ok=True)
        if self._events:
            self._events.begin(epochs, steps)

    def after_steps(self, rows: Sequence[NamedNumbers], new: int, headline: NamedNumbers) -> None:
        """Add the last `new` of all rows of steps."""
        self._steps.extend(rows, new)
        write_headline(self._headline, {self._task: headline})
        if self._events:
            self._events.add("step", rows[len(rows) - new :])

    def after_epoch(self, rows: Sequence[NamedNumbers], headline: NamedNumbers) -> None:
        """Add the last of all rows of epochs."""
        self._epochs.extend(rows, 1)
        write_headline(self._headline, {self._task: headline})
        if self._events:
            self._events.add("epoch", rows[-1:])

    def __enter__(self) -> "LiveFigures":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._events:
            self._events.close(complete=kind is None)
