"""What a network is trained on, a part of an epoch at a time: all of it in memory, or a window of blocks from disk.

Each part is planned by itself, as a `Stream`'s buffers are: an epoch in memory has one.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, Protocol

import numpy as np

from lengthwise.batching.block_windows import part_rng, read_ahead, windows_of
from lengthwise.batching.limited_groups import LimitedGroups
from lengthwise.batching.plan import Plan, Strategy
from lengthwise.core.sequences import Sequences
from lengthwise.models.groups import GROUP


class Blocks(Protocol):
    """Sequences that lie in blocks, by rising length."""

    @property
    def length_counts(self) -> np.ndarray:
        """How many sequences have which length: int64 (L, 2), the lengths rise."""
        ...

    def __len__(self) -> int: ...

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        """Steps of the sequences of some blocks, without reading them: int64 (S,)."""
        ...

    def read(self, numbers: np.ndarray) -> Sequences:
        """The sequences of some blocks."""
        ...


class EpochParts(Protocol):
    """Sequences, in each epoch dealt to the same number of parts.

    Iterating over it gives all sequences once, in some parts, in no epoch's order.

    Attributes:
        parts: of an epoch.
        length_counts: how many sequences have which length: int64 (L, 2), the lengths rise.
    """

    parts: int
    length_counts: np.ndarray

    def __iter__(self) -> Iterator[Sequences]: ...

    def lengths(self, epoch: int, part: int) -> np.ndarray:
        """Steps of the sequences of a part, without reading them: int64 (S,)."""
        ...

    def read(self, epoch: int, first: int = 0) -> Iterator[Any]:
        """The parts of an epoch, from the first that is asked for: sequences, or groups of them."""
        ...

    def plans(self, strategy: Strategy, seed: int) -> "EpochPlans":
        """The plans of all epochs; see `EpochPlans`."""
        ...


class InMemory:
    """All sequences, one part.

    Args:
        sequences: which; with the column `group`, where a group has a limit.
        group_limit: sequences of a group that an epoch draws, others in each; None for all.
    """

    def __init__(self, sequences: Sequences, group_limit: int | None = None) -> None:
        self.parts, self._sequences, self._group_limit = 1, sequences, group_limit
        self.length_counts = np.stack(np.unique(sequences.lengths, return_counts=True), axis=1)

    def __iter__(self) -> Iterator[Sequences]:
        yield self._sequences

    def lengths(self, epoch: int, part: int) -> np.ndarray:  # noqa: D102 - see `EpochParts`.
        return self._sequences.lengths

    def read(self, epoch: int, first: int = 0) -> Iterator[Sequences]:  # noqa: D102 - see `EpochParts`.
        yield from [self._sequences][first:]

    def plans(self, strategy: Strategy, seed: int) -> "EpochPlans":  # noqa: D102 - see `EpochParts`.
        if self._group_limit is None:
            return EpochPlans(self, strategy, seed)
        return LimitedPlans(self, LimitedGroups(strategy, self._group_limit, GROUP), self._sequences[GROUP], seed)


class Windowed:
    """Sequences on disk, a window of blocks a part; the next one is read by a thread.

    Where one window holds all blocks, its plans are those of the sequences in memory.

    Args:
        blocks: where the sequences lie.
        window_blocks: of a window, at most.
        seed: of the order of blocks, with the number of the epoch.
    """

    def __init__(self, blocks: Blocks, window_blocks: int, seed: int) -> None:
        self._blocks, self._most = blocks, window_blocks
        self.length_counts = blocks.length_counts
        self.parts = -(-len(blocks) // window_blocks)
        self._windows = lru_cache(maxsize=1)(lambda epoch: windows_of(len(blocks), window_blocks, seed, epoch))

    def __iter__(self) -> Iterator[Sequences]:
        begins = range(0, len(self._blocks), self._most)
        windows = (np.arange(begin, min(begin + self._most, len(self._blocks))) for begin in begins)
        return read_ahead(self._blocks.read, windows)

    def lengths(self, epoch: int, part: int) -> np.ndarray:  # noqa: D102 - see `EpochParts`.
        return self._blocks.lengths(self._windows(epoch)[part])

    def read(self, epoch: int, first: int = 0) -> Iterator[Sequences]:  # noqa: D102 - see `EpochParts`.
        return read_ahead(self._blocks.read, self._windows(epoch)[first:])

    def plans(self, strategy: Strategy, seed: int) -> "EpochPlans":  # noqa: D102 - see `EpochParts`.
        return EpochPlans(self, strategy, seed)


class EpochPlans:
    """The plans of all parts, made when they are asked for.

    Args:
        parts: what is planned.
        strategy: how sequences come together in batches.
        seed: of the order of batches, with the numbers of the epoch and the part.
    """

    def __init__(self, parts: EpochParts, strategy: Strategy, seed: int) -> None:
        self._parts, self._strategy, self._seed = parts, strategy, seed
        self.of = lru_cache(maxsize=1)(self._plan)

    def _plan(self, epoch: int, part: int) -> Plan:
        return self._strategy.plan(self._parts.lengths(epoch, part), part_rng(self._seed, epoch, part))

    def epoch(self, epoch: int) -> Iterator[Plan]:
        """One after another, those of all parts."""
        return (self.of(epoch, part) for part in range(self._parts.parts))

    def batches(self, epochs: int) -> int:
        """Batches of so many epochs: in memory each has as many; one of windows may have a few more or fewer."""
        return epochs * sum(map(len, self.epoch(0)))

    def tokens(self, epochs: int) -> int:
        """Steps with a token of so many epochs."""
        return epochs * int(self._parts.length_counts.prod(axis=1).sum())

    def tokens_before(self, epoch: int, part: int, batch: int) -> int:
        """Steps with a token before a batch of a part of an epoch."""
        before = sum(int(self._parts.lengths(epoch, number).sum()) for number in range(part))
        return before + int(self.of(epoch, part).steps[:batch].sum())


class DrawnPlans(EpochPlans):
    """The plans of epochs of one part, of which each draws some sequences: what they come to is known from the plans.

    Args:
        parts: see `EpochPlans`.
        strategy: see `EpochPlans`.
        seed: see `EpochPlans`.
    """

    def __init__(self, parts: EpochParts, strategy: Strategy, seed: int) -> None:
        super().__init__(parts, strategy, seed)
        self._size = cache(self._count)

    def _count(self, epoch: int) -> tuple[int, int]:
        """Batches of an epoch, and its steps with a token."""
        steps = self.of(epoch, 0).steps
        return len(steps), int(steps.sum())

    def batches(self, epochs: int) -> int:
        """Batches of so many epochs: one may have more or fewer than another."""
        return sum(self._size(number)[0] for number in range(epochs))

    def tokens(self, epochs: int) -> int:
        """Drawn steps with a token of so many epochs."""
        return sum(self._size(number)[1] for number in range(epochs))

    def tokens_before(self, epoch: int, part: int, batch: int) -> int:
        """Drawn tokens before a batch of an epoch."""
        return int(self.of(epoch, part).steps[:batch].sum())


class LimitedPlans(DrawnPlans):
    """The plans of at most so many sequences of a group: what is drawn is a function of seed and epoch.

    Args:
        parts: all sequences.
        limited: how many of a group, and how they come together in batches.
        groups: int (S,), the group of each sequence.
        seed: of what is drawn and of the order of batches, with the number of the epoch.
    """

    def __init__(self, parts: EpochParts, limited: LimitedGroups, groups: np.ndarray, seed: int) -> None:
        super().__init__(parts, limited.strategy, seed)
        self._limited, self._groups = limited, groups

    def _plan(self, epoch: int, part: int) -> Plan:
        lengths = self._parts.lengths(epoch, part)
        return self._limited.plan(lengths, self._groups, part_rng(self._seed, epoch, part))
