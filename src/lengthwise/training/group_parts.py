"""What a network of two levels is trained on: groups in memory, each with a sample of its sequences in every epoch."""

from collections.abc import Iterator

import numpy as np

from lengthwise.batching.block_windows import part_rng
from lengthwise.batching.plan import Strategy
from lengthwise.batching.sampled import NestedPlan, Sampled
from lengthwise.core.nested import NestedSequences
from lengthwise.core.sequences import Sequences
from lengthwise.training.epoch_parts import DrawnPlans


class GroupsInMemory:
    """All groups, one part; see `EpochParts`.

    Args:
        nested: groups of sequences.
        sample: sequences of a group that an epoch draws; None for all.
    """

    def __init__(self, nested: NestedSequences, sample: int | None) -> None:
        self.parts, self.nested, self.sample = 1, nested, sample
        self.length_counts = np.stack(np.unique(nested.inner.lengths, return_counts=True), axis=1)

    def __iter__(self) -> Iterator[Sequences]:
        yield self.nested.inner

    def lengths(self, epoch: int, part: int) -> np.ndarray:
        """Steps of the sequences of all groups: int64 (S,)."""
        return self.nested.inner.lengths

    def read(self, epoch: int, first: int = 0) -> Iterator[NestedSequences]:  # noqa: D102 - see `EpochParts`.
        yield from [self.nested][first:]

    def plans(self, strategy: Strategy, seed: int) -> "GroupPlans":  # noqa: D102 - see `EpochParts`.
        return GroupPlans(self, strategy, seed)


class GroupPlans(DrawnPlans):
    """The plans of groups: what is drawn is a function of the seed and the number of the epoch.

    Args:
        parts: the groups.
        strategy: how groups come together in batches.
        seed: of what is drawn and of the order of batches, with the number of the epoch.
    """

    def __init__(self, parts: GroupsInMemory, strategy: Strategy, seed: int) -> None:
        super().__init__(parts, strategy, seed)
        self._groups, self._sampled = parts.nested, Sampled(strategy, parts.sample)

    def _plan(self, epoch: int, part: int) -> NestedPlan:  # type: ignore[override]
        rng = part_rng(self._seed, epoch, part)
        return self._sampled.plan(self._groups.outer.lengths, self._groups.inner.lengths, rng)
