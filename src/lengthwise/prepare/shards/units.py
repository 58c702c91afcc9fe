"""Sentences, documents or authors as sequences of tokens, streamed slice by slice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lengthwise.prepare.documents import DocumentTable
from lengthwise.prepare.splits import read_splits
from lengthwise.prepare.text.store import TokenStore
from lengthwise.ragged import offsets_of


@dataclass(frozen=True)
class Units:
    """Some sequences in the corpus's order.

    Attributes:
        tokens: int32 (N,), ids in the lexicon, one sequence after another.
        offsets: int64 (U + 1,), where each sequence begins.
        document: int32 (U,), the row of its first document.
        split: int8 (U,), an index into `SPLITS`.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    document: np.ndarray
    split: np.ndarray


def read_units(store: TokenStore, split: Path, table: DocumentTable, unit: str) -> Iterator[Units]:
    """Stream all sequences of a unit: `sentence`, `document` or `author`.

    A document is within one slice. An author may go on in the next, so the last of a slice waits for it.
    """
    waiting: Units | None = None
    for sentences, splits in zip(store, read_splits(split), strict=True):
        here = Units(sentences.tokens, sentences.offsets, sentences.document, splits)
        if unit == "sentence":
            yield here
            continue
        joined = here if waiting is None else _concatenate(waiting, here)
        key = joined.document if unit == "document" else table.author[joined.document]
        grouped = _group(joined, np.flatnonzero(np.diff(key, prepend=-1)))
        waiting = None
        if unit == "author" and len(grouped.document):
            waiting = _part(grouped, len(grouped.document) - 1, None)
            grouped = _part(grouped, 0, -1)
        yield grouped
    if waiting is not None:
        yield waiting


def _group(units: Units, begins: np.ndarray) -> Units:
    """Join neighbours: a sequence begins at each of `begins`."""
    offsets = np.append(units.offsets[begins], units.offsets[-1])
    return Units(units.tokens, offsets, units.document[begins], units.split[begins])


def _part(units: Units, begin: int, end: int | None) -> Units:
    place = slice(begin, end)
    document = units.document[place]
    offsets = units.offsets[begin : begin + len(document) + 1]
    tokens = units.tokens[offsets[0] : offsets[-1]]
    return Units(tokens, offsets - offsets[0], document, units.split[place])


def _concatenate(left: Units, right: Units) -> Units:
    lengths = np.concatenate([np.diff(left.offsets), np.diff(right.offsets)])
    return Units(
        np.concatenate([left.tokens, right.tokens]),
        offsets_of(lengths),
        np.concatenate([left.document, right.document]),
        np.concatenate([left.split, right.split]),
    )
