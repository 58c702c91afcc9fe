"""The cluster bootstrap over authors: intervals of means, and of the difference of two models on the same items.

Sentences of one author are alike: an interval that took them for independent would be far too narrow. So authors are
resampled, with all that they wrote (Efron and Tibshirani, 1993). Where two models are compared, each resample is of
both: an author who is hard for both cancels out, so that the difference varies less than either figure.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lengthwise.bounds import Seed, Within, check_fields


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Attributes:
        samples: resamples of the authors.
        confidence: probability that an interval stands for: its ends are that far from the tails.
        seed: of the resampling.

    Raises:
        ArgumentError: one of them is out of range; it is a `ValueError`.
    """

    samples: Annotated[int, Within(10, 1_000_000)]
    confidence: Annotated[float, Within(above=0.0, below=1.0)]
    seed: Seed

    def __post_init__(self) -> None:
        check_fields(self)

    def weights(self, authors: int) -> np.ndarray:
        """How often each author is in each resample: float64 (samples, authors)."""
        rng = np.random.default_rng(self.seed)
        return rng.multinomial(authors, np.full(authors, 1 / authors), self.samples).astype(np.float64)

    def ends(self, resampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the intervals of resampled figures begin and end.

        Args:
            resampled: float (samples, ...); NaN where a resample has no such figure, which then does not count.
        """
        tail = (1 - self.confidence) / 2
        low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
        return low, high

    def difference(self, one: np.ndarray, other: np.ndarray, author: np.ndarray) -> tuple[float, float, float]:
        """The mean of one model's scores less another's on the same items, and its interval.

        >>> Bootstrap(100, 0.9, 0).difference(np.array([1.0, 0, 1]), np.array([0.0, 0, 1]), np.array([7, 7, 8]))
        (0.3333333333333333, 0.0, 0.5)

        Args:
            one: float (N,), what each item adds to one model's mean.
            other: float (N,), to the other's.
            author: (N,), whose each item is.

        Returns:
            The difference, the lower and the upper end.
        """
        gain = np.asarray(one, np.float64) - np.asarray(other, np.float64)
        names, codes = np.unique(author, return_inverse=True)
        weights = self.weights(len(names))
        low, high = self.ends(weights @ np.bincount(codes, gain) / (weights @ np.bincount(codes)))
        return float(gain.mean()), float(low), float(high)
