"""Pretrained vectors as the beginning of an embedding: files of word2vec, GloVe and fastText, in their text form.

    3 4                    word2vec and fastText say how many vectors there are, of how many numbers; GloVe does not
    the 0.1 -0.2 0.3 0.4
    of 0.2 0.1 -0.5 0.1

A file is read once from its beginning to its end, and of it only what the vocabulary asks for is kept.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from lengthwise.errors import ArgumentError, LengthwiseError, VectorsError
from lengthwise.system.decompressed import DAMAGE, lines_of, members_of, opened
from lengthwise.system.progress import Progress

if TYPE_CHECKING:
    # Who only looks at a file waits for no TensorFlow.
    from lengthwise.models.ensemble import Ensemble
    from lengthwise.models.network import Network

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINES_A_REPORT = 1 << 14
FORM = "the text form of word2vec, GloVe or fastText, whole: a token and its numbers a line; take another file"


@dataclass(frozen=True)
class StartVectors:
    """What some ids of a vocabulary begin with.

    Attributes:
        ids: int32 (K,), rising.
        values: float32 (K, D).
        other_case: of the K, how many have the vector of another form of theirs, see `forms_of`.
    """

    ids: np.ndarray
    values: np.ndarray
    other_case: int


def forms_of(token: str) -> list[str]:
    """A token as it is looked up, in this order: as it is, then in the forms that a table of another case may have.

    >>> from lengthwise.models.vectors import forms_of
    >>> forms_of("paris"), forms_of("USA"), forms_of("42")
    (['paris', 'Paris', 'PARIS'], ['USA', 'usa', 'Usa'], ['42'])
    """
    return list(dict.fromkeys([token, token.lower(), token.capitalize(), token.upper()]))


def start_vectors(tokens: Sequence[str], found: Callable[[str], np.ndarray | None]) -> StartVectors:
    """The vectors of tokens: their own, or those of their forms in another case.

    >>> import numpy as np
    >>> from lengthwise.models.vectors import start_vectors
    >>> table = {"the": np.array([1.0, 2.0])}
    >>> made = start_vectors(["<PAD>", "<UNK>", "The", "the", "xyz"], table.get)
    >>> made.ids.tolist(), made.values.tolist(), made.other_case
    ([2, 3], [[1.0, 2.0], [1.0, 2.0]], 1)

    Args:
        tokens: by their ids.
        found: the vector of a token, (D,), or None.
    """
    ids, values, other_case = [], [], 0
    for number, token in enumerate(tokens):
        for form in forms_of(token):
            if (vector := found(form)) is not None:
                ids.append(number)
                values.append(np.asarray(vector, np.float32))
                other_case += form != token
                break
    return StartVectors(np.array(ids, np.int32), np.array(values, np.float32), other_case)


def begin_with(network: "Network | Ensemble", vectors: StartVectors) -> dict[str, np.ndarray]:
    """Give the embedding of each member its first vectors; rows of other ids stay as they are.

    Returns:
        By the path of each embedding, bool (V,), the rows that have got one.

    Raises:
        ValueError: the network has no embedding.
    """
    rows = {}
    for member in network.members:
        if member.embedding is None:
            raise ValueError("input: got one_hot; expected embedding")
        table = member.embedding.embeddings
        values = np.array(table.numpy())
        if len(vectors.ids):
            values[vectors.ids] = vectors.values
        table.assign(values)
        rows[table.path] = np.isin(np.arange(len(values)), vectors.ids)
    return rows


def read_vectors(path: Path, tokens: Iterable[str], size: int) -> dict[str, np.ndarray]:
    """Read the vectors of some tokens and of their forms (see `forms_of`); of a token that comes twice, the first.

    Args:
        path: a text file of vectors, as it is or compressed by gzip, bzip2, xz or zstd; or a zip, of which the file
            with vectors of this size is read.
        tokens: those that are asked for; a token with white space in it is in no such file.
        size: numbers of a vector, the features of the embedding.

    Returns:
        float32 (D,) each, by token.

    Raises:
        VectorsError: it is no such file, is damaged, or ends before all is there that its first line promises.
        ArgumentError: its vectors have another size; the argument is `embedding`.
    """
    member = check_vectors(path, size)
    wanted = {form.encode("utf-8", "surrogatepass") for token in tokens for form in forms_of(token)}
    found: dict[bytes, np.ndarray] = {}
    with (
        _naming(path),
        opened(path, member) as (stream, raw),
        Progress("vectors", path.stat().st_size, "bytes") as told,
    ):
        promised, _, lines = _begin(stream)
        count = seen = 0
        for number, line in lines:
            count += 1
            if count % LINES_A_REPORT == 0:
                told.update(raw.tell() - seen)
                seen = raw.tell()
            token, _, numbers = line.partition(b" ")
            if numbers.count(b" ") < size - 1:
                raise ValueError(f"line {number} has {len(line.split()) - 1} numbers; expected {size}")
            # More of them: a token with a space in it, as GloVe has some.
            if token in wanted and token not in found and numbers.count(b" ") == size - 1:
                found[token] = _vector(numbers, number)
        if promised is not None and count != promised:
            raise ValueError(f"has {count} vectors; its first line promises {promised}")
        told.update(path.stat().st_size - seen)
    return {token.decode("utf-8", "surrogatepass"): vector for token, vector in found.items()}


def check_vectors(path: Path, size: int) -> str | None:
    """Check by its beginning that a file has vectors of a size.

    Returns:
        The file of a zip that has them; None of no zip.

    Raises:
        VectorsError: it is no file of vectors.
        ArgumentError: its vectors have another size; the argument is `embedding`.
    """
    with _naming(path):
        members: list[str | None] = [*members_of(path)] or [None]
        sizes = {member: _size_of(path, member, strict=len(members) == 1) for member in members}
        fitting = [member for member, found in sizes.items() if found == size]
        if not any(sizes.values()):
            raise ValueError("none of its files has vectors")
        if len(fitting) > 1:
            raise ValueError(f"has several files of vectors of {size} numbers: {', '.join(map(str, fitting))}")
    if not fitting:
        there = ", ".join(sorted({str(found) for found in sizes.values() if found}, key=int))
        problem = f"got {size}; expected {there}, the numbers of each vector of {path}"
        raise ArgumentError("embedding", problem, "set it to that, or take other vectors")
    return fitting[0]


def _size_of(path: Path, member: str | None, *, strict: bool) -> int:
    """The numbers of a file's vectors; 0 of what is no file of vectors, unless that is an error."""
    try:
        with opened(path, member) as (stream, _):
            return _begin(stream)[1]
    except DAMAGE:
        if strict:
            raise
        return 0


