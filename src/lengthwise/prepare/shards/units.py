"""Sentences, documents or groups as sequences of steps, streamed slice by slice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lengthwise.core.names import SPLITS, Unit
from lengthwise.core.ragged import offsets_of, take_rows
from lengthwise.prepare.documents import DocumentTable
from lengthwise.prepare.splits import read_splits
from lengthwise.prepare.text.store import TokenStore


@dataclass(frozen=True)
class Units:
    """Some sequences in the corpus's order.

    Attributes:
        steps: by name, columns (N, ...), one sequence after another; `tokens` are ids in the lexicon.
        offsets: int64 (U + 1,), where each sequence begins.
        document: int32 (U,), the row of its first document.
        split: int8 (U,), an index into `SPLITS`.
    """

    steps: Mapping[str, np.ndarray]
    offsets: np.ndarray
    document: np.ndarray
    split: np.ndarray


def read_units(store: TokenStore, split: Path, table: DocumentTable, unit: Unit) -> Iterator[Units]:
    """Stream all sequences of a unit. One that is cut by a split, as documents may be, is one in each.

    A document is within one slice. A group may go on in the next, so the last of a slice waits for it. Where the
    documents of a group do not stand together, all are put in order first, in memory.
    """
    waiting: Units | None = None
    slices = _slices(store, split)
    if unit == "group" and not _stand_together(table.group):
        slices = iter([_ordered(list(slices), table.group)])
    for here in slices:
        if unit == "sentence":
            yield here
            continue
        joined = here if waiting is None else _concatenate(waiting, here)
        key = joined.document if unit == "document" else table.group[joined.document]
        grouped = _group(joined, np.flatnonzero(np.diff(key.astype(np.int64) * len(SPLITS) + joined.split, prepend=-1)))
        waiting = None
        if unit == "group" and len(grouped.document):
            waiting = _part(grouped, len(grouped.document) - 1, None)
            grouped = _part(grouped, 0, -1)
        yield grouped
    if waiting is not None:
        yield waiting


def _slices(store: TokenStore, split: Path) -> Iterator[Units]:
    for sentences, splits in zip(store, read_splits(split), strict=True):
        yield Units(sentences.steps, sentences.offsets, sentences.document, splits)


def _stand_together(group: np.ndarray) -> bool:
    """Whether the documents of each group come one after another: groups are numbered by first appearance."""
    return bool((np.diff(group) >= 0).all())


def _ordered(parts: list[Units], group: np.ndarray) -> Units:
    """All sequences, those of a group one after another."""
    units = parts[0]
    for part in parts[1:]:
        units = _concatenate(units, part)
    order = np.argsort(group[units.document], kind="stable")
    steps = {name: take_rows(values, units.offsets, order)[0] for name, values in units.steps.items()}
    return Units(steps, offsets_of(np.diff(units.offsets)[order]), units.document[order], units.split[order])


def _group(units: Units, begins: np.ndarray) -> Units:
    """Join neighbours: a sequence begins at each of `begins`."""
    offsets = np.append(units.offsets[begins], units.offsets[-1])
    return Units(units.steps, offsets, units.document[begins], units.split[begins])


def _part(units: Units, begin: int, end: int | None) -> Units:
    place = slice(begin, end)
    document = units.document[place]
    offsets = units.offsets[begin : begin + len(document) + 1]
    steps = {name: values[offsets[0] : offsets[-1]] for name, values in units.steps.items()}
    return Units(steps, offsets - offsets[0], document, units.split[place])


def _concatenate(left: Units, right: Units) -> Units:
    lengths = np.concatenate([np.diff(left.offsets), np.diff(right.offsets)])
    return Units(
        {name: np.concatenate([values, right.steps[name]]) for name, values in left.steps.items()},
        offsets_of(lengths),
        np.concatenate([left.document, right.document]),
        np.concatenate([left.split, right.split]),
    )
