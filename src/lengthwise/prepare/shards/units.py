"""Sentences, documents or groups as sequences of steps, streamed slice by slice."""

from collections.abc import Iterator, Mapping, Sequence
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
        document: int32 (U,), the number of its first document.
        split: int8 (U,), an index into `SPLITS`.
    """

    steps: Mapping[str, np.ndarray]
    offsets: np.ndarray
    document: np.ndarray
    split: np.ndarray


def read_units(store: TokenStore, split: Path, table: DocumentTable, unit: Unit) -> Iterator[Units]:
    """Stream all sequences of a unit. One that is cut by a split, as documents may be, is one in each.

    A group may go on in the next slice, and a very long document too: so the last of a slice waits for it. Where the
    documents of a group do not stand together, all are put in order first, in memory.
    """
    slices = _slices(store, split)
    if unit == "sentence":
        yield from slices
        return
    if unit == "group" and not _stand_together(table.group):
        slices = iter([_ordered(list(slices), table.group)])
    waiting: list[Units] = []
    last = -1
    for here in slices:
        if not len(here.document):
            yield here
            continue
        key = here.document if unit == "document" else table.group[here.document]
        key = key.astype(np.int64) * len(SPLITS) + here.split
        begins = np.flatnonzero(np.diff(key, prepend=last))
        if not len(begins):
            # All of it goes on.
            waiting.append(here)
            continue
        last = int(key[-1])
        joined = _concatenate([*waiting, here])
        if waiting:
            begins = np.append(0, begins + (len(joined.document) - len(here.document)))
        grouped = _group(joined, begins)
        waiting = [_part(grouped, len(grouped.document) - 1, None)]
        yield _part(grouped, 0, -1)
    if waiting:
        yield _group(_concatenate(waiting), np.zeros(1, np.int64))


def _slices(store: TokenStore, split: Path) -> Iterator[Units]:
    for sentences, splits in zip(store, read_splits(split), strict=True):
        yield Units(sentences.steps, sentences.offsets, sentences.document, splits)


def _stand_together(group: np.ndarray) -> bool:
    """Whether the documents of each group come one after another: groups are numbered by first appearance."""
    return bool((np.diff(group) >= 0).all())


def _ordered(parts: list[Units], group: np.ndarray) -> Units:
    """All sequences, those of a group one after another."""
    units = _concatenate(parts)
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


def _concatenate(parts: Sequence[Units]) -> Units:
    if len(parts) == 1:
        return parts[0]
    return Units(
        {name: np.concatenate([part.steps[name] for part in parts]) for name in parts[0].steps},
        offsets_of(np.concatenate([np.diff(part.offsets) for part in parts])),
        np.concatenate([part.document for part in parts]),
        np.concatenate([part.split for part in parts]),
    )
