"""Parquet files of a sequence a row: columns per step are lists, features lists of numbers or of lists of them."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lengthwise.corpora.opened import SourceFile
from lengthwise.corpora.steps.parquet_files import open_parquet, row_batches
from lengthwise.corpora.steps.raw import RawSequence, RawSequences, WantedColumns
from lengthwise.errors import CorpusError


def read_listed(file: SourceFile, wanted: WantedColumns, max_bytes: int, counts: Counter[str]) -> RawSequences:
    """The sequences of a file, see `SequenceReader`."""
    del counts
    wanted.refuse_kind(
        file, "a sequence a row", (wanted.sequence,) if wanted.sequence else (), "sequence", "no such column"
    )
    with open_parquet(file, max_bytes) as table:
        names = (*wanted.per_step, *wanted.per_sequence)
        wanted.refuse_absent(file.place, table.schema_arrow.names, names)
        classes = _class_names(table)
        begin = 0
        for batch in row_batches(file, table, names, max_bytes):
            try:
                yield from _sequences(file, batch, begin, wanted, classes)
            except pa.ArrowException as error:
                reason = " ".join(str(error).split())
                raise CorpusError(f"{file.place} from row {begin}: {reason:.160}; mend the column") from None
            begin += batch.num_rows


def _sequences(
    file: SourceFile, batch: pa.RecordBatch, begin: int, wanted: WantedColumns, classes: dict[str, list[str]]
) -> RawSequences:
    lists = {name: _Lists.of(file, wanted, name, batch[name], begin) for name in wanted.per_step}
    _refuse_lengths(file, lists, begin)
    ends = next(iter(lists.values())).ends if lists else np.zeros(batch.num_rows, np.int64)
    features = {name: lists[name].vectors(file, begin) for name in wanted.features}
    texts = {name: lists[name].texts(classes.get(name)) for name in wanted.per_step if name not in features}
    single = {name: _texts(batch[name], classes.get(name)) for name in (wanted.label, wanted.group) if name is not None}
    numbers = [_floats(batch[name]) for name in wanted.numbers]
    first = 0
    for row, end in enumerate(ends.tolist()):
        place = f"{file.place} row {begin + row}"
        group = None if wanted.group is None else single[wanted.group][row]
        if wanted.group is not None and group is None:
            raise CorpusError(
                f"{place}: has no {wanted.group}; expected a group; "
                + wanted.called.remedy("group", "fill it in, or empty {}", "fill it in")
            )
        yield RawSequence(
            place,
            end - first,
            tokens=None if wanted.tokens is None else texts[wanted.tokens][first:end],
            tags={name: texts[name][first:end] for name in wanted.tags},
            features={name: vectors[first:end] for name, vectors in features.items()},
            label=None if wanted.label is None else single[wanted.label][row] or "",
            numbers=tuple(float(column[row]) for column in numbers),
            group=group,
        )
        first = end


class _Lists:
    """A column of lists: where they end, int64 (S,), and what is in them, one after another."""

    def __init__(self, name: str, ends: np.ndarray, values: pa.Array) -> None:
        self.name, self.ends, self.values = name, ends, values

    @classmethod
    def of(cls, file: SourceFile, wanted: WantedColumns, name: str, column: pa.Array, begin: int) -> "_Lists":
        if not _is_list(column.type):
            raise CorpusError(
                f"{file.place}: {name} is {column.type}; expected lists, a value for each step; name another column, "
                f"or set {wanted.called('sequence')} if rows are steps"
            )
        if column.null_count:
            row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise CorpusError(f"{file.place} row {begin + row}: {name} is null; expected a list; mend the row")
        lengths = pc.list_value_length(column).to_numpy().astype(np.int64)
        return cls(name, np.cumsum(lengths), column.flatten())

    def vectors(self, file: SourceFile, begin: int) -> np.ndarray:
        """Features of steps: float32 (N, D)."""
        values, size = self.values, 1
        if _is_list(values.type):
            sizes = pc.list_value_length(values).fill_null(-1).to_numpy()
            size = int(sizes[0]) if len(sizes) else 1
            if (sizes != size).any():
                step = int(np.flatnonzero(sizes != size)[0])
                row = begin + int(np.searchsorted(self.ends, step, side="right"))
                found = "null" if sizes[step] < 0 else f"{sizes[step]} numbers"
                raise CorpusError(
                    f"{file.place} row {row}: a step of {self.name} has {found}; expected {size}, as before; mend "
                    "the row"
                )
            values = values.flatten()
        return _floats(values).reshape(-1, size)

    def texts(self, classes: list[str] | None) -> list[str]:
        """Tokens or tags of steps: N strings, or None."""
        return _texts(self.values, classes)


def _refuse_lengths(file: SourceFile, lists: dict[str, _Lists], begin: int) -> None:
    for name, column in lists.items():
        first = next(iter(lists))
        if (wrong := np.flatnonzero(np.diff(column.ends, prepend=0) != np.diff(lists[first].ends, prepend=0))).size:
            lengths = [int(np.diff(lists[of].ends, prepend=0)[wrong[0]]) for of in (first, name)]
            raise CorpusError(
                f"{file.place} row {begin + int(wrong[0])}: has {lengths[0]} steps of {first} and {lengths[1]} of "
                f"{name}; expected one length; mend the row"
            )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _floats(values: pa.Array) -> np.ndarray:
    """Numbers, float64; not a number where one is missing."""
    if _is_list(values.type):
        raise pa.ArrowInvalid(f"got {values.type}; expected numbers")
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)


def _texts(values: pa.Array, classes: list[str] | None) -> list[Any]:
    """Strings; None for one that is missing."""
    if classes is not None and pa.types.is_integer(values.type):
        return [classes[code] if code is not None and 0 <= code < len(classes) else None for code in values.to_pylist()]
    texts: list[Any] = values.cast(pa.string()).to_pylist()
    return texts


def _class_names(table: pq.ParquetFile) -> dict[str, list[str]]:
    """The names of classes that files of the Hugging Face datasets say, by column."""
    try:
        features = json.loads((table.schema_arrow.metadata or {})[b"huggingface"])["info"]["features"]
        kinds = {name: kind.get("feature", kind) for name, kind in features.items()}
        return {name: [*map(str, kind["names"])] for name, kind in kinds.items() if "names" in kind}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
