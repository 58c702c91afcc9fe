"""What is predicted where, and what is right there: all that makes one task another.

classifier       once per sequence, at its last step: "the last relevant output" of the article
seq2seq          the same at every step that there is; padded steps do not exist, so no loss has to be masked
tagger           at every step, a class of its own
regressor        once per sequence, at its last step: numbers
language_model   at every step but a sequence's last: the token of the step after
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lengthwise.batching.collate import Batch
from lengthwise.core.names import EVERY_STEP_TASKS, STEP_TASKS, Task
from lengthwise.core.sequences import AFFIXES, LABEL, LABELS, NUMBERS, TOKENS, Sequences
from lengthwise.errors import ArgumentError
from lengthwise.models.config import Purpose

# In the place of a class: there is nothing to predict.
NOTHING = -1


@dataclass(frozen=True)
class TaskColumns:
    """What a network reads of the steps of some sequences beside their tokens, and what it has to predict.

    Attributes:
        inputs: by name, (N, ...): `affixes` int32 (N, 4) and `features` float32 (N, D), where it reads them.
        target: what is right: int32 (N,) of steps that have a target of their own; else of sequences: int32 (S,), or
            of several labels int32 (S, L), or of numbers float32 (S, K).
    """

    target: np.ndarray
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)


def task_columns(purpose: Purpose, sequences: Sequences) -> TaskColumns:
    """The columns of sequences that a network for a purpose reads.

    Raises:
        ArgumentError: the sequences lack a column; it is a `ValueError`.
    """
    return TaskColumns(TARGETS[purpose.task](purpose, sequences), read_columns(purpose, sequences))


def read_columns(purpose: Purpose, sequences: Sequences) -> dict[str, np.ndarray]:
    """What a network reads of steps beside their tokens, by name: the features of several columns are one."""
    inputs: dict[str, np.ndarray] = {}
    if purpose.affixes is not None:
        inputs[AFFIXES] = _column(sequences, AFFIXES).astype(np.int32, copy=False)
    if purpose.features:
        columns = [_column(sequences, name) for name in purpose.feature_columns]
        flat = [column.reshape(len(column), -1).astype(np.float32, copy=False) for column in columns]
        inputs["features"] = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
    return inputs


def next_tokens(sequences: Sequences) -> np.ndarray:
    """The token after each step, `NOTHING` at the last of a sequence: int32 (N,)."""
    tokens = _column(sequences, TOKENS)
    following = np.append(tokens[1:], NOTHING).astype(np.int32)
    ends = sequences.offsets[1:][sequences.lengths > 0] - 1
    following[ends] = NOTHING
    return following


def _labels(purpose: Purpose, sequences: Sequences) -> np.ndarray:
    if purpose.several:
        return _column(sequences, LABELS).astype(np.int32, copy=False)
    if LABEL not in sequences.per_sequence:
        return np.full(len(sequences), NOTHING, np.int32)
    return sequences[LABEL].astype(np.int32, copy=False)


def _column(sequences: Sequences, name: str) -> np.ndarray:
    try:
        return sequences[name]
    except KeyError:
        known = ", ".join(sequences.names)
        raise ArgumentError("sequences", f"have no column {name!r}; expected it beside {known}") from None


TARGETS: dict[str, Callable[[Purpose, Sequences], np.ndarray]] = {
    "classifier": _labels,
    "seq2seq": _labels,
    "tagger": lambda purpose, sequences: _column(sequences, purpose.tag_column).astype(np.int32, copy=False),
    "regressor": lambda _, sequences: _column(sequences, NUMBERS).astype(np.float32),
    "language_model": lambda _, sequences: next_tokens(sequences),
}


@dataclass(frozen=True)
class Targets:
    """Where a batch's predictions are made, and what is right there.

    Attributes:
        positions: int32 (P, 2), row and step of each prediction.
        segments: int32 (P,), the place of its span in the batch's `labels` and `sequences`.
        labels: (P,) or (P, K), what is right, see `TaskColumns`.
    """

    positions: np.ndarray
    segments: np.ndarray
    labels: np.ndarray


def targets_of(task: Task, batch: Batch, target: np.ndarray | None = None) -> Targets:
    """Where the predictions of a batch are made, and what is right there.

    Args:
        task: whose.
        batch: of a plan.
        target: of all sequences, see `TaskColumns`; None for the batch's own labels.

    Raises:
        ArgumentError: steps have a target of their own, and there is none; it is a `ValueError`.
    """
    if target is None and task in STEP_TASKS:
        raise ArgumentError("target", f"is None; expected one for each step, as {task} predicts them")
    if target is not None and task in STEP_TASKS:
        segments = batch.segments[batch.mask]
        return Targets(np.argwhere(batch.mask).astype(np.int32), segments, target[batch.steps[batch.mask]])
    of_spans = batch.labels if target is None else target[batch.sequences]
    if task in EVERY_STEP_TASKS:
        segments = batch.segments[batch.mask]
        return Targets(np.argwhere(batch.mask).astype(np.int32), segments, of_spans[segments])
    finished = np.flatnonzero(batch.finished)
    return Targets(batch.ends[finished].astype(np.int32), finished.astype(np.int32), of_spans[finished])


def shortened(batch: Batch, lengths: np.ndarray) -> Batch:
    """A batch as it stands behind a layer that makes fewer steps of each row: predictions are made at those.

    Args:
        batch: one sequence a row, padded at the end.
        lengths: int (B,), steps that are left of each row.
    """
    mask = np.arange(int(lengths.max())) < lengths[:, np.newaxis]
    return replace(
        batch,
        mask=mask,
        lengths=lengths,
        segments=np.where(mask, batch.segments[:, :1], -1),
        ends=np.stack([np.arange(len(lengths)), lengths - 1], axis=1),
    )
