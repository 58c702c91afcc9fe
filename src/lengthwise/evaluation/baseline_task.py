"""What baselines are fitted to, and what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.errors import ArgumentError
from lengthwise.evaluation.baseline_options import BaselineOptions
from lengthwise.evaluation.input_columns import InputColumns
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.scoring.task_scoring import PredictedColumns, TaskScoring

# By the name of a level, what is predicted for its items, a row each; or what is for steps, under one name.
ByLevel = Mapping[str, PredictedColumns]
EVERY_LEVEL = ""


@dataclass(frozen=True)
class SplitItems:
    """A split.

    Attributes:
        sequences: its sequences.
        items: of each level, see `lengthwise.evaluation.levels.items_of`.
    """

    sequences: Sequences
    items: Sequence[Items]


@dataclass(frozen=True)
class BaselineTask:
    """What baselines are fitted to.

    Attributes:
        scoring: what is predicted.
        inputs: what may be read of a step, and how many of each there are.
        options: how they are fitted.
        judge: which of the splits that are asked about chooses among linear models; None if there is none for that.
        tokens: of the vocabulary, by their number; only n-grams of characters are made of them.

    Raises:
        ArgumentError: n-grams of characters are to be counted, and `tokens` are not those of the vocabulary; it is a
            `ValueError`.
    """

    scoring: TaskScoring
    inputs: InputColumns
    options: BaselineOptions
    judge: int | None = None
    tokens: Sequence[str] = ()

    def __post_init__(self) -> None:
        size = self.inputs.counted.get(TOKENS, 0)
        if self.options.linear.characters is not None and len(self.tokens) != (size or None):
            raise ArgumentError(
                "tokens",
                f"got {len(self.tokens)} for a vocabulary of {size}; expected all of one, to count characters; give "
                "them, or leave characters out",
            )

    @property
    def tunes(self) -> bool:
        """Whether linear models are tuned."""
        return self.judge is not None and self.options.linear.tuned


Tried = Mapping[str, str | float | bool]


class Fitted(NamedTuple):
    """What fitted baselines say.

    Attributes:
        predictions: by the model's name, for each split that is asked about, by level.
        tried: of a linear model that is tuned, a row for each level and C: `level`, `inverse_regularization`,
            `validation_loss`, and whether it is `chosen`.
        fits: of a linear model of items, a row for each level: `level`, `features_mb`, what its features take in MiB,
            estimated, and what it is `fitted_by`.
    """

    predictions: dict[str, list[ByLevel]]
    tried: Sequence[Tried] = ()
    fits: Sequence[Tried] = ()
