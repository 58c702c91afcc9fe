"""Weights of a cell that belong to single units, such as peepholes: which they are, in the order of the kernel.

The kernel takes them as one array, (V, U).
"""

from collections.abc import Mapping

# By cell, the names of weights as a saved network has them; the others have none.
UNIT_VECTORS: Mapping[str, tuple[str, ...]] = {
    "peephole_lstm": ("peepholes",),
    "layer_norm_simple": ("normalization/gamma", "normalization/beta"),
    "layer_norm_lstm": (
        "input_normalization/gamma",
        "input_normalization/beta",
        "state_normalization/gamma",
        "state_normalization/beta",
        "memory_normalization/gamma",
        "memory_normalization/beta",
    ),
    "layer_norm_gru": (
        "input_gates/gamma",
        "input_candidate/gamma",
        "input_gates/beta",
        "input_candidate/beta",
        "state_gates/gamma",
        "state_candidate/gamma",
        "state_gates/beta",
        "state_candidate/beta",
    ),
}


def vector_names(cell: str) -> tuple[str, ...]:
    """The names of a cell's weights that belong to single units, each of whole rows of U features.

    >>> vector_names("peephole_lstm"), vector_names("lstm")
    (('peepholes',), ())

    Args:
        cell: one of `NATIVE_CELLS`.
    """
    return UNIT_VECTORS.get(cell, ())
