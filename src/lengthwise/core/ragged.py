"""Rows of different lengths as two arrays: all values one after another, and where each row begins."""

import numpy as np

# Values of a range from which on it is copied as one.
LONG_RANGE = 1 << 12


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Where rows of these lengths begin and end: int64 (N + 1,).

    >>> offsets_of(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The whole numbers `start, start + 1, ...` of each range, one range after another: int64.

    >>> ranges(np.array([5, 0]), np.array([3, 2])).tolist()
    [5, 6, 7, 0, 1]
    """
    offsets = offsets_of(lengths)
    return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)


def take_ranges(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The values of ranges, one range after another.

    >>> take_ranges(np.array([7, 8, 9]), np.array([1, 0]), np.array([2, 1])).tolist()
    [8, 9, 7]
    """
    if len(lengths) and lengths.sum() > LONG_RANGE * len(lengths):
        # The place of each value would need more memory than the values.
        ends = starts + lengths
        return np.concatenate([values[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)])
    return values[ranges(starts, lengths)]


def places_in_runs(values: np.ndarray) -> np.ndarray:
    """The place of each value in its run of equal ones, from 0: int64.

    >>> places_in_runs(np.array([7, 7, 7, 2, 4, 4])).tolist()
    [0, 1, 2, 0, 0, 1]
    """
    begins = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else np.zeros(0, int)
    return np.arange(len(values)) - np.repeat(begins, np.diff(begins, append=len(values)))


def take_rows(values: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Some rows of a ragged array, in the order asked for.

    Returns:
        Their values one after another, and their lengths (len(rows),).

    >>> values, lengths = take_rows(np.array([7, 8, 9]), np.array([0, 1, 3]), np.array([1, 0, 1]))
    >>> values.tolist(), lengths.tolist()
    ([8, 9, 7, 8, 9], [2, 1, 2])
    """
    starts = offsets[rows]
    lengths = offsets[rows + 1] - starts
    return take_ranges(values, starts, lengths), lengths
