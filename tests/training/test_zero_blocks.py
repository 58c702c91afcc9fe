import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.training.zero_blocks import BLOCK, with_zeros, without_zeros

SPECIAL = np.float32([0.0, -0.0, np.nan, np.inf, 1e-45, 3.5])


@given(data=st.data(), size=st.integers(0, 5 * BLOCK + 3))
def test_vectors_come_back_to_the_byte(data, size):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    there = rng.random(size) < data.draw(st.sampled_from([0.0, 0.01, 1.0]))
    vector = np.where(there, rng.choice(SPECIAL, size), np.float32(0))
    found, rest = with_zeros(memoryview(without_zeros(vector) + b"rest"), size)
    assert found.tobytes() == vector.tobytes()
    assert bytes(rest) == b"rest"


def test_rows_without_a_gradient_take_a_bit():
    vector = np.zeros(1000 * BLOCK, np.float32)
    vector[BLOCK * 7] = 1
    assert len(without_zeros(vector)) == 125 + 4 * BLOCK
