"""What a plan costs: padding, counted without touching a token."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lengthwise.batching.plan import Plan


@dataclass(frozen=True)
class PlanStats:
    """An epoch's cost.

    Attributes:
        batches: steps of the optimizer.
        padding_per_batch: padded steps, the article's "zeros", mean over all batches.
        padding_share: of all steps computed, those without a token, in [0, 1].
        distinct_widths: how many widths a batch may have.
    """

    batches: int
    padding_per_batch: float
    padding_share: float
    distinct_widths: int


def plan_stats(plan: Plan) -> PlanStats:
    """Count a plan's padding."""
    return stats_of_plans([plan])


def stats_of_plans(plans: Iterable[Plan]) -> PlanStats:
    """Count the padding of an epoch that is planned in parts."""
    batches = computed = steps = 0
    widths = np.zeros(0, np.int64)
    for plan in plans:
        batches += len(plan)
        computed += int((plan.rows * plan.widths).sum())
        steps += int(plan.steps.sum())
        widths = np.union1d(widths, plan.widths)
    return PlanStats(
        batches=batches,
        padding_per_batch=(computed - steps) / max(1, batches),
        padding_share=(computed - steps) / max(1, computed),
        distinct_widths=len(widths),
    )
