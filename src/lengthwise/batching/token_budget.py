"""Batches of as many rows as fit into a budget of steps, padding among them.

The practice of translation toolkits: batches cost alike, whatever the lengths. Theirs close a batch after the budget is
exceeded, or guess from the lengths seen so far; here rows times width never exceeds it, and nothing is dropped.
"""

from dataclasses import dataclass

import numpy as np

from lengthwise.batching.plan import Plan, Strategy, order_with_random_ties, plan_of_shuffled_batches
from lengthwise.batching.sizes import TokenCount
from lengthwise.errors import ArgumentError


@dataclass(frozen=True)
class TokenBudget(Strategy):
    """Batches of neighbouring lengths with `rows * width <= tokens`, the order of the batches random.

    From the shortest on, a row is added while the batch stays within the budget. With `tokens` 6 and lengths
    [3, 1, 2, 2, 5]:

        batch 0   4 4 4 4 4      batch 1   1 .      batch 2   0 0 0
                                           3 3
                                           2 2

    >>> import lengthwise as lw
    >>> plan = lw.TokenBudget(tokens=6).plan([3, 1, 2, 2, 5])
    >>> plan.rows.tolist(), plan.widths.tolist()
    ([1, 1, 3], [3, 5, 2])

    Attributes:
        tokens: steps that a batch may have, padded ones included.

    Raises:
        ValueError: a setting is no whole number from 1; planning: a sequence is longer than `tokens`.
    """

    tokens: TokenCount

    def check_lengths(self, lengths: np.ndarray) -> None:
        """Reject lengths beyond the budget: int (S,)."""
        longest = int(lengths.max(initial=0))
        if longest > self.tokens:
            raise ArgumentError(
                "tokens",
                f"got {self.tokens}; expected at least {longest}, the length of sequence {int(lengths.argmax())}",
                "raise it, or leave longer sequences out",
            )

    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        by_length = order_with_random_ties(lengths, rng)
        begins = np.zeros(len(lengths), bool)
        begins[cuts_within_budget(lengths[by_length], self.tokens)[:-1]] = True
        return plan_of_shuffled_batches(begins, by_length, lengths, rng)


def cuts_within_budget(rising: np.ndarray, tokens: int) -> np.ndarray:
    """Where batches begin and end so that none has more than `tokens` steps: int64 (batches + 1,).

    Args:
        rising: int (S,), lengths, none above the budget.
        tokens: the budget.
    """
    # A turn of the loop makes all cuts within a length, or the one that ends it.
    cuts = [np.zeros(1, np.int64)]
    begin = 0
    while begin < len(rising):
        length = int(rising[begin])
        end_of_length = int(np.searchsorted(rising, length, side="right"))
        rows = tokens // length
        full = (end_of_length - begin) // rows
        if full:
            cuts.append(begin + rows * np.arange(1, full + 1))
            begin += rows * full
            continue
        # The batch goes on into longer sequences: as far as its width times its rows stays within the budget.
        ends = np.arange(end_of_length, min(len(rising), begin + rows) + 1)
        fits = (ends - begin) * rising[ends - 1] <= tokens
        begin = int(ends[fits][-1])
        cuts.append(np.array([begin]))
    return np.concatenate(cuts)
