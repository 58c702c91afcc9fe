"""How the linear baseline is fitted; scikit-learn, which fits it, takes a second to import."""

from dataclasses import dataclass
from typing import Annotated

from lengthwise.bounds import Count, Within, check_fields


@dataclass(frozen=True)
class LinearOptions:
    """Of scikit-learn's logistic regression.

    >>> from lengthwise.evaluation.linear_options import LinearOptions
    >>> LinearOptions(inverse_regularization=1.0, max_iterations=0)
    Traceback (most recent call last):
    lengthwise.errors.ArgumentError: max_iterations: got 0; expected a whole number from 1

    Attributes:
        inverse_regularization: its `C`.
        max_iterations: of L-BFGS.

    Raises:
        ArgumentError: an option is out of range; it is a `ValueError`.
    """

    inverse_regularization: Annotated[float, Within(above=0.0)]
    max_iterations: Count

    def __post_init__(self) -> None:
        check_fields(self)
