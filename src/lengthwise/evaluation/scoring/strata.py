"""Figures of parts of the items: of a length, a step, a group or a class."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lengthwise.evaluation.ratios import Ratio, sums_by

# Lengths and steps up to this stand each for themselves; each range after it is twice as wide as the one before.
SINGLE = 512
# Classes of which a table has all pairs.
MOST_IN_PAIRS = 100


def by_key(key_name: str, key: np.ndarray, ratios: Mapping[str, Ratio]) -> pd.DataFrame:
    """Figures of the items of each key.

    >>> import numpy as np
    >>> accuracy = Ratio(np.array([1.0, 2, 0]), np.array([2.0, 2, 1]))
    >>> by_key("length", np.array([2, 2, 1]), {"accuracy": accuracy}).to_dict("list")
    {'length': [1, 2], 'count': [1, 2], 'accuracy': [0.0, 0.75]}

    Args:
        key_name: the name of the first column.
        key: (I,), of the items.
        ratios: by name.

    Returns:
        Columns of the key, count (of items), and a column for each figure, empty where it is unknown.
    """
    keys, codes, count = np.unique(key, return_inverse=True, return_counts=True)
    figures = {name: ratio.of_sums(sums_by(codes, ratio.columns)) for name, ratio in ratios.items()}
    return pd.DataFrame({key_name: keys, "count": count, **figures})


def in_ranges(numbers: np.ndarray) -> np.ndarray:
    """The first number of the range in which each number falls, so that long sequences make no endless table.

    >>> import numpy as np
    >>> in_ranges(np.array([1, 512, 513, 1025, 3000])).tolist()
    [1, 512, 513, 1025, 2049]
    """
    ranges = SINGLE * 2 ** np.floor(np.log2(np.maximum((numbers - 1) // SINGLE, 1))) + 1
    return np.where(numbers <= SINGLE, numbers, ranges).astype(np.int64)


def group_table(group: np.ndarray, row: np.ndarray, ratios: Mapping[str, Ratio]) -> dict[str, pd.DataFrame]:
    """`by_group.csv`, where there are several groups and some has several sequences.

    Args:
        group: (S,), what each sequence is held out with.
        row: int (I,), the sequence of each item.
        ratios: of the items, by name.
    """
    if not 1 < len(np.unique(group)) < len(group):
        return {}
    return {"by_group.csv": by_key("group", group[row], ratios)}


def confusion(names: Sequence[str], actual: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """How often each class was taken for each: columns actual, predicted, count.

    All pairs of up to 100 classes; of more, those that occur.
    """
    cells = actual.astype(np.int64) * len(names) + predicted
    if len(names) <= MOST_IN_PAIRS:
        pairs, count = np.arange(len(names) ** 2), np.bincount(cells, minlength=len(names) ** 2)
    else:
        pairs, count = np.unique(cells, return_counts=True)
    one, guess = (np.array(names, object)[of] for of in np.divmod(pairs, len(names)))
    return pd.DataFrame({"actual": one, "predicted": guess, "count": count})


def class_table(names: Sequence[str], right: np.ndarray, actual: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """Precision, recall and F1 of each class that occurs or is predicted.

    Args:
        names: of C classes.
        right: (C,), how often each was rightly predicted.
        actual: (C,), how often it is there.
        predicted: (C,), how often it was predicted.

    Returns:
        Columns class, count, predicted, precision, recall, f1; empty where there is nothing to divide by.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = {"precision": right / predicted, "recall": right / actual, "f1": 2 * right / (actual + predicted)}
    counts = {"count": actual.astype(np.int64), "predicted": predicted.astype(np.int64)}
    table = pd.DataFrame({"class": list(names), **counts, **rates})
    return table[(actual > 0) | (predicted > 0)].reset_index(drop=True)
