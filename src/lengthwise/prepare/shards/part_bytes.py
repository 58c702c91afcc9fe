"""Takes many short parts of an array, in another order."""

import numpy as np
import pyarrow as pa

from lengthwise.core.ragged import LONG_RANGE, take_ranges


def take_parts(values: np.ndarray, begins: np.ndarray, lengths: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Parts of an array, in the order asked for, one part after another.

    As `take_ranges`, for parts that stand one after another, in a fifth of its time: Arrow copies each as one string of
    bytes, where NumPy needs the place of every value.

    >>> take_parts(np.array([5, 6, 7, 8, 9]), np.array([0, 3]), np.array([2, 1]), np.array([1, 0])).tolist()
    [8, 5, 6]

    Args:
        values: numbers (N, ...).
        begins: int64 (P,), where each part begins, not before the end of the one before.
        lengths: int64 (P,), the values of each part.
        order: int64 (R,), which parts are taken.
    """
    if not len(order) or lengths.sum() > LONG_RANGE * len(lengths):
        return take_ranges(values, begins[order], lengths[order])
    size = values.itemsize * int(np.prod(values.shape[1:]))
    # Between two parts is a string too, of what is left out; it may be empty.
    bounds = np.stack([begins, begins + lengths], axis=1).reshape(-1) * size
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(np.ascontiguousarray(values))]
    strings = pa.Array.from_buffers(pa.large_binary(), len(bounds) - 1, buffers)
    taken = strings.take(pa.array(2 * order)).buffers()[2]
    return np.frombuffer(taken, values.dtype).reshape(-1, *values.shape[1:])
