"""What a network of two levels says of groups, all of whose sequences it reads, in memory that is bounded."""

from contextlib import nullcontext

import numpy as np

from lengthwise.batching.bursts import in_bursts
from lengthwise.batching.collate import Batch, collate
from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.batching.grid import grid_of
from lengthwise.core.nested import NestedSequences
from lengthwise.models.group_network import GroupNetwork
from lengthwise.models.inputs import Inputs, network_inputs
from lengthwise.models.tasks import NOTHING, Targets, TaskColumns, read_columns
from lengthwise.system.progress import Progress


def group_logits(network: GroupNetwork, nested: NestedSequences, what: str | None = None) -> np.ndarray:
    """What it says of each group, in their order: float32 (A, C).

    Sequences are read by rising length, whoever they belong to, in batches as evaluation has them. What stays in
    memory of a sequence is what was said of it.

    Args:
        network: trained.
        nested: groups of sequences.
        what: is done, for the progress; None for no progress.
    """
    said = _said(network, nested, what)
    logits = np.empty((len(nested), network.config.outputs), np.float32)
    plan = evaluation_plan(nested.outer.lengths)
    for number in range(len(plan)):
        grid = grid_of(plan, number, nested.outer.offsets)
        logits[grid.sequence] = network.judge(said[grid.steps], grid.ordinals)
    return logits


def _said(network: GroupNetwork, nested: NestedSequences, what: str | None) -> np.ndarray:
    """What is said of each sequence: float32 (S, D)."""
    inner, config = nested.inner, network.config
    # Nobody knows here what is right.
    columns = TaskColumns(np.full(len(inner), NOTHING, np.int32), read_columns(config, inner))
    plan = evaluation_plan(inner.lengths)

    def prepare(number: int) -> tuple[Batch, Inputs, Targets]:
        batch = collate(plan, number, inner)
        return batch, *network_inputs(config, batch, columns)

    said = np.empty((len(inner), network.said_size), np.float32)
    name = f"{what} {config.task}"
    with Progress(name, int(inner.offsets[-1]), "tokens") if what else nullcontext() as progress:
        batches = in_bursts(prepare, range(len(plan)))
        for tokens, (batch, inputs, targets) in zip(plan.steps.tolist(), batches, strict=True):
            said[batch.sequences[targets.segments]] = network.say(inputs)
            if progress:
                progress.update(tokens)
    return said
