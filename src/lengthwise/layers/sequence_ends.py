"""Where the sequences of a packed row end: a layer that goes backwards begins there."""

import keras
import tensorflow as tf

from lengthwise.errors import ArgumentError


def sequence_ends(resets: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Where sequences end, which is where a layer that goes backwards has to reset.

        tokens   7 8 9 0      resets   1 0 1 0      ends   0 1 1 0

    >>> import numpy as np
    >>> import lengthwise as lw
    >>> tokens, resets = np.array([[7, 8, 9, 0]]), np.array([[True, False, True, False]])
    >>> np.asarray(lw.sequence_ends(resets, tokens > 0)).astype(int).tolist()
    [[0, 1, 1, 0]]

    Args:
        resets: bool (B, T), where sequences begin; an array, a tensor, or an input of a functional model.
        mask: bool (B, T), where there is a token.

    Returns:
        bool (B, T).

    Raises:
        ArgumentError: the shapes differ, or are not of rows of steps; it is a `ValueError`.
    """
    if (
        len(mask.shape) != 2
        or len(resets.shape) != 2
        or any(None not in pair and pair[0] != pair[1] for pair in zip(resets.shape, mask.shape, strict=True))
    ):
        got = f"got the shapes {tuple(resets.shape)} and {tuple(mask.shape)}"
        raise ArgumentError("resets, mask", f"{got}; expected the same (B, T) twice")
    goes_on = keras.ops.logical_and(mask[:, 1:], keras.ops.logical_not(resets[:, 1:]))
    # No step goes on behind the last one.
    goes_on = keras.ops.concatenate([goes_on, keras.ops.zeros_like(mask[:, :1])], axis=1)
    return keras.ops.logical_and(mask, keras.ops.logical_not(goes_on))
