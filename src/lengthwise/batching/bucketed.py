"""Batches from one of N buckets by length, the order of the batches random.

Source: the article's `BucketedDataIterator`, which ends an epoch for all buckets when one runs dry, and so drops the
rest of the others; here each bucket's last batch is smaller instead. Little padding; a batch's sequences are alike in
length, so successive gradients differ more than with random batches.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lengthwise.batching.plan import Plan, Strategy, batches_within_groups, order_with_random_ties
from lengthwise.batching.sizes import BatchSize, BucketCount


@dataclass(frozen=True)
class Bucketed(Strategy):
    """Batches of sequences of similar length.

    With 2 buckets, `batch_size` 2 and lengths [3, 1, 2, 3, 1], the buckets are [1, 4, 2] and [0, 3]:

        batch 0   0 0 0      batch 1   4 .      batch 2   1
                  3 3 3                2 2

    >>> import lengthwise as lw
    >>> plan = lw.Bucketed(batch_size=2, buckets=2).plan([3, 1, 2, 3, 1])
    >>> plan.rows.tolist(), plan.widths.tolist()
    ([2, 2, 1], [1, 3, 2])

    Attributes:
        batch_size: rows in a batch.
        buckets: how many, of equal counts; sequences of a length at a border are dealt to both sides at random.

    Raises:
        ValueError: a setting is no whole number from 1.
    """

    counts_sequences: ClassVar[bool] = True
    batch_size: BatchSize
    buckets: BucketCount

    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        bucket = np.empty(len(lengths), np.int64)
        bucket[order_with_random_ties(lengths, rng)] = np.arange(len(lengths)) * self.buckets // max(1, len(lengths))
        return batches_within_groups(bucket, lengths, self.batch_size, rng)
