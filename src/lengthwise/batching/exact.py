"""Only sequences of one length in a batch: no padding at all.

The limit of bucketing, with a bucket for every length. Each length's last batch is smaller, so with many rare lengths
there are many small batches.
"""

from dataclasses import dataclass

import numpy as np

from lengthwise.batching.plan import Plan, Strategy, batches_within_groups
from lengthwise.batching.sizes import BatchSize


@dataclass(frozen=True)
class Exact(Strategy):
    """Batches of equal lengths, the order of the batches random.

    With `batch_size` 2 and lengths [3, 1, 3, 1, 3]:

        batch 0   2 2 2      batch 1   1      batch 2   4 4 4
                                       3                0 0 0

    >>> import lengthwise as lw
    >>> plan = lw.Exact(batch_size=2).plan([3, 1, 3, 1, 3])
    >>> plan.rows.tolist(), plan.widths.tolist()
    ([2, 1, 2], [3, 3, 1])

    Attributes:
        batch_size: rows in a batch; the last batch of each length may have fewer.

    Raises:
        ValueError: a setting is no whole number from 1.
    """

    batch_size: BatchSize

    @property
    def pads(self) -> bool:
        """Never."""
        return False

    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        return batches_within_groups(lengths, lengths, self.batch_size, rng)
