"""Random order, each batch padded to its own longest sequence.

Source: the article's `PaddedDataIterator` and the assignment's "pad per batch". Theirs drop the tail of every epoch;
here the last batch is smaller instead. Costs padding: among 256 sentences one is nearly always of the maximum length.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lengthwise.batching.plan import Plan, Strategy, batches_in_order
from lengthwise.batching.sizes import BatchSize


@dataclass(frozen=True)
class Padded(Strategy):
    """Batches in random order.

    With `batch_size` 2, lengths [3, 1, 2, 3] and the order [2, 0, 3, 1]:

        batch 0   2 2 .      batch 1   3 3 3
                  0 0 0                1 . .

    >>> import lengthwise as lw
    >>> plan = lw.Padded(batch_size=2).plan([3, 1, 2, 3])
    >>> plan.rows.tolist(), plan.widths.tolist()
    ([2, 2], [3, 3])

    Attributes:
        batch_size: rows in a batch.

    Raises:
        ValueError: a setting is no whole number from 1.
    """

    counts_sequences: ClassVar[bool] = True
    batch_size: BatchSize

    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        return batches_in_order(lengths, rng.permutation(len(lengths)), self.batch_size)
