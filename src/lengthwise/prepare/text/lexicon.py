"""The lexicon: all distinct tokens of the corpus, in byte order, gathered from the tokens of its parts."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Parts are merged about so many tokens at a time: the table of a hash stays in the processor's cache.
TOKENS_AT_ONCE = 1 << 17
# Where the parts are cut for that, one token in so many says.
TOKENS_PER_SAMPLE = 64


def number_distinct(parts: Sequence[pa.Array]) -> tuple[pa.Array, list[np.ndarray]]:
    """Number the distinct strings of several arrays by first appearance.

    Returns:
        The distinct strings, and for each part the number of each of its strings: int32.
    """
    encoded = pa.concat_arrays([pa.nulls(0, pa.string()), *parts]).dictionary_encode()
    cuts = np.cumsum([len(part) for part in parts])[:-1]
    return encoded.dictionary, np.split(encoded.indices.to_numpy(), cuts) if len(parts) else []


def merge_lexicons(parts: Sequence[pa.Array]) -> tuple[pa.Array, list[np.ndarray]]:
    """Number the distinct tokens of several arrays by byte order, so that no part's size or order shows.

    Each part is sorted; then all parts are cut at the same tokens, as in sample sort, and merged range by range. Beside
    the sorted parts and the outcome only one range is in memory.

    Returns:
        The lexicon, and for each part the id of each of its tokens: int32.
    """
    if sum(map(len, parts)) <= TOKENS_AT_ONCE:
        return _merge_range(parts)
    orders = [pc.sort_indices(part).to_numpy().astype(np.int32) for part in parts]
    sorted_parts = [part.take(pa.array(order)) for part, order in zip(parts, orders, strict=True)]
    ids = [np.empty(len(part), np.int32) for part in parts]
    merged = [pa.nulls(0, pa.string())]
    begins, count = [0] * len(parts), 0
    for cut in [*_cuts(sorted_parts), None]:
        ends = [
            len(part) if cut is None else lower_bound(part, cut, begin)
            for part, begin in zip(sorted_parts, begins, strict=True)
        ]
        found, numbers = _merge_range(
            [part.slice(begin, end - begin) for part, begin, end in zip(sorted_parts, begins, ends, strict=True)]
        )
        for own, order, begin, end, of in zip(ids, orders, begins, ends, numbers, strict=True):
            own[order[begin:end]] = of + count
        merged.append(found)
        begins, count = ends, count + len(found)
    return pa.concat_arrays(merged), ids


def lower_bound(strings: pa.Array, sought: bytes, begin: int = 0) -> int:
    """The first place from `begin` on of a string that is not before `sought` in byte order, as Arrow sorts.

    Args:
        strings: in byte order from `begin` on.
        sought: in UTF-8.
        begin: where to look from.
    """
    places = range(begin, len(strings))
    return begin + bisect_left(places, sought, key=lambda place: strings[place].as_py().encode())


def _merge_range(parts: Sequence[pa.Array]) -> tuple[pa.Array, list[np.ndarray]]:
    distinct, numbers = number_distinct(parts)
    order = pc.sort_indices(distinct)
    rank = np.empty(len(distinct), np.int32)
    rank[order.to_numpy()] = np.arange(len(distinct), dtype=np.int32)
    return distinct.take(order), [rank[part] for part in numbers]


def _cuts(parts: Sequence[pa.Array]) -> list[bytes]:
    """Tokens between which the sorted parts have about `TOKENS_AT_ONCE` tokens together."""
    samples = [part.take(pa.array(np.arange(0, len(part), TOKENS_PER_SAMPLE))) for part in parts]
    sample = pa.concat_arrays(samples)
    sample = sample.take(pc.sort_indices(sample))
    step = max(1, TOKENS_AT_ONCE // TOKENS_PER_SAMPLE)
    chosen = sample.take(pa.array(np.arange(step, len(sample), step)))
    return [cut.encode() for cut in pc.unique(chosen).to_pylist()]
