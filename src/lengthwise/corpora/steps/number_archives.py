"""NumPy archives: `.npz` files of plain arrays, never of Python objects.

lengths   (S,)        steps of each sequence; or offsets (S + 1,), where each begins; or neither, if all are as long
NAME      (N, D)      features, or (N,) features, tokens or tags: the steps of one sequence after those of another
NAME      (S, T, D)   features, or (S, T) of any kind: padded at the end to the longest
NAME      (S,)        a label, a number to predict, or a group
"""

import io
import math
import zipfile
import zlib
from collections import Counter

import numpy as np

from lengthwise.core.ragged import offsets_of
from lengthwise.corpora.opened import MEBIBYTE, SourceFile
from lengthwise.corpora.steps.raw import RawSequence, RawSequences, WantedColumns
from lengthwise.errors import CorpusError

LENGTHS, OFFSETS = "lengths", "offsets"
END = ".npy"
BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    SyntaxError,
    NotImplementedError,
    RuntimeError,
)
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_archive(file: SourceFile, wanted: WantedColumns, max_bytes: int, counts: Counter[str]) -> RawSequences:
    """The sequences of an archive, see `SequenceReader`."""
    del counts
    sequence = () if wanted.sequence is None else (wanted.sequence,)
    wanted.refuse_kind(file, "an archive of arrays", sequence, "sequence", f"an array {LENGTHS} or {OFFSETS}")
    with file.open() as stream:
        content = stream if stream.seekable() else io.BytesIO(stream.read())
        try:
            with zipfile.ZipFile(content) as archive:
                arrays = _read(file, archive, wanted, max_bytes)
        except BROKEN_ARCHIVE as error:
            reason = " ".join(str(error).split())
            raise CorpusError(
                f"{file.place}: cannot be read ({reason:.160}); expected an .npz of plain arrays; save it again"
            ) from None
    offsets = _offsets(file, arrays, wanted)
    steps = {name: _steps(file, name, arrays[name], offsets, name in wanted.features) for name in wanted.per_step}
    for name in wanted.per_sequence:
        _check_length(file, name, arrays[name], len(offsets) - 1)
    features = {name: _numbers(file, name, _vectors_of(steps[name])) for name in wanted.features}
    numbers = [_numbers(file, name, arrays[name]) for name in wanted.numbers]
    for number, (begin, end) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        yield RawSequence(
            f"{file.place} sequence {number}",
            end - begin,
            tokens=None if wanted.tokens is None else _texts(steps[wanted.tokens][begin:end]),
            tags={name: _texts(steps[name][begin:end]) for name in wanted.tags},
            features={name: vectors[begin:end] for name, vectors in features.items()},
            label=None if wanted.label is None else _texts(arrays[wanted.label][number : number + 1])[0],
            numbers=tuple(float(column[number]) for column in numbers),
            group=None if wanted.group is None else _texts(arrays[wanted.group][number : number + 1])[0],
        )


def array_names(archive: zipfile.ZipFile) -> list[str]:
    """The arrays of an archive."""
    return [name.removesuffix(END) for name in archive.namelist() if name.endswith(END)]


def read_array(place: str, archive: zipfile.ZipFile, name: str, max_bytes: int) -> np.ndarray:
    """An array of an archive, of which nothing is made but numbers and strings.

    Raises:
        CorpusError: it has Python objects, or more bytes than the limit.
        ValueError: it is no array, or not whole.
    """
    info = archive.getinfo(name + END)
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in HEADERS:
            raise ValueError(f"{name} has the version {version}")
        shape, by_column, kind = HEADERS[version](stream)
        # Objects are pickled: to read them would be to run what they say.
        if kind.hasobject or kind.fields is not None:
            raise CorpusError(
                f"{place}: {name} has Python objects or records; expected numbers or strings; save plain arrays"
            )
        if min(shape, default=0) < 0:
            raise ValueError(f"{name} has the shape {shape}")
        size = math.prod(shape) * kind.itemsize
        if size > max_bytes:
            raise CorpusError(
                f"{place}: {name} has {size // MEBIBYTE} MiB; expected at most {max_bytes // MEBIBYTE}; raise "
                "ingest.max_member_mb if the file is what it should be"
            )
        data = stream.read(size + 1)
    if len(data) != size:
        raise ValueError(f"{name} has {len(data)} bytes or more, not the {size} of its shape {shape}")
    return np.frombuffer(data, kind).reshape(shape, order="F" if by_column else "C")


