"""A batch of token ids and labels: a plan and its sequences to arrays, which `grid` pads."""

from dataclasses import dataclass

import numpy as np

from lengthwise.batching.grid import grid_of
from lengthwise.batching.plan import Plan
from lengthwise.core.sequences import LABEL, PAD_ID, TOKENS, Sequences


@dataclass(frozen=True)
class Batch:
    """B rows of T steps. What is padding is known from the spans, never from a token's id.

    Attributes:
        tokens: int32 (B, T), `PAD_ID` where there is none.
        lengths: int32 (B,), steps of each row from its first token to its last.
        mask: bool (B, T), true where there is a token.
        resets: bool (B, T), true exactly where a sequence begins: the state before that step is the initial one.
        segments: int32 (B, T), the place of the step's span in `labels` and `sequences`; -1 where there is none.
        labels: int32 (S,), the label of each span; -1 where the sequences have none.
        sequences: int32 (S,), which sequence each span is of.
        ends: int32 (S, 2), row and step of each span's last token.
        finished: bool (S,), whether a span ends its sequence.
        continues: whether a row goes on from the batch before.
        steps: int64 (B, T), which of all steps of the sequences stands there; 0 where there is none.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    mask: np.ndarray
    resets: np.ndarray
    segments: np.ndarray
    labels: np.ndarray
    sequences: np.ndarray
    ends: np.ndarray
    finished: np.ndarray
    continues: bool
    steps: np.ndarray


def collate(plan: Plan, batch: int, sequences: Sequences, padding: str = "post") -> Batch:
    """Fill one batch of a plan.

    Two sequences [7, 8] and [9] in one row, [5] in the next:

        tokens    7 8 9      segments   0  0 1      resets   1 0 1
                  5 0 0                 2 -1 -1              1 0 0

    Args:
        plan: of an epoch over `sequences`.
        batch: its number, from 0.
        sequences: what the plan's spans are of.
        padding: `post`, after a row's tokens, or `pre`, before them.
    """
    grid = grid_of(plan, batch, sequences.offsets, padding)
    return Batch(
        # Padding is 0, which is `PAD_ID`.
        tokens=_wide(grid.of_steps(tokens_of(sequences))),
        lengths=grid.lengths,
        mask=grid.mask,
        resets=grid.resets,
        segments=grid.segments,
        labels=_wide(_labels(sequences)[grid.sequence]),
        sequences=grid.sequence,
        ends=np.stack([grid.row, grid.column + grid.count - 1], axis=1),
        finished=grid.finished,
        continues=not (grid.start == 0).all(),
        steps=grid.fill(grid.steps),
    )


def tokens_of(sequences: Sequences) -> np.ndarray:
    """The tokens of all steps, (N,): of sequences that have none, `PAD_ID`."""
    if TOKENS in sequences.per_step:
        return sequences[TOKENS]
    return np.broadcast_to(np.int32(PAD_ID), int(sequences.offsets[-1]))


def _labels(sequences: Sequences) -> np.ndarray:
    unknown = np.broadcast_to(np.int32(-1), len(sequences))
    return sequences[LABEL] if LABEL in sequences.per_sequence else unknown


def _wide(values: np.ndarray) -> np.ndarray:
    """int32, unless numbers are wider than that."""
    return values.astype(np.promote_types(values.dtype, np.int32), copy=False)
