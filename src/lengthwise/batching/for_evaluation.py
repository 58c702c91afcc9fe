"""How sequences are batched where nothing is learned from them."""

import numpy as np

from lengthwise.batching.plan import Plan, plan_of_batches
from lengthwise.batching.token_budget import cuts_within_budget

# Steps of a batch: what the native kernel is fastest with; larger ones only take memory.
EVALUATION_STEPS = 32_768


def evaluation_plan(lengths: np.ndarray) -> Plan:
    """Batches by rising length, where padding is least; how they are cut changes no result.

    Args:
        lengths: int (S,), tokens of each sequence; one that is longer than a batch should be has a batch of its own.
    """
    order = np.argsort(lengths, kind="stable")
    budget = max(EVALUATION_STEPS, int(lengths.max(initial=1)))
    begins = np.zeros(len(lengths), np.int64)
    begins[cuts_within_budget(lengths[order], budget)[1:-1]] = 1
    return plan_of_batches(np.cumsum(begins), order, lengths)