def _read(file: SourceFile, archive: zipfile.ZipFile, wanted: WantedColumns, max_bytes: int) -> dict[str, np.ndarray]:
    known = array_names(archive)
    names = (*wanted.per_step, *wanted.per_sequence)
    wanted.refuse_absent(file.place, known, names)
    lengths = [name for name in (LENGTHS, OFFSETS) if name in known]
    return {name: read_array(file.place, archive, name, max_bytes) for name in (*names, *lengths[:1])}


def _offsets(file: SourceFile, arrays: dict[str, np.ndarray], wanted: WantedColumns) -> np.ndarray:
    """Where each sequence begins, and the end of all: int64 (S + 1,)."""
    if LENGTHS in arrays or OFFSETS in arrays:
        name = LENGTHS if LENGTHS in arrays else OFFSETS
        given = arrays[name]
        if given.ndim != 1 or given.dtype.kind not in "iu":
            raise CorpusError(
                f"{file.place}: {name} is {given.dtype} {given.shape}; expected integers (S,); save it so"
            )
        offsets = offsets_of(given.astype(np.int64)) if name == LENGTHS else given.astype(np.int64)
        if not len(offsets) or offsets[0] or (np.diff(offsets) < 0).any():
            raise CorpusError(f"{file.place}: {name} do not rise from 0; expected where sequences begin; save them so")
        return offsets
    first = next(iter(wanted.per_step), None)
    if first is None or arrays[first].ndim < 2:
        raise CorpusError(
            f"{file.place}: has neither {LENGTHS} nor {OFFSETS}; expected one of them, or arrays (S, T, D) of "
            "sequences that are all as long; save them with it"
        )
    rows, steps = arrays[first].shape[:2]
    return np.arange(rows + 1, dtype=np.int64) * steps


def _steps(file: SourceFile, name: str, array: np.ndarray, offsets: np.ndarray, are_vectors: bool) -> np.ndarray:
    """The steps of all sequences, one after another: (N,) or (N, D)."""
    count, total, lengths = len(offsets) - 1, int(offsets[-1]), np.diff(offsets)
    # Of features, two axes are those of steps and numbers, if there are as many steps.
    is_padded = array.ndim == 3 or (array.ndim == 2 and not (are_vectors and len(array) == total))
    if is_padded and len(array) == count and (not count or array.shape[1] >= lengths.max()):
        return array[np.arange(array.shape[1]) < lengths[:, None]]
    if array.ndim not in range(1, 2 + are_vectors) or len(array) != total:
        raise CorpusError(
            f"{file.place}: {name} has the shape {array.shape}; expected ({total}, ...), the steps of {count} "
            f"sequences, or ({count}, at least {lengths.max(initial=0)}, ...), padded; save it so"
        )
    return array


def _vectors_of(steps: np.ndarray) -> np.ndarray:
    return steps if steps.ndim == 2 else steps[:, None]


def _check_length(file: SourceFile, name: str, array: np.ndarray, count: int) -> None:
    if array.shape != (count,):
        raise CorpusError(
            f"{file.place}: {name} has the shape {array.shape}; expected ({count},), one for each sequence"
        )


def _numbers(file: SourceFile, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise CorpusError(f"{file.place}: {name} is {array.dtype}; expected numbers; name another array")
    return array.astype(np.float64 if array.ndim == 1 else np.float32)


def _texts(array: np.ndarray) -> list[str]:
    """Strings, as numbers are written too."""
    texts = array.astype("U") if array.dtype.kind != "S" else np.char.decode(array, "utf-8")
    return [*map(str, texts.tolist())]
