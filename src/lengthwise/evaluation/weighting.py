"""TF-IDF of counts that come in parts: to the last bit what scikit-learn fits to all of them at once."""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer


def items_having(parts: Iterable[csr_matrix]) -> tuple[int, np.ndarray]:
    """How many items there are, and how many of them have each of F things: int64 (F,).

    Args:
        parts: (N, F) each, how often each of N items has each thing; one part at least.
    """
    items, having = 0, np.zeros(1, np.int64)
    for counts in parts:
        items += counts.shape[0]
        having = having + np.bincount(counts.indices, minlength=counts.shape[1])
    return items, having


def tf_idf(items: int, having: np.ndarray) -> TfidfTransformer:
    """The TF-IDF, with the logarithm of counts (Salton and Buckley, 1988), of what `items_having` says."""
    made = TfidfTransformer(sublinear_tf=True)
    made.idf_ = np.log((items + 1) / (having + 1)) + 1
    return made
