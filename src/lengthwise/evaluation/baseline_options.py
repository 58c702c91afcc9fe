"""How baselines are fitted; scikit-learn, which fits some, takes a second to import."""

from dataclasses import dataclass, replace
from typing import Annotated

from lengthwise.bounds import Count, Within, check_fields

# Where `C` is tuned, it is looked for within so many decades of the one that is set.
MOST_DECADES = 4


@dataclass(frozen=True)
class LinearOptions:
    """Of scikit-learn's logistic regression, and of ridge regression, whose `alpha` is 1 / (2 C).

    >>> from lengthwise.evaluation.baseline_options import LinearOptions
    >>> LinearOptions(inverse_regularization=1.0, max_iterations=0)
    Traceback (most recent call last):
    lengthwise.errors.ArgumentError: max_iterations: got 0; expected a whole number from 1

    Attributes:
        inverse_regularization: its `C`.
        max_iterations: of L-BFGS.
        tuned: whether `C` is chosen by a split that is held out: this one, or one some decades away.
        characters: of the longest n-grams of characters that are counted beside tokens, see
            `lengthwise.evaluation.character_grams`; None for none.
        memory_mb: MiB that the features of a level's items may take, as `FeatureBytes` estimates them; where all would
            take more, a model is fitted by passes over parts of them. None for no bound.

    Raises:
        ArgumentError: an option is out of range; it is a `ValueError`.
    """

    inverse_regularization: Annotated[float, Within(above=0.0)]
    max_iterations: Count
    tuned: bool = False
    characters: Annotated[int, Within(2, 8)] | None = None
    memory_mb: Annotated[int, Within(64)] | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def decades_away(self, number: int) -> "LinearOptions":
        """These options with a `C` of so many decades more, or less.

        >>> LinearOptions(2.0, 100).decades_away(-1).inverse_regularization
        0.2
        """
        c = self.inverse_regularization
        return replace(self, inverse_regularization=c * 10**number if number >= 0 else c / 10**-number)


@dataclass(frozen=True)
class TagModelOptions:
    """Of the linear model of tags, see `lengthwise.evaluation.tag_models`.

    >>> TagModelOptions(window=-1, bits=18, epochs=5)
    Traceback (most recent call last):
    lengthwise.errors.ArgumentError: window: got -1; expected a whole number from 0 to 16

    Attributes:
        window: steps that it reads before and after the one that it tags.
        bits: the logarithm of the number of features: for each and each of C tags it holds 8 bytes.
        epochs: passes over the training steps.

    Raises:
        ArgumentError: an option is out of range; it is a `ValueError`.
    """

    window: Annotated[int, Within(0, 16)]
    bits: Annotated[int, Within(8, 24)]
    epochs: Count

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class NgramOptions:
    """Of the n-gram model of the next token, see `lengthwise.evaluation.ngrams`.

    >>> NgramOptions(order=0)
    Traceback (most recent call last):
    lengthwise.errors.ArgumentError: order: got 0; expected a whole number from 1 to 32

    Attributes:
        order: tokens of its longest grams.

    Raises:
        ArgumentError: it is out of range; it is a `ValueError`.
    """

    order: Annotated[int, Within(1, 32)]

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class BaselineOptions:
    """Of the baselines of every task.

    Attributes:
        linear: of classes, labels and numbers.
        tags: of tags.
        ngrams: of the next token.
    """

    linear: LinearOptions
    tags: TagModelOptions
    ngrams: NgramOptions
