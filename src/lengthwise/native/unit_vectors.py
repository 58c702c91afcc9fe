"""Weights of a cell that belong to single units, such as peepholes: which they are, in the order of the kernel.

The kernel takes them as one array, (V, U).
"""

from collections.abc import Mapping

# By cell, the names of weights as a saved network has them; the others have none.
UNIT_VECTORS: Mapping[str, tuple[str, ...]] = {"peephole_lstm": ("peepholes",)}


def vector_names(cell: str) -> tuple[str, ...]:
    """The names of a cell's weights that belong to single units, each of whole rows of U features.

    >>> vector_names("peephole_lstm"), vector_names("lstm")
    (('peepholes',), ())

    Args:
        cell: one of `NATIVE_CELLS`.
    """
    return UNIT_VECTORS.get(cell, ())
