"""A split of invented messages, two sequences each, four messages by an author, with every kind of target."""

from collections.abc import Mapping

import numpy as np

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.baseline_task import SplitItems
from lengthwise.evaluation.levels import items_of


def split_of_messages(
    lengths: np.ndarray, per_step: Mapping[str, np.ndarray], document: np.ndarray, class_of: np.ndarray
) -> SplitItems:
    """The split.

    Args:
        lengths: int (S,), of the sequences.
        per_step: what their steps have.
        document: int (S,), which message each is of.
        class_of: int (S,), 0, 1 or 2, that of its message: the label, and what labels and numbers follow from.
    """
    per_sequence = {
        "sequence": np.arange(len(lengths)),
        "document": document,
        "group": document // 4,
        "label": class_of,
        "labels": np.stack([class_of > 0, class_of == 2, np.ones(len(lengths))], axis=1).astype(np.int32),
        "numbers": np.stack([class_of * 10.0, 3.0 - class_of], axis=1),
    }
    items = items_of(per_sequence, "document", {"document": "message", "group": "author"})
    return SplitItems(Sequences(offsets_of(lengths), per_step, per_sequence), items)
