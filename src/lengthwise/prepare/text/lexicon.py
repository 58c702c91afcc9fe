"""The lexicon: all distinct tokens of the corpus, in byte order, gathered from the tokens of its parts."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


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

    Returns:
        The lexicon, and for each part the id of each of its tokens: int32.
    """
    distinct, numbers = number_distinct(parts)
    order = pc.sort_indices(distinct)
    rank = np.empty(len(distinct), np.int32)
    rank[order.to_numpy()] = np.arange(len(distinct), dtype=np.int32)
    return distinct.take(order), [rank[part] for part in numbers]
