"""The bytes of texts that stand one after another in Arrow, without a copy."""

import numpy as np
import pyarrow as pa


def bytes_of(column: pa.StringArray) -> tuple[np.ndarray, pa.Buffer]:
    """Where the values of a column without nulls begin and end, int64 (R + 1,), in the bytes that come second."""
    _, offsets, data = column.buffers()
    if offsets is None:
        return np.zeros(len(column) + 1, np.int64), pa.py_buffer(b"")
    numbers = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return numbers.astype(np.int64), data if data is not None else pa.py_buffer(b"")
