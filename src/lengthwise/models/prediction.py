"""A network's predictions for all sequences of a split, each scored exactly once."""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from lengthwise.batching.bursts import in_bursts
from lengthwise.batching.collate import Batch, collate
from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.models.ensemble import Ensemble
from lengthwise.models.network import Inputs, Network, network_inputs
from lengthwise.models.tasks import Targets
from lengthwise.sequences import Sequences
from lengthwise.system.progress import Progress


@dataclass(frozen=True)
class Predictions:
    """What a network says of S sequences.

    Attributes:
        log_probabilities: float32 (S, C), at each sequence's last step, in the sequences' order.
        step_right: int64 (T,), right predictions at each time step; the classifier makes one at the last step only.
        step_count: int64 (T,), predictions at each time step.
    """

    log_probabilities: np.ndarray
    step_right: np.ndarray
    step_count: np.ndarray


def predict_split(network: Network | Ensemble, sequences: Sequences, what: str | None = "evaluate") -> Predictions:
    """Predict in the order of length, where padding is least.

    Args:
        network: trained.
        sequences: of one split.
        what: is done, for the progress; None for no progress.
    """
    lengths = sequences.lengths
    plan = evaluation_plan(lengths)
    longest = int(lengths.max(initial=0))
    predictions = Predictions(
        np.empty((len(lengths), network.config.classes), np.float32),
        np.zeros(longest, int),
        np.zeros(longest, int),
    )

    def prepare(number: int) -> tuple[Batch, Inputs, Targets]:
        batch = collate(plan, number, sequences)
        return batch, *network_inputs(network.config, batch)

    name = f"{what} {network.config.task}"
    with Progress(name, int(lengths.sum()), "tokens") if what else nullcontext() as progress:
        batches = in_bursts(prepare, range(len(plan)))
        for tokens, (batch, inputs, targets) in zip(plan.steps.tolist(), batches, strict=True):
            scores = network.log_probabilities(inputs)
            step = targets.positions[:, 1]
            right = scores.argmax(axis=1) == targets.labels
            predictions.step_right[:] += np.bincount(step[right], minlength=longest)
            predictions.step_count[:] += np.bincount(step, minlength=longest)
            # A sequence's predictions stand together, the one at its last step last.
            last = np.flatnonzero(np.diff(targets.segments, append=-1))
            predictions.log_probabilities[batch.sequences] = scores[last]
            if progress:
                progress.update(tokens)
    return predictions
