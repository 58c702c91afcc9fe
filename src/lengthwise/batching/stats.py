"""What a plan costs: padding, counted without touching a token."""

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
    computed = int((plan.rows * plan.widths).sum())
    padding = computed - int(plan.steps.sum())
    return PlanStats(
        batches=len(plan),
        padding_per_batch=padding / max(1, len(plan)),
        padding_share=padding / max(1, computed),
        distinct_widths=len(np.unique(plan.widths)),
    )
