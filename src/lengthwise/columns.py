"""Whatever people have as a column, as arrays: a value per step with where sequences begin, or a value per sequence.

Lists, arrays, ragged and padded ones, pandas and Arrow, each at the speed of Arrow. Types:

whole numbers, one an entry     int32, or int64 if they do not fit
Python's floats                 float32
strings, booleans, categories   int32, numbers of classes that have names
all others                      as they are
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lengthwise.core.ragged import offsets_of
from lengthwise.errors import ArgumentError

INT32, INT64 = np.iinfo(np.int32), np.iinfo(np.int64)
# Names of the classes of booleans.
NO, YES = "false", "true"

Classes = tuple[str, ...] | None


class StepColumn(NamedTuple):
    """A column per step.

    Attributes:
        offsets: int64 (S + 1,), where sequences begin.
        values: (N, ...).
        classes: what its numbers stand for.
    """

    offsets: np.ndarray
    values: np.ndarray
    classes: Classes


def step_column(values: Any, name: str, classes: Sequence[str] | None = None) -> StepColumn:  # noqa: ANN401 - any.
    """A column per step.

    >>> step_column([["to", "be"], ["or"]], "words")
    StepColumn(offsets=array([0, 2, 3]), values=array([2, 0, 1], dtype=int32), classes=('be', 'or', 'to'))

    Args:
        values: S lists or arrays (steps, ...); or an array (S, T, ...), a `tf.RaggedTensor`, a pandas `Series` or an
            Arrow array of them.
        name: of the column, for what is raised.
        classes: the names of its classes, in order; by default those that occur.

    Raises:
        ArgumentError: it is no such thing; it is a `ValueError`.
    """
    if hasattr(values, "row_splits"):
        if hasattr(values.values, "row_splits"):
            raise ArgumentError(name, "got steps of different lengths; expected entries of one shape at every step")
        flat, found = _typed(np.asarray(values.values), name, classes)
        return StepColumn(np.asarray(values.row_splits).astype(np.int64), flat, found)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _arrow_steps(values, name, classes)
    if _is_array(values) and (array := np.asarray(values)).dtype.kind != "O" and array.ndim:
        if array.ndim < 2 and len(array):
            raise ArgumentError(name, f"got {array.dtype} of shape {array.shape}; expected a list for each sequence")
        steps = array.shape[1] if array.ndim > 1 else 0
        flat, found = _typed(array.reshape(-1, *array.shape[2:]), name, classes)
        return StepColumn(offsets_of(np.full(len(array), steps)), flat, found)
    if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable):
        raise ArgumentError(name, f"got {type(values).__name__}; expected a list for each sequence")
    return _listed_steps(list(values), name, classes)


def sequence_column(values: Any, name: str, classes: Sequence[str] | None = None) -> tuple[np.ndarray, Classes]:  # noqa: ANN401
    """A column per sequence, (S, ...), and what its numbers stand for.

    >>> sequence_column([True, False], "likes")
    (array([1, 0], dtype=int32), ('false', 'true'))

    Args:
        values: a list, an array (S, ...), a pandas `Series` or an Arrow array.
        name: of the column, for what is raised.
        classes: the names of its classes, in order; by default those that occur.

    Raises:
        ArgumentError: it is no such thing; it is a `ValueError`.
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _arrow_values(values, name, classes)
    categories = getattr(values, "cat", values)
    if hasattr(categories, "categories") and hasattr(categories, "codes"):
        codes = pa.array(np.asarray(categories.codes), mask=np.asarray(categories.codes) < 0)
        names = pa.array([str(category) for category in categories.categories], pa.string())
        return _arrow_values(pa.DictionaryArray.from_arrays(codes, names), name, classes)
    if _is_array(values) and (array := np.asarray(values)).dtype.kind != "O" and array.ndim:
        return _typed(array, name, classes)
    if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable):
        raise ArgumentError(name, f"got {type(values).__name__}; expected a value for each sequence")
    entries = list(values)
    if entries and all(_is_array(entry) for entry in entries):
        if len(shapes := {np.shape(entry) for entry in entries}) > 1:
            raise ArgumentError(name, f"got arrays of the shapes {sorted(shapes)[:3]}; expected one shape")
        return _typed(np.stack([np.asarray(entry) for entry in entries]), name, classes)
    try:
        found = pa.array(entries)
    except (pa.ArrowException, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ArgumentError(name, f"got values of which no column can be made ({reason})", "give one type") from error
    array, found_classes = _arrow_values(found, name, classes)
    return _python_floats(array), found_classes


def _is_array(values: object) -> bool:
    return hasattr(values, "__array__") and not isinstance(values, pa.Array)


def _python_floats(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _listed_steps(entries: list[Any], name: str, classes: Sequence[str] | None) -> StepColumn:
    """A column of a list for each sequence."""
    if not entries:
        return StepColumn(np.zeros(1, np.int64), np.zeros(0, np.int32), tuple(classes) if classes else None)
    # What pandas makes of nested lists: arrays of arrays.
    entries = [list(entry) if _is_array(entry) and np.asarray(entry).dtype.kind == "O" else entry for entry in entries]
    if all(_is_array(entry) for entry in entries):
        arrays = [np.asarray(entry) for entry in entries]
        for number, array in enumerate(arrays):
            if not array.ndim or array.shape[1:] != arrays[0].shape[1:]:
                raise ArgumentError(
                    name,
                    f"sequence {number}: got {array.dtype} of shape {array.shape}; expected an array (steps, ...) "
                    f"whose steps have the shape {arrays[0].shape[1:]}, as in sequence 0",
                )
        _one_kind(arrays, name)
        flat, found = _typed(np.concatenate(_same_whole_numbers(arrays, name)), name, classes)
        return StepColumn(offsets_of(np.array([len(array) for array in arrays], np.int64)), flat, found)
    try:
        column = pa.array(entries)
    except (pa.ArrowException, OverflowError) as error:
        raise _culprit(entries, name) or ArgumentError(
            name, f"got lists of which no column can be made ({' '.join(str(error).split())})"
        ) from error
    if not _is_list(column.type):
        raise _culprit(entries, name) or ArgumentError(name, f"got {column.type}; expected a list for each sequence")
    offsets, values, found = _arrow_steps(column, name, classes)
    return StepColumn(offsets, _python_floats(values), found)


def _one_kind(arrays: list[np.ndarray], name: str) -> None:
    """Refuse arrays that only strings, or numbers and booleans together, could hold."""
    kinds = {("iuf" if array.dtype.kind in "iuf" else array.dtype.kind) for array in arrays if len(array)}
    if len(kinds) > 1:
        number = next(number for number, array in enumerate(arrays) if array.dtype.kind not in arrays[0].dtype.kind)
        raise ArgumentError(
            name, f"sequence {number}: got {arrays[number].dtype}; expected {arrays[0].dtype}, as in sequence 0"
        )


def _same_whole_numbers(arrays: list[np.ndarray], name: str) -> list[np.ndarray]:
    """Whole numbers as int64, where NumPy would make floats of int64 and uint64 together."""
    if len({array.dtype for array in arrays}) == 1 or any(array.dtype.kind not in "iu" for array in arrays):
        return arrays
    return [_whole_numbers(array.reshape(-1), name).reshape(array.shape).astype(np.int64) for array in arrays]


def _culprit(entries: list[Any], name: str) -> ArgumentError | None:
    """Which sequence cannot stand in a column with those before it, found by halving."""
    low, high = 0, len(entries)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            fits = _is_list(pa.array(entries[:middle]).type)
        except (pa.ArrowException, OverflowError):
            fits = False
        low, high = (middle, high) if fits else (low, middle)
    entry = entries[high - 1]
    return ArgumentError(
        name, f"sequence {high - 1}: got {entry!r:.60}; expected a list of one kind of values, as in those before it"
    )


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    views = (types.is_list_view, types.is_large_list_view)
    checks = (types.is_list, types.is_large_list, types.is_fixed_size_list, *views)
    return any(check(kind) for check in checks)


def _one_array(values: pa.Array | pa.ChunkedArray, name: str, what: str = "value ") -> pa.Array:
    """One array without nulls, of a type that is not an extension's."""
    if isinstance(values, pa.ChunkedArray):
        values = values.unify_dictionaries().combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = values.chunk(0) if values.num_chunks else pa.array([], values.type)
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if values.null_count:
        number = np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0]
        raise ArgumentError(name, f"{what}{number}: is null, as are {values.null_count} in all", "leave nulls out")
    return values


def _arrow_steps(values: pa.Array | pa.ChunkedArray, name: str, classes: Sequence[str] | None) -> StepColumn:
    array = _one_array(values, name, "sequence ")
    if not len(array) and pa.types.is_null(array.type):
        return StepColumn(np.zeros(1, np.int64), np.zeros(0, np.int32), tuple(classes) if classes else None)
    if not _is_list(array.type):
        raise ArgumentError(name, f"has the type {array.type}; expected a list for each sequence")
    offsets = offsets_of(pc.list_value_length(array).to_numpy(zero_copy_only=False).astype(np.int64))
    steps = pc.list_flatten(array)
    if steps.null_count:
        nulls = np.flatnonzero(steps.is_null().to_numpy(zero_copy_only=False))
        number = int(np.searchsorted(offsets, nulls[0], side="right")) - 1
        raise ArgumentError(name, f"sequence {number}: has nulls; expected a value at every step", "leave them out")
    flat, found = _arrow_values(steps, name, classes)
    return StepColumn(offsets, flat, found)


def _arrow_values(
    values: pa.Array | pa.ChunkedArray, name: str, classes: Sequence[str] | None
) -> tuple[np.ndarray, Classes]:
    """Entries of one shape, (n, ...), and what their numbers stand for."""
    array = _one_array(values, name)
    kind = array.type
    if _is_list(kind):
        sizes = pc.unique(pc.list_value_length(array)).to_pylist()
        if len(sizes) > 1:
            raise ArgumentError(
                name, f"has entries of {min(sizes)} to {max(sizes)} values; expected as many in each; no entry may vary"
            )
        flat, found = _arrow_values(pc.list_flatten(array), name, classes)
        size = sizes[0] if sizes else max(0, getattr(kind, "list_size", 0))
        return flat.reshape(len(array), size, *flat.shape[1:]), found
    if pa.types.is_dictionary(kind):
        names = [str(value) for value in array.dictionary.to_pylist()]
        return _encoded(array.indices.to_numpy(zero_copy_only=False), names, name, classes)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        array = array.cast(pa.large_string())
        names = sorted(pc.unique(array).to_pylist())
        codes = pc.index_in(array, value_set=pa.array(names, pa.large_string()))
        return _encoded(codes.to_numpy(zero_copy_only=False), names, name, classes)
    if pa.types.is_null(kind):
        return np.zeros(len(array), np.int32), tuple(classes) if classes else None
    checks = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal)
    if not any(check(kind) for check in checks):
        raise ArgumentError(name, f"has values of the type {kind}; expected numbers, strings, booleans or lists")
    return _typed(array.to_numpy(zero_copy_only=False), name, classes)


