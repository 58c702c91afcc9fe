"""Sequences that every task can be asked about: tags, tokens, a class, several labels and a number each."""

import numpy as np

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences


def questions(count: int, groups: int) -> Sequences:
    """The same at each call: documents of one sequence, in groups that stand together."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, count)
    steps = int(lengths.sum())
    per_step = {"tags": rng.integers(0, 3, steps), "tokens": rng.integers(2, 9, steps)}
    per_sequence = {
        "sequence": np.arange(count),
        "document": np.arange(count),
        "group": np.sort(rng.integers(0, groups, count)),
        "label": rng.integers(0, 6, count),
        "labels": rng.integers(0, 2, (count, 2)),
        "numbers": rng.normal(0, 1, (count, 1)),
    }
    return Sequences(offsets_of(lengths), per_step, per_sequence)
