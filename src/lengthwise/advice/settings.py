"""Settings of every strategy that make it comparable with the others: as many sequences a batch, nearly."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lengthwise.batching.plan import Strategy
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.sizes import BatchSize, BucketCount, TokenCount, WindowSize
from lengthwise.bounds import check_fields
from lengthwise.errors import ArgumentError

BUCKETS = 5
# Spans that an epoch may be cut into: a plan of so many is 1.2 GB.
MOST_SPANS = 50_000_000
# What a plan's columns hold.
LONGEST = 2**31 - 1


@dataclass(frozen=True)
class WantedSettings:
    """What a user wants of the batches; what is None is chosen for the lengths.

    Attributes:
        batch_size: sequences in a batch.
        buckets: of `bucketed`.
        tokens: of `token_budget`, steps in a batch. None: those of `batch_size` sequences, as long as the longest at
            least.
        window: of `packed` and `truncated`, steps of a row. None: the power of two from twice the mean length on, no
            longer than the longest sequence.

    Raises:
        ArgumentError: one is no whole number from 1, or above its bound; it is a `ValueError`.
    """

    batch_size: BatchSize
    buckets: BucketCount = BUCKETS
    tokens: TokenCount | None = None
    window: WindowSize | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def strategies(self, lengths: np.ndarray) -> Mapping[str, Strategy]:
        """All strategies by name. Rows of several sequences are fewer, so that updates come after as many sequences.

        Args:
            lengths: int (S,), one at least.

        Raises:
            ArgumentError: the budget is below the longest sequence, or windows are too many.
        """
        total, longest = int(lengths.sum()), int(lengths.max())
        mean = total / len(lengths)
        window = self.window or min(longest, 1 << (int(np.ceil(2 * mean)) - 1).bit_length())
        if total // window > MOST_SPANS:
            least = -(-total // MOST_SPANS)
            raise ArgumentError("window", f"got {window}; expected at least {least} for {total:,} steps")
        tokens = self.tokens or min(LONGEST, max(longest, round(self.batch_size * mean)))
        if tokens < longest:
            raise ArgumentError("tokens", f"got {tokens}; expected at least {longest}, the longest sequence")
        settings = {"batch_size": int(self.batch_size), "buckets": self.buckets, "tokens": tokens, "window": window}
        rows = max(1, round(self.batch_size * mean / window))
        return {
            name: make_strategy(name, {**settings, "batch_size": rows} if kind.packs or kind.cuts else settings)
            for name, kind in STRATEGIES.items()
        }
