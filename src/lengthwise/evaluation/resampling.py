"""The cluster bootstrap over authors: intervals of figures.

Sentences of one author are alike: an interval that took them for independent would be far too narrow. So authors are
resampled, with all that they wrote (Efron and Tibshirani, 1993). `lengthwise.evaluation.paired` has the difference of
two models on the same items.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from lengthwise.bounds import Seed, Within, check_fields

if TYPE_CHECKING:
    # A fifth of the time in which a stage reads its params, and they need no more of here than `Bootstrap`.
    from scipy.sparse import csr_matrix

# 32 MiB of them: where each sequence is a group of its own there may be millions of groups.
MOST_WEIGHTS = 2**22


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
        """How often each author is in each resample: float64 (samples, authors).

        >>> Bootstrap(10, 0.95, 0).weights(4).sum(axis=1).tolist() == [4.0] * 10
        True
        """
        rng = np.random.default_rng(self.seed)
        return rng.multinomial(authors, np.full(authors, 1 / authors), self.samples).astype(np.float64)

    def resampled(self, sums: "np.ndarray | csr_matrix") -> np.ndarray:
        """The sums over the authors of each resample, with the weights of `weights`, of which few are held at a time.

        >>> bootstrap, sums = Bootstrap(10, 0.95, 0), np.arange(8.0).reshape(4, 2)
        >>> bool((bootstrap.resampled(sums) == bootstrap.weights(4) @ sums).all())
        True

        Args:
            sums: float64 (authors, K), of each author's items; may be sparse.

        Returns:
            float64 (samples, K).
        """
        rng, authors = np.random.default_rng(self.seed), sums.shape[0]
        at_once = max(1, MOST_WEIGHTS // authors)
        made = np.empty((self.samples, sums.shape[1]))
        for start in range(0, self.samples, at_once):
            part = made[start : start + at_once]
            weights = rng.multinomial(authors, np.full(authors, 1 / authors), len(part))
            part[:] = weights.astype(np.float64) @ sums
        return made

    def ends(self, resampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the intervals of resampled figures begin and end.

        Args:
            resampled: float (samples, ...); NaN where a resample has no such figure, which then does not count.
        """
        tail = (1 - self.confidence) / 2
        low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
        return low, high
