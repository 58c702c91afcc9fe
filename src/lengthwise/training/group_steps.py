"""Steps of a network of two levels: its batches are groups, each with the sequences that the plan draws."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from lengthwise.batching.bursts import in_bursts
from lengthwise.batching.collate import collate
from lengthwise.batching.grid import grid_of
from lengthwise.batching.sampled import NestedPlan
from lengthwise.core.nested import PLACE, NestedSequences
from lengthwise.core.sequences import Sequences
from lengthwise.models.group_prediction import group_logits
from lengthwise.models.groups import groups_of
from lengthwise.models.inputs import network_inputs
from lengthwise.models.tasks import TARGETS, TaskColumns, task_columns
from lengthwise.training.step import PreparedBatch, Steps


class GroupSteps(Steps):
    """The compiled steps of a `GroupNetwork`; see `Steps`."""

    def _padded(self, plan: Any, nested: Any, first: int, padding: str) -> Iterator[PreparedBatch]:  # noqa: ANN401
        config = self._network.config
        columns = task_columns(config, nested.inner)
        right = TARGETS[config.task](config, nested.outer)
        return in_bursts(
            lambda number: self._group_batch(plan, number, nested, columns, right, padding), range(first, len(plan))
        )

    def _group_batch(
        self,
        plan: NestedPlan,
        number: int,
        nested: NestedSequences,
        columns: TaskColumns,
        right: np.ndarray,
        padding: str,
    ) -> PreparedBatch:
        outer = grid_of(plan.outer, number, plan.offsets)
        batch = collate(plan.rows_of(number), 0, nested.inner, padding)
        inputs, _ = network_inputs(self._network.config, batch, columns)
        # A row a sequence, in the order of the outer steps.
        inputs = inputs._replace(columns={**inputs.columns, PLACE: outer.ordinals})
        labels = tf.convert_to_tensor(right[outer.sequence])
        return PreparedBatch(tf.nest.map_structure(tf.convert_to_tensor, inputs), labels, len(batch.tokens), False)

    def evaluate_over(self, plan: Any, sequences: Sequences) -> Iterator[np.ndarray]:  # noqa: ANN401
        """Yields (loss, correct, count) of all groups, all of whose sequences are read, once for all K batches."""
        nested = groups_of(sequences)
        logits: Any = group_logits(self._network, nested)  # type: ignore[arg-type]
        right = TARGETS[self._network.config.task](self._network.config, nested.outer)
        figures = np.zeros((len(plan), 3), np.float32)
        figures[-1] = self._figures(tf.constant(logits), tf.constant(right))[1].numpy()
        yield figures
