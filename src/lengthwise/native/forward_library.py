"""The forward pass of the native kernel without TensorFlow: the same source, with a C interface, loaded by `ctypes`.

Shapes: B rows, N steps in all, L steps of the longest row, M items to read, D features of an item, U units, S states of
the cell, G gates, V vectors of single units. Layouts are those of `lengthwise.native.ops`.
"""

import ctypes
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lengthwise.errors import KernelError
from lengthwise.native.arch import NATIVE, processor
from lengthwise.native.compiling import KERNEL_FLAGS, KERNEL_SOURCES, built_library, is_there, is_whole, run_compilers
from lengthwise.system.variables import processors

FORWARD_SOURCES = (*KERNEL_SOURCES, "forward.cc")
LINK_FLAGS = ("-shared", "-pthread")
SECONDS = 5
# Of the cells in the order of the enumeration in kernel.h.
GATES = {
    "simple": 1,
    "lstm": 4,
    "gru": 3,
    "peephole_lstm": 4,
    "layer_norm_simple": 1,
    "layer_norm_lstm": 4,
    "layer_norm_gru": 3,
}
STATES = {cell: 2 if cell.endswith("lstm") else 1 for cell in GATES}
KINDS_IN_ORDER = tuple(GATES)


class FlatLayout(NamedTuple):
    """How the steps of rows stand flat.

    Attributes:
        order: int32 (B,), the rows by falling length.
        active: int32 (L,), rows that have a step.
        begins: bool (N,), whether the state before a step is the initial one.
        steps: int64 (N,), where each flat step stands when one row follows the other.
    """

    order: np.ndarray
    active: np.ndarray
    begins: np.ndarray
    steps: np.ndarray


