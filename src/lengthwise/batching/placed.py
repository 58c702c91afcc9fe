"""Columns at steps: what stands at every step of a sequence, at its last one, or one step on."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Placed:
    """A column and the steps that it is given at.

    Attributes:
        column: its name.
        at: `every` step, the `last` step of each sequence, or one step before where it stands, `next`.
    """

    column: str
    at: Literal["every", "last", "next"]


def every_step(column: str) -> Placed:
    """A column at every step: a sequence's own value is given at each of its steps, (B, T, ...).

    >>> import lengthwise as lw
    >>> sequences = lw.from_arrays([[4, 2, 7], [5]], labels=[3, 1])
    >>> data = lw.fit_data(sequences, lw.Exact(batch_size=2), targets=lw.every_step("label"))
    >>> sorted((y[..., 0].numpy().tolist(), weights.numpy().tolist()) for _, y, weights in data)
    [([[1]], [[1.0]]), ([[3, 3, 3]], [[1.0, 1.0, 1.0]])]

    Args:
        column: the name of a column, per step or per sequence.

    Raises:
        ValueError: `fit_data` does, if there is no such column.
    """
    return Placed(column, "every")


def last_step(column: str) -> Placed:
    """A column at the last step of each sequence, (B, T, ...): no other step counts in the loss.

    >>> import lengthwise as lw
    >>> sequences = lw.from_arrays([[4, 2, 7], [5]], labels=[3, 1])
    >>> data = lw.fit_data(sequences, lw.Exact(batch_size=2), targets=lw.last_step("label"))
    >>> sorted((y[..., 0].numpy().tolist(), weights.numpy().tolist()) for _, y, weights in data)
    [([[1]], [[1.0]]), ([[3, 3, 3]], [[0.0, 0.0, 3.0]])]

    Args:
        column: the name of a column, per step or per sequence.

    Raises:
        ValueError: `fit_data` does, if there is no such column.
    """
    return Placed(column, "last")


def next_step(column: str) -> Placed:
    """A column of the step after, (B, T, ...): the last step of a sequence has none and does not count in the loss.

    >>> import lengthwise as lw
    >>> sequences = lw.from_arrays([[4, 2, 7]])
    >>> data = lw.fit_data(sequences, lw.Padded(batch_size=2), targets=lw.next_step("tokens"))
    >>> [(y[..., 0].numpy().tolist(), weights.numpy().tolist()) for _, y, weights in data]
    [([[2, 7, 0]], [[1.5, 1.5, 0.0]])]

    Args:
        column: the name of a column per step.

    Raises:
        ValueError: `fit_data` does, if there is no such column per step.
    """
    return Placed(column, "next")
