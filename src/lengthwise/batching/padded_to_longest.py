"""The batches of `padded`, every one as wide as the longest sequence of the corpus.

Source: the assignment, which starts from it. The most wasteful way, and the baseline that the others are measured by.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from lengthwise.batching.padded import Padded
from lengthwise.batching.plan import Plan, Strategy
from lengthwise.batching.sizes import BatchSize


@dataclass(frozen=True)
class PaddedToLongest(Strategy):
    """Batches in random order, all of one width.

    With `batch_size` 2, lengths [4, 1, 2, 1] and the order [2, 1, 0, 3]:

        batch 0   2 2 . .      batch 1   0 0 0 0
                  1 . . .                3 . . .

    >>> import lengthwise as lw
    >>> plan = lw.PaddedToLongest(batch_size=2).plan([4, 1, 2, 1])
    >>> plan.rows.tolist(), plan.widths.tolist()
    ([2, 2], [4, 4])

    Attributes:
        batch_size: rows in a batch; the last batch may have fewer.

    Raises:
        ValueError: a setting is no whole number from 1.
    """

    counts_sequences: ClassVar[bool] = True
    batch_size: BatchSize

    @property
    def pads(self) -> bool:
        """Also a batch of one row."""
        return True

    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        plan = Padded(self.batch_size)._plan(lengths, rng)
        return replace(plan, least_width=int(lengths.max(initial=0)))
