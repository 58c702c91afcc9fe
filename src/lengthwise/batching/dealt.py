"""A plan whose batches are dealt to logical shards: parts of a fixed number, whoever computes them.

What depends on the parts of a batch, such as the order of sums, then depends on no number of machines or threads.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lengthwise.batching.plan import Plan
from lengthwise.core.ragged import places_in_runs


@dataclass(frozen=True)
class DealtPlan(Plan):
    """The parts of all batches as batches of their own: part s of batch b is number b * shards + s.

    A part may have no row: it must not be asked for, see `holds`.

    Attributes:
        batches: of the plan that was dealt, times `shards`.
    """

    batches: int = 0

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where each part's spans begin: int64 (batches + 1,)."""
        return np.searchsorted(self.batch, np.arange(self.batches + 1))

    def holds(self, part: int) -> bool:
        """Whether a part has a row."""
        return bool(self.offsets[part] < self.offsets[part + 1])


def deal(plan: Plan, shards: int) -> DealtPlan:
    """Deal the rows of every batch.

    Rows of 9, 2, 5 and 4 steps to two shards, by length: 9 and 4 to the first, 5 and 2 to the second.

    Where a plan carries states from batch to batch, row i goes to shard i modulo `shards`, so that a lane stays with
    its shard; elsewhere the longest rows are dealt first, so that all shards have nearly as many steps.

    Args:
        plan: of an epoch.
        shards: how many, from 1.
    """
    batch, row, steps, of_span = _rows(plan)
    if plan.start.any():
        rank = row
    else:
        order = np.lexsort((row, -steps, batch))
        rank = np.empty_like(row)
        rank[order] = places_in_runs(batch)
    part = batch.astype(np.int64) * shards + rank % shards
    by_part = np.argsort(part, kind="stable")
    within = np.empty_like(row)
    within[by_part] = places_in_runs(part[by_part])
    spans = np.argsort(part[of_span], kind="stable")
    columns = {name: getattr(plan, name)[spans] for name in ("sequence", "start", "stop", "column")}
    return DealtPlan(
        **columns,
        batch=part[of_span][spans],
        row=within[of_span][spans],
        least_width=plan.least_width,
        batches=len(plan) * shards,
    )


def _rows(plan: Plan) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each row its batch, its number and its steps, and of each span the place of its row among them."""
    begins = (np.diff(plan.batch, prepend=-1) != 0) | (np.diff(plan.row, prepend=-1) != 0)
    of_span = np.cumsum(begins) - 1
    steps = np.bincount(of_span, plan.stop - plan.start).astype(np.int64)
    return plan.batch[begins], plan.row[begins], steps, of_span
