"""What a metric is, of every task: a figure that a model is judged by."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lengthwise.evaluation.ratios import Ratio


@dataclass(frozen=True)
class Metric:
    """A figure that is a mean over items, or a ratio of sums; or several, such as one for each label factor.

    Attributes:
        pattern: of the names that `per_item` gives, a regular expression.
        per_item: from the items of a level and what their predictions are of, by name what each item adds to the mean,
            float (N,), or to the ratio.
        direction: 1 if higher is better, -1 if lower is.
        smallest: the smallest difference that counts.
        finest: whether the headline has it of the finest level alone.
        at: the level that has it; if empty, each has.
    """

    pattern: str
    per_item: Callable[[Any, Any], Mapping[str, np.ndarray | Ratio]]
    direction: int
    smallest: float
    finest: bool = False
    at: str = ""

    def covers(self, name: str) -> bool:
        """Whether a figure of this name is this metric's."""
        return re.fullmatch(self.pattern, name) is not None


def headline_name(name: str) -> str:
    """How the headline calls a figure of `levels.csv`, after its level.

    >>> headline_name("mood_accuracy"), headline_name("accuracy")
    ('mood', 'accuracy')
    """
    return name.removesuffix("_accuracy")
