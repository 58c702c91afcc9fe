"""Which part of which sequence is kept, from lengths alone: the funnel `in -> too long, too short -> kept`."""

from dataclasses import dataclass

import numpy as np

from lengthwise.bounds import Count, check_fields
from lengthwise.core.names import TooLong
from lengthwise.core.ragged import offsets_of


@dataclass(frozen=True)
class LengthLimits:
    """Which lengths are kept, in tokens.

    Attributes:
        min_length: shorter sequences are left out.
        max_length: None for no limit.
        too_long: what becomes of longer ones: `drop` (the article), `truncate` (the assignment) or `split`
            into pieces of `max_length`, the last shorter.

    Raises:
        ArgumentError: a limit is out of range; it is a `ValueError`.
    """

    min_length: Count
    max_length: Count | None
    too_long: TooLong

    def __post_init__(self) -> None:
        check_fields(self)

    def pieces(self, lengths: np.ndarray) -> "Pieces":
        """What is kept of sequences of these lengths: int64 (U,)."""
        longest = np.iinfo(np.int64).max if self.max_length is None else self.max_length
        step = longest if self.too_long == "split" else np.iinfo(np.int64).max
        counts = np.maximum(1, -(-lengths // step))
        unit = np.repeat(np.arange(len(lengths)), counts)
        first = np.repeat(offsets_of(counts)[:-1], counts)
        start = (np.arange(len(unit)) - first) * step
        rest = lengths[unit] - start
        length = np.minimum(rest, longest)
        dropped = (rest > longest) if self.too_long == "drop" else np.zeros(len(unit), bool)
        short = ~dropped & (length < self.min_length)
        kept = ~dropped & ~short
        cut = (rest - length)[kept].sum() if self.too_long == "truncate" else 0
        funnel = {
            "sequences_in": len(lengths),
            "sequences_added_by_splitting": len(unit) - len(lengths),
            "sequences_too_long": int(dropped.sum()),
            "sequences_too_short": int(short.sum()),
            "sequences_kept": int(kept.sum()),
            "tokens_in": int(lengths.sum()),
            "tokens_too_long": int(rest[dropped].sum() + cut),
            "tokens_too_short": int(length[short].sum()),
            "tokens_kept": int(length[kept].sum()),
        }
        return Pieces(unit[kept], start[kept], length[kept], funnel)


@dataclass(frozen=True)
class Pieces:
    """What is kept of some sequences, in their order.

    Attributes:
        unit: int64 (P,), which sequence a piece is of.
        start: int64 (P,), where it begins in it.
        length: int64 (P,), in tokens.
        funnel: counts that add up: in + added = too long + too short + kept; tokens likewise, without `added`.
    """

    unit: np.ndarray
    start: np.ndarray
    length: np.ndarray
    funnel: dict[str, int]
