"""Sequences from where users have them: arrays, a Parquet file, a Hugging Face dataset. No pipeline is needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from lengthwise.errors import FormatError
from lengthwise.ragged import offsets_of
from lengthwise.shards.reader import Sequences

if TYPE_CHECKING:
    from datasets import Dataset

INT32 = np.iinfo(np.int32)


def from_arrays(tokens: Sequence[ArrayLike], labels: ArrayLike) -> Sequences:
    """Sequences of token ids, each with one label.

    Args:
        tokens: S lists or arrays of ids, each of one id at least.
        labels: int (S,).

    Raises:
        ValueError: a sequence is empty or no flat list of whole numbers of 32 bits, or there is not a label for each.
    """
    arrays = [_whole_numbers(ids, f"sequence {place}") for place, ids in enumerate(tokens)]
    values = np.concatenate([np.zeros(0, np.int32), *arrays])
    return _sequences(values, offsets_of(np.array([len(ids) for ids in arrays], np.int64)), labels)


def from_parquet(path: Path | str, tokens: str = "tokens", label: str = "label") -> Sequences:
    """Sequences from two columns of a Parquet file.

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
    number = np.arange(count, dtype=np.int32)
    return Sequences(tokens, offsets, label, number, number, number)


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
