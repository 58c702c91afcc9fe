"""Predictions at up to three levels: per sequence, and pooled over a document's and a group's sequences.

A pooled prediction is the mean of the log-probabilities, made a distribution again: what the members say jointly,
each counting once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from lengthwise.core.names import UNITS, Unit
from lengthwise.core.sequences import LABEL
from lengthwise.errors import ArgumentError


@dataclass(frozen=True)
class Level:
    """The predictions for the N items of a level.

    Attributes:
        name: the corpus's word for an item.
        log_probabilities: float64 (N, C), of the joint classes.
        labels: int64 (N,), the joint class that is right.
        author: int64 (N,), the author of each item.
    """

    name: str
    log_probabilities: np.ndarray
    labels: np.ndarray
    author: np.ndarray


@dataclass(frozen=True)
class Items:
    """What the items of a level are, without any prediction.

    Attributes:
        name: the corpus's word for an item.
        group: int64 (S,), the item that each sequence belongs to.
        labels: int64 (N,).
        author: int64 (N,).
    """

    name: str
    group: np.ndarray
    labels: np.ndarray
    author: np.ndarray


def items_of(columns: Mapping[str, np.ndarray], unit: Unit, words: Mapping[Unit, str]) -> list[Items]:
    """The items of each level, from the shards' unit upwards; items in the corpus's order.

    The pieces that a long document or group is split into are one item; those of a sentence are one each.

    Args:
        columns: of the sequences of one split, each (S,): `sequence`, `document` and `group` say what each belongs to,
            `label` its joint class.
        unit: the shards' unit.
        words: what the corpus calls the units that it has, from the finest to the coarsest.

    Raises:
        ArgumentError: there is no sequence.
    """
    if not len(columns[LABEL]):
        raise ArgumentError("columns", "got no sequence; expected one or more to train on and to test with")
    keys = {"sentence": columns["sequence"], "document": columns["document"], "group": columns["group"]}
    items = []
    for level in UNITS[UNITS.index(unit) :]:
        if level not in words:
            continue
        _, first, group = np.unique(keys[level], return_index=True, return_inverse=True)
        labels, author = columns[LABEL][first], columns["group"][first]
        items.append(Items(words[level], group, labels.astype(np.int64), author.astype(np.int64)))
    return items


def pool(items: Items, log_probabilities: np.ndarray) -> Level:
    """Pool the predictions for sequences to those for items.

    Args:
        items: of the level.
        log_probabilities: float (S, C), of the sequences.
    """
    count = len(items.labels)
    sums = np.stack(
        [np.bincount(items.group, column, minlength=count) for column in log_probabilities.T.astype(np.float64)],
        1,
    )
    sizes = np.bincount(items.group, minlength=count)[:, None]
    return Level(items.name, log_softmax(sums / sizes, axis=1), items.labels, items.author)
