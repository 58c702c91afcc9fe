"""Sequences from where people have them: lists and arrays, tables, Parquet files, Hugging Face datasets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lengthwise.columns import sequence_column, step_column
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import LABEL, TOKENS, Sequences
from lengthwise.errors import ArgumentError
from lengthwise.tables import Columns, Names, Paths, columns_of, is_hugging_face, renamed

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

# What tokenizers call their columns.
INPUT_IDS, ATTENTION_MASK = "input_ids", "attention_mask"


def from_arrays(
    tokens: Any = None,  # noqa: ANN401 - any of many types.
    labels: Any = None,  # noqa: ANN401
    *,
    per_step: Columns | None = None,
    per_sequence: Columns | None = None,
    mask: Any = None,  # noqa: ANN401
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Sequences:
    """Sequences of columns: lists, arrays, padded or ragged ones, pandas `Series`, Arrow arrays.

    >>> import lengthwise as lw
    >>> lw.from_arrays([[4, 2, 7], [5]], labels=[0, 1])
    Sequences(2 sequences, 4 steps; per step: tokens int32; per sequence: label int32)

    Columns of any names and types; strings, booleans and categories become numbers of classes:

    >>> features = [[[0.5, 1.0], [0.0, 2.0]], [[1.5, 0.5]]]
    >>> found = lw.from_arrays(per_step={"x": features, "tag": [["a", "b"], ["b"]]}, per_sequence={"h": [0.5, 2.0]})
    >>> found
    Sequences(2 sequences, 3 steps; per step: x float32 (2,), tag int32 of 2 classes; per sequence: h float32)
    >>> found["tag"].tolist(), found.classes
    ([0, 1, 1], {'tag': ('a', 'b')})

    A padded array (S, T, ...) and its mask:

    >>> lw.from_arrays([[4, 2, 7], [5, 0, 0]], mask=[[1, 1, 1], [1, 0, 0]]).lengths.tolist()
    [3, 1]

    Args:
        tokens: the column `tokens` per step: S lists or arrays of one step at least, (steps, ...) each.
        labels: the column `label` per sequence, (S, ...).
        per_step: more columns of S lists, by name. All columns have the same lengths.
        per_sequence: more columns of S values, by name.
        mask: true or 1 at each step that there is, false or 0 at padding, before or after: like a column per step.
        classes: by a column's name, its classes in order, such as `train.classes`. By default they are those that
            occur, so that other sequences may number them otherwise.

    Returns:
        Sequences with these columns. Whole numbers become int32, or int64 if they do not fit, Python's floats float32;
        arrays of other types keep theirs.

    Raises:
        ArgumentError: a sequence is empty, values are of no one type, or lengths differ; it is a `ValueError`.
    """
    steps = {**({} if tokens is None else {TOKENS: tokens}), **(per_step or {})}
    others = {**({} if labels is None else {LABEL: labels}), **(per_sequence or {})}
    return _assembled(steps, others, mask, classes or {})


def from_table(
    source: Any,  # noqa: ANN401 - any of many types.
    per_step: Names,
    per_sequence: Names = (),
    *,
    mask: str | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Sequences:
    """Sequences from a table with a row for each: the columns that are named, lists per step, values per sequence.

    >>> import lengthwise as lw, pyarrow as pa
    >>> table = pa.table({"ids": [[4, 2, 7], [5]], "speaker": ["eve", "adam"], "height": [7, 70]})
    >>> lw.from_table(table, per_step={"tokens": "ids"}, per_sequence=["speaker", "height"])
    Sequences(2 sequences, 4 steps; per step: tokens int32; per sequence: speaker int32 of 2 classes, height int32)

    Args:
        source: an Arrow table, a pandas data frame, a dict of columns, a Hugging Face `Dataset` or `IterableDataset`
            (one split, which is read to its end), or the path of a Parquet file, of a folder of them, or several paths.
        per_step: names of columns with a list in each row, (steps, ...); or a dict, new names to the table's.
        per_sequence: names of columns with a value in each row.
        mask: the name of a column with true or 1 at each step that there is, false or 0 at padding.
        classes: see `from_arrays`; a `ClassLabel` of Hugging Face brings its own.

    Returns:
        Sequences of S rows, columns (N, ...) and (S, ...), as `from_arrays` makes them; floats keep the table's type.

    Raises:
        FormatError: a file cannot be read, or there is no such column.
        TypeError: the source is something else, such as a dict of splits.
        ArgumentError: see `from_arrays`; it is a `ValueError`.
    """
    steps, others = renamed(per_step), renamed(per_sequence)
    wanted = [*steps.values(), *others.values(), *([mask] if mask else [])]
    table, known = columns_of(source, wanted)
    given = {name: known[column] for name, column in {**steps, **others}.items() if column in known}
    return _assembled(
        {name: table[column] for name, column in steps.items()},
        {name: table[column] for name, column in others.items()},
        table[mask] if mask else None,
        {**given, **(classes or {})},
    )


def from_parquet(
    path: Paths, tokens: str = "tokens", label: str | None = "label", *, mask: str | None = None
) -> Sequences:
    """Sequences from two columns of Parquet files; for others see `from_table`.

    >>> import lengthwise as lw, pyarrow as pa, pyarrow.parquet as pq
    >>> pq.write_table(pa.table({"ids": [[4, 2, 7], [5]], "label": [0, 1]}), "sequences.parquet")
    >>> lw.from_parquet("sequences.parquet", tokens="ids")
    Sequences(2 sequences, 4 steps; per step: tokens int32; per sequence: label int32)

    Args:
        path: a file, several files, or a folder, whose `.parquet` files are read in the order of their names.
        tokens: the column of lists, which becomes `tokens` (N, ...).
        label: the column of values, which becomes `label` (S, ...); None: the sequences have no labels.
        mask: see `from_table`.

    Raises:
        FormatError: a file cannot be read, or lacks a column.
        ArgumentError: see `from_arrays`; it is a `ValueError`.
    """
    return from_table(path, {TOKENS: tokens}, {LABEL: label} if label else (), mask=mask)


def from_hugging_face(
    dataset: "Dataset | IterableDataset",
    tokens: str = INPUT_IDS,
    label: str | None = "label",
    *,
    mask: str | None = None,
) -> Sequences:
    """Sequences from two columns of a `datasets.Dataset`, as selected and ordered by it; for others see `from_table`.

    They have the columns `tokens` (N, ...) and `label` (S, ...).

    >>> import datasets, lengthwise as lw
    >>> lw.from_hugging_face(datasets.Dataset.from_dict({"input_ids": [[4, 2, 7], [5]], "label": [0, 1]}))
    Sequences(2 sequences, 4 steps; per step: tokens int32; per sequence: label int32)

    Args:
        dataset: one split, in memory, mapped or streamed.
        tokens: its column of lists.
        label: its column of values; None: the sequences have no labels.
        mask: see `from_table`. Beside `input_ids` a column `attention_mask` is taken, if there is one, since tokenizers
            pad.

    Raises:
        TypeError: it is something else, such as a dict of splits.
        FormatError: it lacks a column.
        ArgumentError: see `from_arrays`; it is a `ValueError`.
    """
    if not is_hugging_face(dataset):
        raise TypeError(f"dataset: got {type(dataset).__name__}; expected a datasets.Dataset, one split of it")
    if mask is None and tokens == INPUT_IDS and ATTENTION_MASK in (dataset.column_names or ()):
        mask = ATTENTION_MASK
    return from_table(dataset, {TOKENS: tokens}, {LABEL: label} if label else (), mask=mask)


def _assembled(
    per_step: Columns,
    per_sequence: Columns,
    mask: Any,  # noqa: ANN401
    classes: Mapping[str, Sequence[str]],
) -> Sequences:
    if not per_step:
        raise ArgumentError("per_step", "got no column; expected one at least, which says how long sequences are")
    steps = {name: step_column(values, name, classes.get(name)) for name, values in per_step.items()}
    first = next(iter(steps))
    offsets = steps[first].offsets
    for name, column in steps.items():
        _same_lengths(name, column.offsets, first, offsets)
    kept: np.ndarray | None = None
    if mask is not None:
        real = step_column(mask, "mask")
        _same_lengths("mask", real.offsets, first, offsets)
        kept = real.values != 0
        if kept.ndim > 1:
            raise ArgumentError("mask", f"got entries of the shape {kept.shape[1:]}; expected one value a step")
        offsets = offsets_of(np.diff(np.concatenate([[0], np.cumsum(kept)])[offsets]))
    if len(empty := np.flatnonzero(np.diff(offsets) == 0)):
        raise ArgumentError(f"sequence {empty[0]}", "is empty; expected one step at least", "leave empty sequences out")
    others = {name: sequence_column(values, name, classes.get(name)) for name, values in per_sequence.items()}
    for name, (values, _) in others.items():
        if len(values) != len(offsets) - 1:
            raise ArgumentError(name, f"got {len(values)} values; expected {len(offsets) - 1}, one for each sequence")
    found = {name: column.classes for name, column in steps.items()}
    found |= {name: named for name, (_, named) in others.items()}
    return Sequences(
        offsets,
        {name: column.values if kept is None else column.values[kept] for name, column in steps.items()},
        {name: values for name, (values, _) in others.items()},
        {name: named for name, named in found.items() if named is not None},
    )


def _same_lengths(name: str, offsets: np.ndarray, first: str, expected: np.ndarray) -> None:
    if len(offsets) != len(expected):
        raise ArgumentError(name, f"got {len(offsets) - 1} sequences; expected {len(expected) - 1}, as in {first}")
    if len(wrong := np.flatnonzero(np.diff(offsets) != np.diff(expected))):
        got, wanted = np.diff(offsets)[wrong[0]], np.diff(expected)[wrong[0]]
        raise ArgumentError(name, f"got {got} steps in sequence {wrong[0]}; expected {wanted}, as in {first}")
