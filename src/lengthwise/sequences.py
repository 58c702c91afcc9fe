"""Sequences of different lengths in memory: columns with a value per step, and columns with a value per sequence.

They come from arrays, a Parquet file or a Hugging Face dataset. No pipeline is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from lengthwise.errors import FormatError
from lengthwise.ragged import offsets_of, ranges

if TYPE_CHECKING:
    from datasets import Dataset

INT32 = np.iinfo(np.int32)
# Token ids with a meaning of their own: what fills a row up, and a token that the vocabulary does not have.
PAD_ID, UNK_ID = 0, 1
# The columns that token ids and labels have, if nobody names others.
TOKENS, LABEL = "tokens", "label"


@dataclass(frozen=True, repr=False)
class Sequences:
    """S sequences of N steps in all: columns with a value per step, and columns with a value per sequence.

    >>> import numpy as np
    >>> from lengthwise import Sequences
    >>> sequences = Sequences(np.array([0, 2, 3]), {"tokens": np.array([7, 8, 9])}, {"label": np.array([1, 0])})
    >>> len(sequences), sequences.lengths.tolist(), sequences["tokens"].tolist()
    (2, [2, 1], [7, 8, 9])
    >>> sequences
    Sequences(2 sequences, 3 steps; per step: tokens int64; per sequence: label int64)
    >>> sequences.take([1])["tokens"].tolist()
    [9]

    Attributes:
        offsets: int64 (S + 1,), the step at which each sequence begins, and N at the end.
        per_step: by name, arrays (N, ...): the steps of one sequence after those of another.
        per_sequence: by name, arrays (S, ...).

    Raises:
        ValueError: the offsets do not rise from 0, a column has another number of entries, or a name stands for two
            columns.
    """

    offsets: np.ndarray
    per_step: Mapping[str, np.ndarray]
    per_sequence: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        offsets = self.offsets
        if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or not len(offsets) or offsets[0] != 0:
            raise ValueError(f"offsets: got {offsets!r:.80}; expected whole numbers, one after another, the first 0")
        if len(falls := np.flatnonzero(offsets[1:] < offsets[:-1])):
            raise ValueError(f"offsets: fall after sequence {falls[0]}; expected each at least the one before")
        columns = [*((name, values, int(self.offsets[-1]), "step") for name, values in self.per_step.items())]
        columns += [(name, values, len(self), "sequence") for name, values in self.per_sequence.items()]
        for name, values, expected, what in columns:
            if not values.ndim or len(values) != expected:
                got = f"{len(values)} values" if values.ndim else "one number"
                raise ValueError(f"{name}: got {got}; expected {expected}, one for each {what}")
        if twice := self.per_step.keys() & self.per_sequence.keys():
            raise ValueError(f"{min(twice)}: names a column per step and one per sequence; rename one of them")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        parts = [f"{len(self)} sequences, {self.offsets[-1]} steps"]
        for what, columns in (("step", self.per_step), ("sequence", self.per_sequence)):
            if columns:
                parts.append(f"per {what}: {', '.join(_described(name, values) for name, values in columns.items())}")
        return f"Sequences({'; '.join(parts)})"

    def __getitem__(self, name: str) -> np.ndarray:
        """A column by its name, per step (N, ...) or per sequence (S, ...).

        Raises:
            KeyError: there is no such column.
        """
        for columns in (self.per_step, self.per_sequence):
            if name in columns:
                return columns[name]
        known = ", ".join(sorted({*self.per_step, *self.per_sequence}))
        raise KeyError(f"{name}: is no column; expected one of {known}")

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each sequence: int64 (S,)."""
        return np.diff(self.offsets)

    def take(self, rows: ArrayLike) -> "Sequences":
        """The sequences of these numbers, in this order, with all their columns.

        Args:
            rows: int (R,), numbers from 0; one that comes again is taken again.

        Raises:
            ValueError: the rows are no whole numbers, or there is no such sequence.
        """
        asked = np.asarray(rows)
        if asked.ndim != 1 or (asked.size and asked.dtype.kind not in "iu"):
            raise ValueError(
                f"rows: got {asked.dtype} of shape {asked.shape}; expected whole numbers, one after another"
            )
        chosen = asked.astype(np.int64)
        if len(wrong := chosen[(chosen < 0) | (chosen >= len(self))]):
            raise ValueError(f"rows: got {wrong[0]}; expected numbers from 0, below {len(self)}")
        steps = ranges(self.offsets[chosen], self.lengths[chosen])
        return Sequences(
            offsets_of(self.lengths[chosen]),
            {name: values[steps] for name, values in self.per_step.items()},
            {name: values[chosen] for name, values in self.per_sequence.items()},
        )


def _described(name: str, values: np.ndarray) -> str:
    """A column's name and type, and the shape of an entry, unless that is one number."""
    shape = f" {values.shape[1:]}" if values.ndim > 1 else ""
    return f"{name} {values.dtype}{shape}"


