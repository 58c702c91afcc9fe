"""A convolution over the time of flat rows, by products that its outputs share; see `lengthwise.native.ops`.

Shapes: N steps before and N' behind the convolution, L and L' of the longest row, K taps of the kernel, M items to
read, R products of a tap, F features.
"""

from typing import NamedTuple

import tensorflow as tf

from lengthwise.native.operations import load


class SharedProducts(NamedTuple):
    """Which products the outputs of a convolution are sums of.

    Attributes:
        read: int32 (K, R), the items that each tap reads, each once, as it comes to them; -1 behind the last.
        place: int32 (N', K), which of the K R products an output adds; -1: none.
    """

    read: tf.Tensor
    place: tf.Tensor


def convolution_steps(
    active: tf.Tensor, active_behind: tf.Tensor, *, kernel_size: int, stride: int, before: int
) -> tf.Tensor:
    """Find the steps under the kernel at each of its places. Beside a row's steps is nothing.

    Of the rows [a0 a1 a2] and [c0], with three taps, stride 2 and one step before:

        flat           a0 c0 a1 a2         places of the kernel: . a0 a1   . c0 .   a1 a2 .
        active         2 1 1               active_behind         2 1
                                           found                 -1 0 2    -1 1 -1   2 3 -1

    Args:
        active: int32 (L,), rows that have a step, see `lengthwise.native.ops.RaggedLayout`.
        active_behind: int32 (L',), rows that have an output, in the same order.
        kernel_size: K.
        stride: steps from one place of the kernel to the next.
        before: steps under the kernel before a row's first one.

    Returns:
        The flat steps, int32 (N', K); -1: none.

    Raises:
        tf.errors.InvalidArgumentError: rows do not stand by falling length.
    """
    return load().lengthwise_convolution_steps(
        active, active_behind, kernel_size=kernel_size, stride=stride, before=before
    )


def shared_products(steps: tf.Tensor, index: tf.Tensor, items: tf.Tensor) -> SharedProducts:
    """Find the products of items and taps, each once.

    Args:
        steps: int32 (N', K), see `convolution_steps`.
        index: int32 (N,), the item that each step reads.
        items: int32, M, how many there are.

    Raises:
        tf.errors.InvalidArgumentError: a step or an index is out of range.
    """
    return SharedProducts(*load().lengthwise_shared_products(steps, index, items))


def sum_rows(rows: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
    """Sums of rows of a matrix. The gradient is dense, each row's summed in the order of the sums that it is in.

    Args:
        rows: float32 (M, F).
        which: int32 (N, K), the rows of each sum, in the order in which they are added; those below 0 are none.

    Returns:
        float32 (N, F).

    Raises:
        tf.errors.InvalidArgumentError: there is no such row.
    """
    return load().lengthwise_sum_rows(rows, which)
