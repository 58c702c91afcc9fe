"""Characters or bytes as tokens: every one of them, white space too, in the case that it has.

A sentence is a line, its end included, or a part of a line that is longer than `LONGEST_LINE`.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from lengthwise.core.names import TokenUnit
from lengthwise.core.ragged import offsets_of
from lengthwise.prepare.documents import read_texts, slice_rows
from lengthwise.prepare.text.normalization import Normalization
from lengthwise.prepare.text.store import Sentences, write_slice
from lengthwise.system.parallel import Workers, tracked

LONGEST_LINE = 1000
LINE_END = 0x0A
# Bytes that are a character by themselves, and can be printed.
PRINTABLE = range(0x20, 0x7F)


@dataclass(frozen=True)
class CharacterConfig:
    """What a worker needs to know; see `RuleConfig`."""

    documents: Path
    out: Path
    by: TokenUnit
    normalization: Normalization


def points_of(text: str, by: TokenUnit) -> np.ndarray:
    """The code points of a text's characters, or its bytes in UTF-8: int64 (N,)."""
    if by == "bytes":
        return np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.int64)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)


def name_of(point: int, by: TokenUnit) -> str:
    """How a character or a byte is called in the lexicon.

    >>> name_of(0x41, "characters"), name_of(0x41, "bytes"), name_of(0xE3, "bytes")
    ('A', 'A', '<0xE3>')
    """
    return chr(point) if by != "bytes" or point in PRINTABLE else f"<0x{point:02X}>"


def text_of(tokens: list[str], by: TokenUnit) -> str:
    """The text that characters or bytes make up: the inverse, but for what is no UTF-8.

    >>> text_of([name_of(point, "bytes") for point in points_of("für", "bytes")], "bytes")
    'für'
    """
    if by == "characters":
        return "".join(tokens)
    data = (int(token[3:-1], 16) if len(token) > 1 else ord(token) for token in tokens)
    return bytes(data).decode("utf-8", "replace")


def start_worker() -> None:
    """Make this process a worker."""
    pa.set_cpu_count(1)


def tokenize_by_character(config: CharacterConfig, slices: int, workers: Workers) -> pa.Array:
    """Write the sentences of all slices.

    Returns:
        The lexicon.
    """
    parts = workers.map(partial(_distinct_points, config), range(slices))
    points = np.unique(np.concatenate(list(tracked("tokens: characters", "slices", slices, parts))))
    names = [name_of(point, config.by) for point in points.tolist()]
    # The lexicon is in byte order, as Arrow sorts; code points are too, names of bytes are not.
    order = sorted(range(len(names)), key=lambda place: names[place].encode("utf-8", "surrogatepass"))
    ids = np.empty(len(points), np.int32)
    ids[order] = np.arange(len(points), dtype=np.int32)
    written = workers.map(partial(_write_lines, config, points, ids), range(slices))
    tracked("tokens: lines", "slices", slices, written)
    return pa.array([names[place] for place in order], pa.string())


def _distinct_points(config: CharacterConfig, number: int) -> np.ndarray:
    texts = read_texts(config.documents, number).to_pylist()
    found = [np.unique(points_of(config.normalization.clean(text), config.by)) for text in texts]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))


def _write_lines(config: CharacterConfig, points: np.ndarray, ids: np.ndarray, number: int) -> None:
    rows = slice_rows(config.documents, number).document.tolist()
    tokens, lengths, documents = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    for row, text in zip(rows, read_texts(config.documents, number).to_pylist(), strict=True):
        found = points_of(config.normalization.clean(text), config.by)
        lines = _line_lengths(found)
        tokens.append(ids[np.searchsorted(points, found)])
        lengths.append(lines)
        documents.append(np.full(len(lines), row, np.int32))
    write_slice(
        config.out,
        number,
        Sentences(np.concatenate(documents), np.concatenate(tokens), offsets_of(np.concatenate(lengths))),
    )


def _line_lengths(points: np.ndarray) -> np.ndarray:
    """The lengths of a text's lines, in parts of at most `LONGEST_LINE`: int64 (L,)."""
    ends = np.append(np.flatnonzero(points == LINE_END) + 1, len(points))
    lengths = np.diff(ends, prepend=0)
    lengths = lengths[lengths > 0]
    parts = -(-lengths // LONGEST_LINE)
    cut = np.full(parts.sum(), LONGEST_LINE)
    cut[np.cumsum(parts) - 1] = lengths - (parts - 1) * LONGEST_LINE
    return cut