def from_arrays(tokens: Sequence[ArrayLike], labels: ArrayLike) -> Sequences:
    """Sequences of token ids, each with one label.

    >>> import lengthwise as lw
    >>> lw.from_arrays([[4, 2, 7], [5]], labels=[0, 1])
    Sequences(2 sequences, 4 steps; per step: tokens int32; per sequence: label int32)

    Args:
        tokens: S lists or arrays of ids, each of one id at least.
        labels: int (S,).

    Returns:
        Sequences with the columns `tokens` int32 (N,) and `label` int32 (S,).

    Raises:
        ValueError: a sequence is empty or no flat list of whole numbers of 32 bits, or there is not a label for each.
    """
    arrays = [_whole_numbers(ids, f"sequence {place}") for place, ids in enumerate(tokens)]
    values = np.concatenate([np.zeros(0, np.int32), *arrays])
    return _sequences(values, offsets_of(np.array([len(ids) for ids in arrays], np.int64)), labels)


def from_parquet(path: Path | str, tokens: str = "tokens", label: str = "label") -> Sequences:
    """Sequences from two columns of a Parquet file: `tokens` int32 (N,) and `label` int32 (S,).

    >>> import lengthwise as lw, pyarrow as pa, pyarrow.parquet as pq
    >>> pq.write_table(pa.table({"ids": [[4, 2, 7], [5]], "label": [0, 1]}), "sequences.parquet")
    >>> lw.from_parquet("sequences.parquet", tokens="ids")
    Sequences(2 sequences, 4 steps; per step: tokens int32; per sequence: label int32)

    Args:
        path: the file.
        tokens: its column of lists of ids.
        label: its column of whole numbers.

    Raises:
        FormatError: the file cannot be read, or lacks a column.
        ValueError: see `from_arrays`.
    """
    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in (tokens, label) if name in file.schema_arrow.names]
            table = file.read(columns)
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: cannot be read ({reason}); expected a Parquet file") from error
    return _from_table(table, tokens, label, str(path))


def from_hugging_face(dataset: "Dataset", tokens: str = "input_ids", label: str = "label") -> Sequences:
    """Sequences from two columns of a `datasets.Dataset`, as selected and ordered by it.

    They have the columns `tokens` int32 (N,) and `label` int32 (S,).

    >>> import datasets, lengthwise as lw
    >>> lw.from_hugging_face(datasets.Dataset.from_dict({"input_ids": [[4, 2, 7], [5]], "label": [0, 1]}))
    Sequences(2 sequences, 4 steps; per step: tokens int32; per sequence: label int32)

    Args:
        dataset: one split, in memory or mapped.
        tokens: its column of lists of ids.
        label: its column of whole numbers.

    Raises:
        TypeError: it is something else, such as a dict of splits.
        FormatError: it lacks a column.
        ValueError: see `from_arrays`.
    """
    if isinstance(dataset, dict) or not all(hasattr(dataset, name) for name in ("select_columns", "__len__")):
        raise TypeError(f"dataset: got {type(dataset).__name__}; expected a datasets.Dataset, one split of it")
    columns = [name for name in (tokens, label) if name in dataset.column_names]
    return _from_table(dataset.select_columns(columns).with_format("arrow")[:], tokens, label, "dataset")


def _from_table(table: pa.Table, tokens: str, label: str, name: str) -> Sequences:
    for column in (tokens, label):
        if column not in table.column_names:
            raise FormatError(f"{name}: has no column {column!r}; name the columns of token ids and of labels")
        if table[column].null_count:
            raise ValueError(f"{name}: the column {column!r} has nulls; expected a value in every row; leave them out")
    kind = table[tokens].type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not pa.types.is_integer(kind.value_type):
        raise ValueError(f"{name}: the column {tokens!r} has type {kind}; expected lists of whole numbers")
    values = pc.list_flatten(table[tokens])
    if values.null_count:
        raise ValueError(f"{name}: the column {tokens!r} has null ids; expected whole numbers; leave them out")
    lengths = pc.list_value_length(table[tokens]).to_numpy().astype(np.int64)
    return _sequences(_whole_numbers(values.to_numpy(), "token ids"), offsets_of(lengths), table[label].to_numpy())


def _sequences(tokens: np.ndarray, offsets: np.ndarray, labels: ArrayLike) -> Sequences:
    count = len(offsets) - 1
    empty = np.flatnonzero(np.diff(offsets) == 0)
    if len(empty):
        raise ValueError(f"sequence {empty[0]}: is empty; expected one id at least; leave empty sequences out")
    label = _whole_numbers(labels, "labels")
    if len(label) != count:
        raise ValueError(f"labels: got {len(label)}; expected {count}, one for each sequence")
    return Sequences(offsets, {TOKENS: tokens}, {LABEL: label})


def _whole_numbers(values: ArrayLike, name: str) -> np.ndarray:
    """A flat list as int32 (N,); a number that does not fit is refused, never changed."""
    try:
        array = np.asarray(values)
    except ValueError:  # Lists of different lengths in it.
        array = np.empty((0, 0))
    if array.shape == (0,):
        return np.zeros(0, np.int32)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        kind = f"{array.dtype} of shape {array.shape}" if array.size else "lists of different lengths"
        raise ValueError(f"{name}: got {kind}; expected whole numbers, one after another")
    wrong = array[(array < INT32.min) | (array > INT32.max)]
    if len(wrong):
        raise ValueError(f"{name}: got {wrong[0]}; expected whole numbers from {INT32.min} to {INT32.max}")
    return array.astype(np.int32)
