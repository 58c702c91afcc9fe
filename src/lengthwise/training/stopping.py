"""The best epoch of a run by its validation split: whose weights are kept, and after which the run may stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import keras
import numpy as np

from lengthwise.core.names import BestBy

# By the name of a figure: its column of an epoch's row, and what makes the better of two larger.
COLUMNS: dict[str, tuple[str, float]] = {"loss": ("validation_loss", -1.0), "accuracy": ("validation_accuracy", 1.0)}


@dataclass
class BestEpoch:
    """Follows the epochs of a run and keeps the weights of the best; of two as good, those of the earlier.

    Attributes:
        by: the figure; `none`: every epoch counts as better than those before.
        patience: epochs without a better one that end the run; None: none do.
        number: of the best epoch so far, from 1; 0 before there is one.
        weights: of the best epoch; empty where `by` is `none`, or no figure was finite yet.
    """

    by: BestBy
    patience: int | None
    number: int = 0
    weights: list[np.ndarray] = field(default_factory=list)

    def look_at(self, rows: Sequence[Mapping[str, float]], variables: Sequence[keras.Variable]) -> None:
        """See an epoch that has ended.

        Args:
            rows: of all epochs so far, see `lengthwise.training.watch`.
            variables: the network's weights.
        """
        if self.by == "none":
            self.number = len(rows)
            return
        column, sign = COLUMNS[self.by]
        figure = sign * rows[-1][column]
        # A figure that is not finite, as of a network that has diverged, is no better one.
        if isfinite(figure) and (self.number == 0 or figure > sign * rows[self.number - 1][column]):
            self.number = len(rows)
            self.weights = [np.array(variable.numpy()) for variable in variables]

    def is_over(self, epochs: int) -> bool:
        """Whether the run ends after so many epochs for want of a better one."""
        return self.patience is not None and epochs - self.number >= self.patience

    def restore(self, variables: Sequence[keras.Variable]) -> None:
        """Give a network the weights of the best epoch; the last ones stay where no epoch had a finite figure."""
        for variable, array in zip(variables, self.weights, strict=bool(self.weights)):
            variable.assign(array)