def _begin(stream: BinaryIO) -> tuple[int | None, int, Iterator[tuple[int, bytes]]]:
    """How many vectors the first line promises, the numbers of each, and all lines of vectors with their numbers."""
    lines = _lines(stream)
    number, first = next(lines, (1, b""))
    fields = first.removeprefix(BYTE_ORDER_MARK).split()
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        promised, size = map(int, fields)
        if size < 1:
            raise ValueError(f"its first line promises vectors of {size} numbers")
        return promised, size, lines
    if len(fields) < 2:
        raise ValueError(f"line {number} is {first[:60]!r}; expected a token and its numbers")
    _vector(b" ".join(fields[1:]), number)
    return None, len(fields) - 1, chain([(number, first.removeprefix(BYTE_ORDER_MARK))], lines)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, with their numbers from 1, one space between two fields."""
    for number, line in enumerate(lines_of(stream), 1):
        line = line.rstrip(b" \t\r\n")
        if line:
            yield number, line.replace(b"\t", b" ")


def _vector(numbers: bytes, line: int) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):
            vector = np.array([float(field) for field in numbers.split()]).astype(np.float32)
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from None
    if not np.isfinite(vector).all():
        raise ValueError(f"line {line} has a number that is not finite, or too large for 32 bits")
    return vector


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file it is that cannot be read, and what was expected."""
    try:
        yield
    except LengthwiseError:
        raise
    except DAMAGE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise VectorsError(f"{path}: {reason}; expected {FORM}") from error
