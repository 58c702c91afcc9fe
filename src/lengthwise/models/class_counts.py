"""How many predictions of each class a network makes in an epoch."""

from collections.abc import Iterable

import numpy as np

from lengthwise.core.names import WEIGHTED_TASKS
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.layers.front_end import output_lengths
from lengthwise.models.config import NetworkConfig
from lengthwise.models.tasks import task_columns


def class_counts(config: NetworkConfig, parts: Iterable[Sequences]) -> np.ndarray:
    """How many predictions an epoch makes of each class: int64 (C,), as many of a sequence as it is read at places.

    Args:
        config: of the network.
        parts: all sequences, in any parts.

    Raises:
        ArgumentError: the task predicts no classes, or those of a vocabulary; the argument is `class_weights`.
    """
    if config.task not in WEIGHTED_TASKS or config.predicts != "classes":
        what = "several labels" if config.predicts == "several" else config.task
        problem = f"got balanced for {what}; expected none, or one of {', '.join(WEIGHTED_TASKS)} with one label each"
        raise ArgumentError("class_weights", problem)
    return sum((_counts(config, part) for part in parts), np.zeros(config.outputs, np.int64))


def _counts(config: NetworkConfig, sequences: Sequences) -> np.ndarray:
    target = task_columns(config, sequences).target
    each = np.ones(len(target), np.int64)
    if config.task == "seq2seq":
        each = sequences.lengths
        if config.front_end == "conv1d":
            each = output_lengths(each, config.kernel, config.stride, config.conv_padding)
    there = target >= 0
    return np.bincount(target[there], each[there], config.outputs).astype(np.int64)
