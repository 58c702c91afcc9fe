"""Copies and near copies of documents, found without comparing all with all: minima of hashed shingles.

Documents are alike by the share of token triples that they have in common (Jaccard). The share of equal minima under
random hashes estimates it (Broder, 1997), with a standard error of 0.035 at 0.8; documents that agree in a band of
minima are candidates (Indyk and Motwani, 1998).
"""

from dataclasses import dataclass

import numpy as np

from lengthwise.prepare.text.store import TokenStore

# Tokens that are hashed together, and hashes of which the least is kept.
SHINGLE = 3
MINIMA = 128
# Documents of the same band are compared: of those that are alike to 0.8, all but one in 10^7 share one.
BAND = 4
# Of one band, such as that of a form letter, no more than these are compared with a document.
MOST_CANDIDATES = 64
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Signatures:
    """What is kept of D documents with tokens.

    Attributes:
        document: int64 (D,), numbers of documents, never falling; one that goes over slices comes once for each.
        content: uint64 (D,), a hash of all tokens in their order.
        minima: uint32 (D, MINIMA).
    """

    document: np.ndarray
    content: np.ndarray
    minima: np.ndarray


def signatures_of(store: TokenStore) -> Signatures:
    """The signatures of all documents that have a token.

    Raises:
        FormatError: a slice of the tokens is damaged.
    """
    parts = []
    for part in store:
        if part.tokens is None or not len(part.tokens):
            continue
        # Sentences of a document stand together, and none of them is empty.
        begins = np.flatnonzero(np.diff(part.document, prepend=-1))
        starts = part.offsets[begins].astype(np.int64)
        parts.append((part.document[begins].astype(np.int64), *_hashed(part.tokens, starts)))
    if not parts:
        return Signatures(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros((0, MINIMA), np.uint32))
    return Signatures(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def nearest(signatures: Signatures, asked: np.ndarray, among: np.ndarray) -> np.ndarray:
    """How alike each asked document is to the nearest of others, as far as that is more than a half: float64 (Q,).

    Args:
        signatures: of all documents.
        asked: int (Q,), rows of the signatures.
        among: int (R,), other rows; a document is not compared with itself.
    """
    best = np.zeros(len(asked))
    if not len(among) or not len(asked):
        return best
    # The first and the last of a content: one of them is another document, if there is another.
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for row in among.tolist():
        content = int(signatures.content[row])
        first.setdefault(content, row)
        last[content] = row
    for place, row in enumerate(asked.tolist()):
        content = int(signatures.content[row])
        if {first.get(content, row), last.get(content, row)} != {row}:
            best[place] = 1.0
    for band in range(0, MINIMA, BAND):
        keys = _mixed(signatures.minima[:, band : band + BAND].copy().view(np.uint64)).sum(axis=1, dtype=np.uint64)
        order = among[np.argsort(keys[among], kind="stable")]
        low, high = (np.searchsorted(keys[order], keys[asked], side) for side in ("left", "right"))
        for step in range(int(min((high - low).max(initial=0), MOST_CANDIDATES))):
            open_ = np.flatnonzero((low + step < high) & (best < 1))
            others = order[low[open_] + step]
            open_, others = open_[others != asked[open_]], others[others != asked[open_]]
            alike = (signatures.minima[asked[open_]] == signatures.minima[others]).mean(axis=1)
            best[open_] = np.maximum(best[open_], alike)
    return np.where(best > 0.5, best, 0.0)


def _hashed(tokens: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The content and the minima of documents that begin at `starts`."""
    ends = np.append(starts[1:], len(tokens))
    ids = tokens.astype(np.uint64) + np.uint64(1)
    document = np.repeat(np.arange(len(starts)), ends - starts)
    place = (np.arange(len(tokens)) - starts[document]).astype(np.uint64)
    content = np.add.reduceat(_mixed(ids * GOLDEN + place), starts)
    shingles = np.zeros(len(tokens), np.uint64)
    for step in range(SHINGLE):
        # Behind the end of a document stands nothing, so that the shortest have a shingle too.
        there = np.arange(len(tokens)) + step < ends[document]
        following = np.where(there, np.roll(ids, -step), np.uint64(0))
        shingles = _mixed(shingles * GOLDEN + following)
    # The last shingles of a longer document are cut short: the first stands for them.
    cut = (ends[document] - np.arange(len(tokens)) < SHINGLE) & (place > 0)
    shingles = np.where(cut, shingles[starts[document]], shingles)
    minima = np.empty((len(starts), MINIMA), np.uint32)
    seeds = _mixed(np.arange(1, MINIMA + 1).astype(np.uint64) * GOLDEN)
    for number, seed in enumerate(seeds):
        minima[:, number] = np.minimum.reduceat((_mixed(shingles ^ seed) >> np.uint64(32)).astype(np.uint32), starts)
    return content, minima


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): uint64 to uint64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.ndarray = values ^ (values >> np.uint64(31))
    return found
