"""Sequences that do not end or do not fit into memory: planned by any strategy, a buffer at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf

from lengthwise.batching.block_windows import part_rng, read_ahead, windows_of
from lengthwise.batching.epochs import Epochs
from lengthwise.batching.examples import Asked
from lengthwise.batching.fit_epoch import FitEpoch
from lengthwise.batching.grid import grid_of
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.sources import from_table
from lengthwise.tables import Names, RowGroups, known_classes, parquet_files, parquet_parts, renamed

# Rows, each a dict of its columns, or `Sequences`.
Rows = Iterable[Any]
# What booleans are numbered by, in every buffer.
BOOLEANS = ("false", "true")


class Stream:
    """Sequences from a source that is read again in every epoch, as many at a time as a buffer holds.

    A strategy plans each buffer by itself: every sequence comes once an epoch, its batch-mates are from its buffer, and
    the order is a pure function of seed, epoch and the number of the buffer. Memory holds one buffer. Keras does not
    know how long an epoch is, and says so at its end; of a stream without end give `fit` its `steps_per_epoch`.

    >>> import lengthwise as lw
    >>> def rows():
    ...     for number in range(1000):
    ...         yield {"ids": [number] * (1 + number % 7), "label": number % 2}
    >>> stream = lw.Stream(rows, {"tokens": "ids"}, "label", buffer=300)
    >>> [len(part) for part in stream]
    [300, 300, 300, 100]
    >>> data = lw.fit_data(stream, lw.Bucketed(batch_size=32, buckets=4))
    >>> sum(len(labels) for tokens, labels in data)
    1000

    Args:
        source: a function without arguments that returns an iterable of rows, each a dict of its columns; an iterable
            that can be read again and again, such as a list or a Hugging Face `IterableDataset`; Parquet files or
            folders of them, by their paths; or an iterable of `Sequences` (then names are not asked for).
        per_step: names of columns with a list in each row, (steps, ...); or a dict, new names to the source's.
        per_sequence: names of columns with a value in each row, which become (S, ...).
        buffer: S, sequences at a time. More are shuffled better and padded less.
        window_blocks: of Parquet files, in the place of a buffer: row groups at a time, in another random order in
            every epoch, read ahead by a thread. See `windows_of` for what comes together.
        mask: the name of a column with true or 1 at each step that there is.
        classes: by a column's name, its classes in order. Strings need them, since no buffer has them all.

    Raises:
        ArgumentError: the buffer or the window is below 1, names are missing, or there are no row groups to choose
            from; it is a `ValueError`.
        FormatError: a file cannot be read or lacks a column.
        TypeError: the source is something else, or can be read only once.
    """

    def __init__(
        self,
        source: Callable[[], Rows] | Rows | str | Path,
        per_step: Names = (),
        per_sequence: Names = (),
        *,
        buffer: int = 10_000,
        window_blocks: int | None = None,
        mask: str | None = None,
        classes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if not _is_size(buffer):
            raise ArgumentError("buffer", f"got {buffer!r}; expected a whole number of sequences, at least 1")
        if window_blocks is not None and not _is_size(window_blocks):
            raise ArgumentError("window_blocks", f"got {window_blocks!r}; expected a whole number, at least 1, or None")
        if isinstance(source, Iterator):
            raise TypeError(
                f"source: got {type(source).__name__}, which can be read once; expected a function that returns one"
            )
        if not callable(source) and not isinstance(source, Iterable | Path):
            raise TypeError(
                f"source: got {type(source).__name__}; expected rows, a function that returns them, or paths"
            )
        if window_blocks is not None and not _names_paths(source):
            raise ArgumentError("window_blocks", "got it for rows; expected paths of Parquet files", "give a buffer")
        self.buffer, self.window_blocks = buffer, window_blocks
        self._source, self._mask = source, mask
        self._per_step, self._per_sequence = renamed(per_step), renamed(per_sequence)
        self._wanted = [*self._per_step.values(), *self._per_sequence.values(), *([mask] if mask else [])]
        columns = {**self._per_step, **self._per_sequence}
        told = known_classes(source, list(columns.values()))
        self._classes = {name: told[column] for name, column in columns.items() if column in told} | dict(classes or {})

    def __iter__(self) -> Iterator[Sequences]:
        """The buffers of one pass, of so many sequences each but for the last, or the windows of the first epoch.

        Raises:
            ArgumentError: a buffer has columns of other types than the first one; it is a `ValueError`.
        """
        return self.of_epoch(0, 0)

    def of_epoch(self, seed: int, epoch: int) -> Iterator[Sequences]:
        """The buffers of an epoch; only windows of blocks come in an order that depends on it.

        Raises:
            ArgumentError: a buffer has columns of other types than the first one; it is a `ValueError`.
        """
        first: Sequences | None = None
        for number, part in enumerate(self._windows(seed, epoch) if self.window_blocks else self._parts()):
            # Of the first one only the types are kept.
            first = part[:0] if first is None else first
            _check_same(part, first, number)
            yield part
            del part

    def _windows(self, seed: int, epoch: int) -> Iterator[Sequences]:
        groups = RowGroups(_paths(self._source), self._wanted)
        windows = windows_of(len(groups), self.window_blocks or 1, seed, epoch)
        return read_ahead(lambda window: self._made(pa.concat_tables(groups.read(window))), windows)

    def _parts(self) -> Iterator[Sequences]:
        if _names_paths(self._source):
            for table in parquet_parts(_paths(self._source), self._wanted, self.buffer):
                yield self._made(table)
            return
        source: Any = self._source
        rows = iter(source() if callable(source) else source)
        head = list(islice(rows, 1))
        rows = chain(head, rows)
        if head and isinstance(head[0], Sequences):
            for whole in rows:
                yield from (whole[begin : begin + self.buffer] for begin in range(0, len(whole), self.buffer))
            return
        while taken := list(islice(rows, self.buffer)):
            columns = {name: [_value(row, name) for row in taken] for name in self._wanted}
            yield self._made(columns)

    def _made(self, table: Any) -> Sequences:  # noqa: ANN401 - of one of several types.
        if not self._per_step:
            raise ArgumentError("per_step", "got no column; expected one at least, which says how long sequences are")
        made = from_table(table, self._per_step, self._per_sequence, mask=self._mask, classes=self._classes)
        for name, found in made.classes.items():
            if name not in self._classes and found != BOOLEANS:
                raise ArgumentError(
                    "classes",
                    f"got none for {name!r}, a column of strings; expected all of them in order, such as "
                    f"{{{name!r}: {tuple(found[:2])!r}}}, since no buffer need have all",
                )
        return made


def stream_data(stream: Stream, asked: Asked, seed: int, epoch: int | FitEpoch) -> tf.data.Dataset:
    """What `fit_data` gives of a stream: batches of one buffer after another, as many as there are.

    Args:
        stream: of sequences.
        asked: what of them.
        seed: of the order.
        epoch: of the first pass.

    Raises:
        ArgumentError: the first buffer has no such column, or the source has no rows; it is a `ValueError`.
    """
    epochs = Epochs(epoch)
    first = next(iter(stream), None)
    if first is None:
        raise ArgumentError("source", "got no rows; expected one at least")
    if asked.class_weights is not None and (missing := _without_classes(asked, first)):
        raise ArgumentError(
            "class_weights", f"got them for {missing!r}, whose classes the stream does not know; expected classes=..."
        )
    declared = asked.of(first).specs

    def batches() -> Iterator[Any]:
        number = epochs.number
        for place, part in enumerate(stream.of_epoch(seed, number)):
            examples = asked.of(part)
            plan = asked.strategy.plan(part.lengths, part_rng(seed, number, place))
            for batch in range(len(plan)):
                arrays = examples.arrays(grid_of(plan, batch, part.offsets, asked.padding))
                found = tf.nest.pack_sequence_as(declared, arrays)
                yield found if len(found) > 1 else found[0]
        epochs.end()

    return tf.data.Dataset.from_generator(batches, output_signature=declared if len(declared) > 1 else declared[0])


def _names_paths(source: Any) -> bool:  # noqa: ANN401
    """Whether a source is a path, or some."""
    given = [source] if isinstance(source, str | Path) else source
    return isinstance(given, list | tuple) and bool(given) and all(isinstance(path, str | Path) for path in given)


def _paths(source: Any) -> list[Path]:  # noqa: ANN401
    """The Parquet files that a source of paths names."""
    given = [source] if isinstance(source, str | Path) else source
    return [file for path in given for file in parquet_files(path)]


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _value(row: Any, name: str) -> Any:  # noqa: ANN401
    try:
        return row[name]
    except (KeyError, TypeError, IndexError) as error:
        got = f"columns {', '.join(map(str, row))}" if isinstance(row, Mapping) else type(row).__name__
        raise ArgumentError("source", f"got a row of {got}; expected a dict with the column {name!r}") from error


def _without_classes(asked: Asked, first: Sequences) -> str | None:
    """A target of which the classes are not known."""
    targets = asked.targets if isinstance(asked.targets, Mapping) else {"": asked.targets}
    for wanted in targets.values():
        name = getattr(wanted, "column", wanted)
        if name in first.names and name not in first.classes:
            return str(name)
    return None


def _check_same(part: Sequences, first: Sequences, number: int) -> None:
    for name in first.names:
        if name not in part.names:
            raise ArgumentError("source", f"got no column {name!r} in buffer {number}; expected it as in the first")
        got, expected = part[name], first[name]
        if (got.dtype, got.shape[1:]) != (expected.dtype, expected.shape[1:]):
            raise ArgumentError(
                "source",
                f"got {name!r} of {got.dtype} {got.shape[1:]} in buffer {number}; expected {expected.dtype} "
                f"{expected.shape[1:]}, as in the first",
            )