def _typed(array: np.ndarray, name: str, classes: Sequence[str] | None) -> tuple[np.ndarray, Classes]:
    """An array with the types that columns have, and what its numbers stand for."""
    if array.dtype.kind == "b":
        return _encoded(array.astype(np.int32), [NO, YES], name, classes)
    if array.dtype.kind == "U":
        names, codes = np.unique(array, return_inverse=True)
        return _encoded(codes.reshape(array.shape), names.tolist(), name, classes)
    if array.dtype.kind not in "iuf" + "Mm":
        raise ArgumentError(name, f"got {array.dtype}; expected numbers, strings or booleans")
    if array.dtype.kind in "iu" and array.ndim == 1:
        array = _whole_numbers(array, name)
    array = np.array(array, dtype=array.dtype.newbyteorder("="))
    if classes is None:
        return array, None
    if array.dtype.kind not in "iu" or (array.size and not 0 <= int(array.min()) <= int(array.max()) < len(classes)):
        raise ArgumentError(name, f"got {array.dtype} with {len(classes)} classes; expected their numbers, from 0")
    return array, tuple(classes)


def _whole_numbers(array: np.ndarray, name: str) -> np.ndarray:
    """int32, or int64 if they do not fit; a number that does not fit either is refused, never changed."""
    least, most = (int(array.min()), int(array.max())) if len(array) else (0, 0)
    if most > INT64.max:
        raise ArgumentError(name, f"got {most}; expected whole numbers from {INT64.min} to {INT64.max}")
    return array.astype(np.int32 if INT32.min <= least and most <= INT32.max else np.int64)


def _encoded(
    codes: np.ndarray, names: list[str], name: str, classes: Sequence[str] | None
) -> tuple[np.ndarray, Classes]:
    """Numbers of classes, those that are asked for, or the ones there are."""
    if classes is None:
        return codes.astype(np.int32), tuple(names)
    place = {known: number for number, known in enumerate(classes)}
    used = np.bincount(codes.reshape(-1), minlength=len(names))
    if unknown := [found for found, count in zip(names, used.tolist(), strict=True) if count and found not in place]:
        raise ArgumentError(name, f"got {unknown[0]!r}; expected one of its {len(place)} classes, {', '.join(place)}")
    return np.array([place.get(found, -1) for found in names] or [0], np.int32)[codes], tuple(classes)
