"""A network's predictions for all sequences of a split, each scored exactly once."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from lengthwise.batching.bursts import in_bursts
from lengthwise.batching.collate import Batch, collate
from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.core.nested import NestedSequences
from lengthwise.core.sequences import Sequences
from lengthwise.models.ensemble import Ensemble
from lengthwise.models.group_network import GroupNetwork
from lengthwise.models.group_prediction import group_logits
from lengthwise.models.groups import groups_of, of_each_sequence
from lengthwise.models.inputs import Inputs, network_inputs
from lengthwise.models.network import Network
from lengthwise.models.outputs import together
from lengthwise.models.tasks import NOTHING, Targets, TaskColumns, read_columns, task_columns
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
    """Predict once a sequence, in the order of length, where padding is least.

    Args:
        network: trained, to predict a class of each sequence.
        sequences: of one split.
        what: is done, for the progress; None for no progress.
    """
    if isinstance(network, GroupNetwork):
        return _of_groups(network, sequences, what)
    longest = int(sequences.lengths.max(initial=0))
    predictions = Predictions(
        np.empty((len(sequences), network.config.outputs), np.float32),
        np.zeros(longest, int),
        np.zeros(longest, int),
    )
    columns = task_columns(network.config, sequences)
    for batch, targets, scores in _predicted_batches(network, sequences, columns, what):
        step = targets.positions[:, 1]
        right = scores.argmax(axis=1) == targets.labels
        predictions.step_right[:] += np.bincount(step[right], minlength=longest)
        predictions.step_count[:] += np.bincount(step, minlength=longest)
        # A sequence's predictions stand together, the one at its last step last.
        last = np.flatnonzero(np.diff(targets.segments, append=-1))
        predictions.log_probabilities[batch.sequences] = scores[last]
    return predictions


def _of_groups(network: GroupNetwork, sequences: Sequences, what: str | None) -> Predictions:
    """What a network of groups says of each sequence's group, which is read once, all of its sequences."""
    nested = groups_of(sequences)
    scores = of_each_sequence(nested, sequences, _said_of(network, nested, what))
    last, longest = sequences.lengths - 1, int(sequences.lengths.max(initial=0))
    right = scores.argmax(axis=1) == task_columns(network.config, sequences).target
    return Predictions(scores, np.bincount(last[right], minlength=longest), np.bincount(last, minlength=longest))


def _said_of(network: GroupNetwork, nested: NestedSequences, what: str | None) -> np.ndarray:
    logits = tf.constant(group_logits(network, nested, what))
    return together(network.config.predicts, logits).numpy()


def predict_sequences(network: Network | Ensemble, sequences: Sequences, what: str | None = None) -> np.ndarray:
    """What a network says of each sequence, at its last step, see `lengthwise.models.outputs.together`.

    Of numbers the numbers themselves, in their own scales. No column of what is right is needed.

    Args:
        network: trained.
        sequences: of one step at least each.
        what: is done, for the progress; None for no progress.

    Returns:
        float32 (S, C).
    """
    if isinstance(network, GroupNetwork):
        nested = groups_of(sequences)
        return of_each_sequence(nested, sequences, _said_of(network, nested, what))
    made = np.empty((len(sequences), network.config.outputs), np.float32)
    columns = _without_target(network, sequences)
    for batch, targets, scores in _predicted_batches(network, sequences, columns, what):
        last = np.flatnonzero(np.diff(targets.segments, append=-1))
        made[batch.sequences] = scores[last]
    if network.target_scale is not None:
        made = network.target_scale.restore(made).numpy()
    return made


def predict_steps(network: Network | Ensemble, sequences: Sequences, what: str | None = None) -> np.ndarray:
    """What a network that predicts at every step says of each: log-probabilities, float32 (N, C), in their order."""
    made = np.empty((int(sequences.offsets[-1]), network.config.outputs), np.float32)
    for batch, _, scores in _predicted_batches(network, sequences, _without_target(network, sequences), what):
        made[batch.steps[batch.mask]] = scores
    return made


@dataclass(frozen=True)
class FollowingTokens:
    """What a language model says of N steps, in their order.

    Attributes:
        log_probability: float32 (N,), of the token that follows; 0 at a sequence's last step.
        predicted: int32 (N,), the likeliest token.
    """

    log_probability: np.ndarray
    predicted: np.ndarray


def predict_next(network: Network | Ensemble, sequences: Sequences, what: str | None = None) -> FollowingTokens:
    """How a language model rates the token after each step: what all others get is not kept."""
    columns = task_columns(network.config, sequences)
    count = len(columns.target)
    found = FollowingTokens(np.zeros(count, np.float32), np.zeros(count, np.int32))
    for batch, targets, scores in _predicted_batches(network, sequences, columns, what):
        steps = batch.steps[batch.mask]
        follows = targets.labels != NOTHING
        rated = scores[np.arange(len(scores)), np.maximum(targets.labels, 0)]
        found.log_probability[steps] = np.where(follows, rated, 0)
        found.predicted[steps] = scores.argmax(axis=1)
    return found


def _without_target(network: Network | Ensemble, sequences: Sequences) -> TaskColumns:
    """What is read of sequences of which nobody knows what is right."""
    unknown = np.full(max(len(sequences), int(sequences.offsets[-1])), NOTHING, np.int32)
    return TaskColumns(unknown, read_columns(network.config, sequences))


def _predicted_batches(
    network: Network | Ensemble, sequences: Sequences, columns: TaskColumns, what: str | None
) -> Iterator[tuple[Batch, Targets, np.ndarray]]:
    """Batches of all sequences by length, with what is right and what is predicted in each."""
    plan = evaluation_plan(sequences.lengths)

    def prepare(number: int) -> tuple[Batch, Inputs, Targets]:
        batch = collate(plan, number, sequences)
        return batch, *network_inputs(network.config, batch, columns)

    name = f"{what} {network.config.task}"
    with Progress(name, int(sequences.offsets[-1]), "tokens") if what else nullcontext() as progress:
        batches = in_bursts(prepare, range(len(plan)))
        for tokens, (batch, inputs, targets) in zip(plan.steps.tolist(), batches, strict=True):
            yield batch, targets, network.predict_batch(inputs)
            if progress:
                progress.update(tokens)
