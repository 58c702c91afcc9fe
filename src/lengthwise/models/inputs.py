"""What a network reads of a batch, and where it predicts."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lengthwise.batching.collate import Batch
from lengthwise.layers.front_end import behind_convolution, output_lengths, steps_at
from lengthwise.models.config import NetworkConfig
from lengthwise.models.tasks import Targets, TaskColumns, shortened, targets_of
from lengthwise.native.ops import FlatBatch


class Inputs(NamedTuple):
    """What a network reads.

    Attributes:
        tokens: int32 (B, T).
        mask: bool (B, T), true where there is a token.
        resets: bool (B, T), true where a sequence begins.
        positions: int32 (P, 2), row and step of each prediction.
        columns: what is read beside tokens, by name: `affixes` int32 (B, T, 4), `features` float32 (B, T, D).
    """

    tokens: tf.Tensor
    mask: tf.Tensor
    resets: tf.Tensor
    positions: tf.Tensor
    columns: Mapping[str, tf.Tensor] = {}


# For `tf.function`: traced once, whatever the rows and widths. Of a network that reads tokens alone.
INPUTS_SIGNATURE = Inputs(
    tf.TensorSpec((None, None), tf.int32, "tokens"),
    tf.TensorSpec((None, None), tf.bool, "mask"),
    tf.TensorSpec((None, None), tf.bool, "resets"),
    tf.TensorSpec((None, 2), tf.int32, "positions"),
)


def network_inputs(config: NetworkConfig, batch: Batch, columns: TaskColumns | None = None) -> tuple[Inputs, Targets]:
    """What a network reads of a batch, and what it has to predict where.

    Args:
        config: of the network.
        batch: of a plan over some sequences.
        columns: of these sequences; None for tokens alone, and the batch's own labels.
    """
    there = batch
    if config.front_end == "conv1d":
        there = shortened(batch, output_lengths(batch.lengths, config.kernel, config.stride, config.conv_padding))
    targets = targets_of(config.task, there, None if columns is None else columns.target)
    read = {} if columns is None else {name: _at_steps(of, batch) for name, of in columns.inputs.items()}
    return Inputs(batch.tokens, batch.mask, batch.resets, targets.positions, read), targets


def flat_inputs(config: NetworkConfig, batch: FlatBatch) -> FlatBatch:
    """A flat batch of which `read` and `labels` are of the steps that the recurrent layers read.

    Args:
        config: of the network.
        batch: of a plan; in front of a convolution one whole sequence a row.
    """
    if config.front_end != "conv1d":
        return batch
    behind = behind_convolution(batch.layout, config.kernel, config.stride, config.conv_padding)
    there = tf.sequence_mask(behind.active, tf.size(behind.order))
    if batch.read is None:
        # A row's first step stands at the row's own place.
        return batch._replace(labels=tf.gather(batch.labels, tf.where(there)[:, 1]))
    lengths = tf.gather(tf.reduce_sum(tf.cast(there, tf.int32), axis=0), tf.math.invert_permutation(behind.order))
    ends = tf.stack([tf.range(tf.size(lengths)), lengths - 1], axis=1)
    return batch._replace(read=steps_at(behind, ends))


def _at_steps(values: np.ndarray, batch: Batch) -> np.ndarray:
    """A column (N, ...) in the rows of a batch, 0 at padding."""
    rows = values[batch.steps]
    rows[~batch.mask] = 0
    return rows
