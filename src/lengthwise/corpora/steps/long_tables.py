"""Long tables: a step a row, in CSV or Parquet, with a column that says which sequence it is of; rows in any order.

    run,second,x,y,fault
    a,0,0.1,2.0,none
    b,0,0.3,1.0,worn
    a,1,0.2,2.5,none

The columns that are asked for are in memory as a whole, since the last row may be of the first sequence.
"""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lengthwise.core.ragged import offsets_of
from lengthwise.corpora.opened import SourceFile
from lengthwise.corpora.steps.long_rows import is_parquet, read_csv_rows, read_parquet_rows
from lengthwise.corpora.steps.raw import NO_VALUE, RawSequence, RawSequences, WantedColumns
from lengthwise.errors import CorpusError


def read_long(file: SourceFile, wanted: WantedColumns, max_bytes: int, counts: Counter[str]) -> RawSequences:
    """The sequences of a file, see `SequenceReader`, in the order of their first rows."""
    del counts
    if wanted.sequence is None:
        raise CorpusError(
            f"{wanted.called('sequence')}: got null; {file.place} is a long table, and needs the column that says "
            "which sequence a row is of; name it"
        )
    rows = (read_parquet_rows if is_parquet(file) else read_csv_rows)(file, wanted, max_bytes)
    try:
        yield from _sequences(file, rows, wanted)
    except pa.ArrowException as error:
        raise CorpusError(f"{file.place}: {' '.join(str(error).split()):.200}; mend the column") from None


def _sequences(file: SourceFile, rows: pa.Table, wanted: WantedColumns) -> RawSequences:
    assert wanted.sequence is not None
    names, sequence = _coded(rows[wanted.sequence])
    if (lost := np.flatnonzero(sequence < 0)).size or "" in names:
        row = int(lost[0]) if lost.size else names.index("")
        raise CorpusError(f"{file.place}: row {row + 1} has no {wanted.sequence}; expected a sequence in each; mend it")
    order = (
        np.argsort(sequence, kind="stable") if wanted.step is None else _by_step(file, rows, wanted, sequence, names)
    )
    offsets = offsets_of(np.bincount(sequence, minlength=len(names)))
    # A column at a time: what it was read as is let go.
    texts = {name: _Coded(rows[name], order) for name in wanted.per_step if name not in wanted.features}
    features = {name: _floats(rows[name])[order].astype(np.float32)[:, None] for name in wanted.features}
    single = {name: _one_each(file, name, rows[name], order, offsets, names) for name in wanted.per_sequence}
    numbers = [_parsed(file, name, single[name]) for name in wanted.numbers]
    for number, (begin, end) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        place = f"{file.place} {wanted.sequence} {names[number]}"
        group = None if wanted.group is None else single[wanted.group][number]
        if wanted.group is not None and not group:
            raise CorpusError(
                f"{place}: has no {wanted.group}; expected a group; "
                + wanted.called.remedy("group", "fill it in, or empty {}", "fill it in")
            )
        yield RawSequence(
            place,
            end - begin,
            tokens=None if wanted.tokens is None else texts[wanted.tokens].steps(begin, end),
            tags={name: texts[name].steps(begin, end) for name in wanted.tags},
            features={name: vectors[begin:end] for name, vectors in features.items()},
            label=None if wanted.label is None else single[wanted.label][number],
            numbers=tuple(column[number] for column in numbers),
            group=group,
        )


class _Coded:
    """A column of strings in the order of steps, each string once."""

    def __init__(self, column: pa.ChunkedArray, order: np.ndarray) -> None:
        names, codes = _coded(column)
        self._names, self._codes = [name or None for name in names] + [None], codes[order]

    def steps(self, begin: int, end: int) -> list[str]:
        """The strings of some steps; None for one that is missing."""
        return [self._names[code] for code in self._codes[begin:end].tolist()]


def _coded(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """The strings of a column by first appearance, and a number of each row: int64 (N,), -1 for null."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    return encoded.dictionary.to_pylist(), encoded.indices.fill_null(-1).to_numpy().astype(np.int64)


def _by_step(
    file: SourceFile, rows: pa.Table, wanted: WantedColumns, sequence: np.ndarray, names: list[str]
) -> np.ndarray:
    """The order of rows by sequence and step: int64 (N,)."""
    column = rows[wanted.step]
    empty = pc.equal(column.cast(pa.string()), "").fill_null(True).to_numpy()
    if empty.any():
        row = int(np.flatnonzero(empty)[0])
        raise CorpusError(f"{file.place}: row {row + 1} has no {wanted.step}; expected a step in each; mend it")
    rank = pc.rank(_as_numbers(column), tiebreaker="dense").to_numpy()
    order = np.lexsort((rank, sequence))
    same = (np.diff(sequence[order]) == 0) & (np.diff(rank[order].astype(np.int64)) == 0)
    if same.any():
        row = int(order[np.flatnonzero(same)[0]])
        raise CorpusError(
            f"{file.place}: {wanted.sequence} {names[sequence[row]]} has {wanted.step} {rows[wanted.step][row]} twice; "
            f"expected each once; mend the table, or empty {wanted.called('step')} to take rows as they stand"
        )
    return order


def _as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """StepFiles that are written as numbers as such: 10 comes after 9."""
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return column
    for kind in (pa.int64(), pa.float64()):
        try:
            return column.cast(kind)
        except pa.ArrowInvalid:
            continue
    return column


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """Numbers; not a number where one is missing."""
    values: np.ndarray = column.cast(pa.float64(), safe=False).to_numpy()
    return values


def _one_each(
    file: SourceFile, name: str, column: pa.ChunkedArray, order: np.ndarray, offsets: np.ndarray, names: list[str]
) -> list[str]:
    """What all rows of a sequence have: S strings; empty, if it is missing."""
    values, codes = _coded(column)
    codes = codes[order]
    first = codes[offsets[:-1]]
    other = codes != np.repeat(first, np.diff(offsets))
    if other.any():
        number = int(np.searchsorted(offsets, np.flatnonzero(other)[0], side="right")) - 1
        found = [values[code] if code >= 0 else "none" for code in (first[number], codes[np.flatnonzero(other)[0]])]
        raise CorpusError(
            f"{file.place}: sequence {names[number]} has {name} {found[0]:.60} and {found[1]:.60}; expected one for "
            "all its rows; mend the table, or name another column"
        )
    return [values[code] if code >= 0 else "" for code in first.tolist()]


def _parsed(file: SourceFile, name: str, values: list[str]) -> list[float]:
    try:
        return [np.nan if value in NO_VALUE else float(value) for value in values]
    except ValueError as error:
        raise CorpusError(f"{file.place}: {name}: {error}; expected numbers; name another column") from None
