"""Every batch with the corpus's own profile of lengths.

Sort by length, cut into as many strata as a batch has rows, take one sequence from each. All batches have nearly the
same lengths in the same rows, so one shape serves an epoch, no batch is of short or of long sequences only, and the
lengths seen do not drift. (The batches are a stratified sample, not independent draws.)

In a rectangle that is padding: about as much as `padded` has. A recurrent layer whose active rows shrink with time
computes none of it: the rows stand by falling length, and row *i* is about as long in every batch.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lengthwise.batching.plan import Plan, Strategy, order_with_random_ties, plan_of_batches
from lengthwise.batching.sizes import BatchSize


@dataclass(frozen=True)
class Stratified(Strategy):
    """One sequence from each stratum of length in every batch.

    With `batch_size` 2 and lengths [1, 4, 2, 3], the strata are [0, 2] and [3, 1]:

        batch 0   3 3 3      batch 1   1 1 1 1
                  0 . .                2 2 . .

    >>> import lengthwise as lw
    >>> plan = lw.Stratified(batch_size=2).plan([1, 4, 2, 3])
    >>> plan.rows.tolist(), plan.widths.tolist()
    ([2, 2], [3, 4])

    Attributes:
        batch_size: rows in a batch, and strata; the last batch may have fewer.

    Raises:
        ValueError: a setting is no whole number from 1.
    """

    counts_sequences: ClassVar[bool] = True
    batch_size: BatchSize

    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        count = len(lengths)
        by_length = order_with_random_ties(lengths, rng)
        strata = min(self.batch_size, count)
        begins = -(-np.arange(strata + 1) * count // max(1, strata))
        # A stratum's sequences are dealt to the batches in random order, which shuffles each stratum on its own.
        stratum = np.repeat(np.arange(strata), np.diff(begins))
        dealt = np.lexsort((rng.random(count), stratum))
        members = by_length[dealt]
        batch = np.arange(count) - np.repeat(begins[:-1], np.diff(begins))
        # By batch, and within a batch the longest first.
        order = np.lexsort((-stratum, batch))
        return plan_of_batches(batch[order], members[order], lengths)