class CellArrays(NamedTuple):
    """Weights of a cell, as `lengthwise.layers.cells` names and orders them.

    Attributes:
        kernel: float32 (D, G U).
        recurrent_kernel: float32 (U, G U).
        bias: float32 (G U,); of a GRU (2, G U).
        vectors: float32 (V, U), those of single units; see `lengthwise.native.unit_vectors`.
        initial: float32 (S, U), the states where a sequence begins.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray
    vectors: np.ndarray
    initial: np.ndarray


class _PackedCell(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("kind", "units", "features", "projected")),
        *(
            (name, ctypes.c_void_p)
            for name in ("kernel", "recurrent_kernel", "bias", "recurrent_bias", "vectors", "initial")
        ),
    )


class _StepsCall(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("rows", "items", "steps", "times", "outputs", "threads")),
        *((name, ctypes.c_void_p) for name in ("index", "active", "order", "read", "begins")),
        *((name, ctypes.c_void_p) for name in ("inputs", "states", "packed", "said", "last")),
    )


@cache
def load_forward() -> ctypes.CDLL:
    """The library, built where it is not.

    Raises:
        KernelError: it cannot be built or loaded.
    """
    source = Path(__file__).parent
    path = built_library(
        lambda compiler, arch: _digest(source, compiler, arch),
        lambda command, arch, out: _build(command, arch, source, out),
        SECONDS,
    )
    remedy = "remove it to build it anew"
    if not is_whole(path):
        raise KernelError(f"native kernel: {path} cannot be loaded (it is not what was built); {remedy}")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelError(f"native kernel: {path} cannot be loaded ({error}); {remedy}") from error
    library.lengthwise_packed_floats.restype = ctypes.c_int64
    library.lengthwise_pack.restype = library.lengthwise_forward.restype = None
    return library


@cache
def loads_forward() -> bool:
    """Whether the library is there, said once; see `is_there`."""
    return is_there(load_forward, "NumPy")


class NativeForward:
    """A cell that the native kernel runs over flat steps.

    Args:
        cell: a name in `NATIVE_CELLS`.
        weights: of the cell.
        projected: whether its inputs are projected already, but for the bias.

    Raises:
        KernelError: see `load_forward`.
    """

    def __init__(self, cell: str, weights: CellArrays, *, projected: bool) -> None:
        self._library = load_forward()
        units = len(weights.recurrent_kernel)
        self._features = GATES[cell] * units if projected else len(weights.kernel)
        self._units, self._states = units, STATES[cell]
        biases = np.stack([weights.bias, weights.bias]) if weights.bias.ndim == 1 else weights.bias
        arrays = [np.ascontiguousarray(array, np.float32) for array in (*weights[:2], *biases, *weights[3:])]
        if weights.bias.ndim == 1:
            arrays[3] = np.zeros_like(arrays[2])
        pointers = [array.ctypes.data for array in arrays]
        self._weights = _PackedCell(KINDS_IN_ORDER.index(cell), units, self._features, projected, *pointers)
        self._packed = np.empty(self._library.lengthwise_packed_floats(ctypes.byref(self._weights)), np.float32)
        self._library.lengthwise_pack(ctypes.byref(self._weights), ctypes.c_void_p(self._packed.ctypes.data))
        self._threads = processors()

    def __call__(
        self, items: np.ndarray, index: np.ndarray, layout: FlatLayout, states: np.ndarray, read: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run it.

        Args:
            items: float32 (M, D), or (M, G U) if they are projected.
            index: int (N,), the item that each flat step reads.
            layout: of the N steps.
            states: float32 (S, B, U), before the first step of each row.
            read: int (N,), where a flat step stands among the P that are wanted, or -1; None: all, in their order.

        Returns:
            The outputs, float32 (P, U) or (N, U), and the states after the last steps, (S, B, U).

        Raises:
            ValueError: the shapes do not fit, or an index is out of range: nothing is read outside the arrays.
        """
        items, states = np.ascontiguousarray(items, np.float32), np.ascontiguousarray(states, np.float32)
        index = np.ascontiguousarray(index, np.int32)
        rows, steps = len(layout.order), len(index)
        fits = items.shape[1:] == (self._features,) and states.shape == (self._states, rows, self._units)
        if not fits or len(layout.begins) != steps or int(layout.active.sum()) != steps:
            raise ValueError(
                f"inputs: got the shapes {items.shape}, {index.shape}, {states.shape}; expected a layout's"
            )
        if steps and not 0 <= int(index.min()) <= int(index.max()) < len(items):
            raise ValueError(f"index: got {index.min()} to {index.max()}; expected 0 to {len(items) - 1}")
        wanted = steps
        if read is not None:
            read = np.ascontiguousarray(read, np.int32)
            wanted = int(read.max(initial=-1)) + 1
        said, last = np.empty((wanted, self._units), np.float32), np.empty_like(states)
        call = _StepsCall(
            rows, len(items), steps, len(layout.active), wanted, self._threads,
            index.ctypes.data, layout.active.ctypes.data, layout.order.ctypes.data,
            None if read is None else read.ctypes.data, layout.begins.ctypes.data,
            items.ctypes.data, states.ctypes.data, self._packed.ctypes.data, said.ctypes.data, last.ctypes.data,
        )  # fmt: skip
        self._library.lengthwise_forward(ctypes.byref(self._weights), ctypes.byref(call))
        return said, last


def _digest(source: Path, compiler: str, arch: str) -> str:
    """A digest of all that the library depends on; on the very processor only if it is built for that."""
    digest = hashlib.sha256()
    for name in FORWARD_SOURCES:
        digest.update((source / name).read_bytes())
    for part in (compiler, arch, processor() if arch == NATIVE else "", *KERNEL_FLAGS, *LINK_FLAGS):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:24]


def _build(compiler: list[str], arch: str, source: Path, out: Path) -> None:
    files = [str(source / name) for name in FORWARD_SOURCES if name.endswith(".cc")]
    run_compilers([*compiler, *KERNEL_FLAGS, f"-march={arch}", *LINK_FLAGS, "-o", str(out), *files])
