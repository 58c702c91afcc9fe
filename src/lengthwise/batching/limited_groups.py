"""Epochs in which every group has a say: at most so many sequences of it, others in each epoch.

Ten of three thousand authors may have written most of the text. A network that reads every sequence in every epoch
learns to tell those ten; with a limit a prolific author counts for little more than any other. What is drawn is planned
with the batches, from the groups and the lengths alone: a function of the epoch's generator.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from lengthwise.batching.plan import Plan, Strategy, checked_lengths, epoch_rng
from lengthwise.bounds import Count, check_fields
from lengthwise.core.ragged import places_in_runs
from lengthwise.errors import ArgumentError


def draw(owner: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Draw at most so many members of each group, each of a group's as likely as any other.

    >>> import numpy as np
    >>> from lengthwise.batching.limited_groups import draw
    >>> draw(np.array([0, 1, 0, 0]), 1, np.random.default_rng(0)).tolist()
    [1, 2]

    Args:
        owner: int (S,), the group of each member, in any order.
        most: members of a group, at least 1; where there are no more, all of them.
        rng: the only source of chance.

    Returns:
        The numbers of the drawn members, rising: int64 (D,).
    """
    shuffled = np.lexsort((rng.random(len(owner)), owner))
    return np.sort(shuffled[places_in_runs(owner[shuffled]) < most])


@dataclass(frozen=True)
class LimitedGroups:
    """A strategy over at most so many sequences of a group in an epoch, others in each, for `fit_data`.

    A sequence keeps its number, and all that is planned of it: batches (B, T), cuts and carried states are those of the
    strategy, as if there were no other sequences.

    >>> import lengthwise as lw
    >>> limited = lw.LimitedGroups(lw.Padded(batch_size=2), group_limit=1, by="author")
    >>> plan = limited.plan([3, 1, 2, 4], ["a", "b", "a", "a"])
    >>> len(plan), len(plan.sequence), 1 in plan.sequence
    (1, 2, True)

    Attributes:
        strategy: how the drawn sequences come together in batches, any one.
        group_limit: sequences of a group that an epoch draws; all where there are no more.
        by: the column per sequence that says whose a sequence is, such as its author.

    Raises:
        ArgumentError: there is no such strategy, the limit is not from 1, or `by` is no name; it is a `ValueError`.
    """

    strategy: Strategy
    group_limit: Count
    by: str

    def __post_init__(self) -> None:
        if not isinstance(self.strategy, Strategy):
            got = f"got {self.strategy!r:.80}"
            raise ArgumentError("strategy", f"{got}; expected a strategy, such as Padded(batch_size=8)")
        if not isinstance(self.by, str):
            raise ArgumentError("by", f"got {self.by!r:.80}; expected the name of a column per sequence")
        check_fields(self)

    def plan(self, lengths: ArrayLike, groups: ArrayLike, rng: np.random.Generator | None = None) -> Plan:
        """Plan one epoch of the sequences that it draws.

        Args:
            lengths: int (S,), steps of each sequence, each at least 1.
            groups: (S,), whose each sequence is: equal values are one group.
            rng: the only source of chance; by default `epoch_rng(0, 0)`.

        Returns:
            The plan, whose spans are of drawn sequences alone. How many batches it has may differ from epoch to epoch,
            unless the strategy `counts_sequences`.

        Raises:
            ArgumentError: the lengths are no whole numbers from 1, there are not as many groups, or the strategy has
                no batch for one of the lengths; it is a `ValueError`.
        """
        steps, whose = checked_lengths(lengths), np.asarray(groups)
        if whose.shape != steps.shape:
            raise ArgumentError("groups", f"got shape {whose.shape}; expected {steps.shape}, one for each sequence")
        # Whoever is drawn: a run must not fail in a later epoch.
        self.strategy.check_lengths(steps)
        chance = epoch_rng(0, 0) if rng is None else rng
        drawn = draw(np.unique(whose, return_inverse=True)[1], self.group_limit, chance)
        plan = self.strategy.plan(steps[drawn], chance)
        return replace(plan, sequence=drawn[plan.sequence].astype(np.int32))
