"""What is predicted where: the only difference between the article's two models.

classifier   once per sequence, at its last step: "the last relevant output" of the article
seq2seq      at every step that has a token; padded steps do not exist, so no loss has to be masked
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lengthwise.batching.collate import Batch


@dataclass(frozen=True)
class Targets:
    """Where a batch's predictions are made, and what is right there.

    Attributes:
        positions: int32 (P, 2), row and step of each prediction.
        segments: int32 (P,), the place of its span in the batch's `labels` and `sequences`.
        labels: int32 (P,), the joint class that is right.
    """

    positions: np.ndarray
    segments: np.ndarray
    labels: np.ndarray


def at_last_step(batch: Batch) -> Targets:
    """One prediction per sequence."""
    finished = np.flatnonzero(batch.finished)
    return Targets(batch.ends[finished].astype(np.int32), finished.astype(np.int32), batch.labels[finished])


def at_every_step(batch: Batch) -> Targets:
    """One prediction per token."""
    segments = batch.segments[batch.mask]
    return Targets(np.argwhere(batch.mask).astype(np.int32), segments, batch.labels[segments])


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


PREDICTIONS_AT: dict[str, Callable[[Batch], Targets]] = {"classifier": at_last_step, "seq2seq": at_every_step}
