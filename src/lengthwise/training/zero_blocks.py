"""Vectors as messages without their blocks of zeros: most rows of an embedding have no gradient in a step."""

import numpy as np

# Numbers of a block, as many as a row of a small embedding. Bytes are compared, so that a minus zero stays one.
BLOCK = 64


def without_zeros(vector: np.ndarray) -> bytes:
    """A message of a vector: a bit for each block, and the blocks that are not zero.

    Args:
        vector: float32 (P,).
    """
    blocks = np.zeros(-(-len(vector) // BLOCK) * BLOCK, np.float32)
    blocks[: len(vector)] = vector
    words = blocks.view(np.uint64).reshape(-1, BLOCK // 2)
    there = words.any(axis=1)
    return np.packbits(there).tobytes() + words[there].tobytes()


def with_zeros(message: memoryview, size: int) -> tuple[np.ndarray, memoryview]:
    """The vector of a message, float32 (P,) to the byte, and what follows it.

    Args:
        message: begins with what `without_zeros` made.
        size: P.
    """
    count = -(-size // BLOCK)
    bits = -(-count // 8)
    there = np.unpackbits(np.frombuffer(message[:bits], np.uint8), count=count).astype(bool)
    end = bits + int(there.sum()) * BLOCK * 4
    blocks = np.zeros((count, BLOCK), np.float32)
    blocks[there] = np.frombuffer(message[bits:end], np.float32).reshape(-1, BLOCK)
    return blocks.reshape(-1)[:size], message[end:]
