"""Sequences from where users have them: arrays, a Parquet file, a Hugging Face dataset. No pipeline is needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from lengthwise.errors import FormatError
from lengthwise.ragged import offsets_of
from lengthwise.shards.reader import Sequences

if TYPE_CHECKING:
    from datasets import Dataset


def from_arrays(tokens: Sequence[ArrayLike], labels: ArrayLike) -> Sequences:
    """Sequences of token ids, each with one label.

    Args:
        tokens: S lists or arrays of ids, each of one id at least.
        labels: int (S,).

    Raises:
        ValueError: a sequence is empty or has no flat list of whole numbers, or there is not a label for each.
    """
    arrays = [np.asarray(ids) for ids in tokens]
    for place, ids in enumerate(arrays):
        if ids.ndim != 1 or not len(ids) or ids.dtype.kind not in "iu":
            raise ValueError(
                f"sequence {place}: got {ids.dtype} of shape {ids.shape}; expected a flat list of one id at least; "
                "leave empty sequences out"
            )
    values = np.concatenate([np.zeros(0, np.int32), *arrays])
    return _sequences(values, offsets_of(np.array([len(ids) for ids in arrays], np.int64)), np.asarray(labels))


def from_parquet(path: Path, tokens: str = "tokens", label: str = "label") -> Sequences:
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
        table = pq.read_table(path, columns=[tokens, label])
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"{path}: cannot be read ({error}); expected a Parquet file") from error
    return _from_table(table, tokens, label, str(path))


def from_hugging_face(dataset: "Dataset", tokens: str = "input_ids", label: str = "label") -> Sequences:
    """Sequences from two columns of a `datasets.Dataset`, as selected and ordered by it.

    Args:
        dataset: one split, in memory or mapped.
        tokens: its column of lists of ids.
        label: its column of whole numbers.

    Raises:
        FormatError: it lacks a column.
        ValueError: see `from_arrays`.
    """
    kept = [name for name in (tokens, label) if name in dataset.column_names]
    return _from_table(dataset.select_columns(kept).with_format("arrow")[:], tokens, label, "dataset")


def _from_table(table: pa.Table, tokens: str, label: str, name: str) -> Sequences:
    for column in (tokens, label):
        if column not in table.column_names:
            raise FormatError(f"{name}: has no column {column!r}; name the columns of token ids and of labels")
    for column in (tokens, label):
        if table[column].null_count:
            raise ValueError(f"{name}: the column {column!r} has nulls; expected a value in every row; leave them out")
    lists = table[tokens].combine_chunks()
    kind = lists.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not is_list or not pa.types.is_integer(kind.value_type) or lists.flatten().null_count:
        raise ValueError(f"{name}: the column {tokens!r} has type {kind}; expected lists of whole numbers")
    lengths = lists.value_lengths().to_numpy().astype(np.int64)
    return _sequences(lists.flatten().to_numpy(), offsets_of(lengths), table[label].to_numpy())


def _sequences(tokens: np.ndarray, offsets: np.ndarray, labels: np.ndarray) -> Sequences:
    count = len(offsets) - 1
    empty = np.flatnonzero(np.diff(offsets) == 0)
    if len(empty):
        raise ValueError(f"sequence {empty[0]}: is empty; expected one id at least; leave empty sequences out")
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels: got {labels.dtype} of shape {labels.shape}; expected whole numbers of shape ({count},), one a "
            "sequence"
        )
    number = np.arange(count, dtype=np.int32)
    return Sequences(tokens.astype(np.int32), offsets, labels.astype(np.int32), number, number, number)
