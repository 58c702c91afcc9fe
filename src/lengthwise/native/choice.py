"""Which kernel computes a recurrent layer: the native one, or Keras step by step."""

from functools import cache

import tensorflow as tf

from lengthwise.core.names import KERNELS, NATIVE_CELLS
from lengthwise.errors import KernelError
from lengthwise.native.compiling import is_there
from lengthwise.native.operations import load


def choose_kernel(kernel: str, cell: str, activation: str) -> str:
    """What a choice comes to on this machine: `native` or `keras`.

    Args:
        kernel: one of `KERNELS`; `auto` is the native one where it is there and computes the cell, and Keras on a GPU.
        cell: a name in `lengthwise.layers.cells.CELLS`.
        activation: of the cell.

    Raises:
        KernelError: `native`, and it cannot be built, or does not compute this cell.
        InstructionSetError: the native one is to be built for an instruction set that is not to be had.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel: got {kernel!r}; expected one of {', '.join(KERNELS)}")
    served = cell in NATIVE_CELLS and activation == "tanh"
    if kernel == "native":
        if not served:
            cells = ", ".join(NATIVE_CELLS)
            raise KernelError(
                f"native kernel: got the cell {cell} with {activation}; expected {cells} with tanh; choose kernel auto"
            )
        load()
    if kernel == "auto":
        return "native" if served and not tf.config.list_physical_devices("GPU") and _loads() else "keras"
    return kernel


@cache
def _loads() -> bool:
    """Whether the native kernel is there, said once; see `is_there`."""
    return is_there(load, "the Keras layer")
