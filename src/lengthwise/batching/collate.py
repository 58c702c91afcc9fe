"""The only place that pads: a plan and its sequences to the arrays of a batch."""

from dataclasses import dataclass

import numpy as np

from lengthwise.batching.plan import Plan
from lengthwise.ragged import ranges
from lengthwise.sequences import LABEL, PAD_ID, TOKENS, Sequences


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
    spans = slice(plan.offsets[batch], plan.offsets[batch + 1])
    sequence, start, row, column = (
        plan.sequence[spans],
        plan.start[spans],
        plan.row[spans],
        plan.column[spans],
    )
    count = plan.stop[spans] - start
    shape = (int(row[-1]) + 1, max(int((column + count).max()), plan.least_width))
    lengths = np.zeros(shape[0], np.int32)
    np.maximum.at(lengths, row, column + count)
    if padding == "pre":
        column = column + (shape[1] - lengths)[row]
    place = ranges(row.astype(np.int64) * shape[1] + column, count)

    tokens = np.full(shape, PAD_ID, np.int32)
    tokens.flat[place] = sequences[TOKENS][ranges(sequences.offsets[sequence] + start, count)]
    mask = np.zeros(shape, bool)
    mask.flat[place] = True
    segments = np.full(shape, -1, np.int32)
    segments.flat[place] = np.repeat(np.arange(len(sequence), dtype=np.int32), count)
    resets = np.zeros(shape, bool)
    fresh = start == 0
    resets[row[fresh], column[fresh]] = True
    return Batch(
        tokens=tokens,
        lengths=lengths,
        mask=mask,
        resets=resets,
        segments=segments,
        labels=_labels(sequences)[sequence].astype(np.int32),
        sequences=sequence,
        ends=np.stack([row, column + count - 1], axis=1),
        finished=start + count == sequences.offsets[sequence + 1] - sequences.offsets[sequence],
        continues=not fresh.all(),
    )


def _labels(sequences: Sequences) -> np.ndarray:
    unknown = np.broadcast_to(np.int32(-1), len(sequences))
    return sequences[LABEL] if LABEL in sequences.per_sequence else unknown
