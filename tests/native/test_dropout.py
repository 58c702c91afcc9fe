import keras
import numpy as np
import pytest
import tensorflow as tf

from lengthwise.layers.dropout import Dropout
from lengthwise.native.ops import dropout

pytestmark = pytest.mark.native

PHILOX = 1


def kept(count, seed, rate):
    # Which of `count` values are kept, from TensorFlow's own generator: the words of 16 counters stand in 64 places.
    counters = -(-count // 64) * 16
    key = tf.constant([(seed[1] % 2**32) << 32 | seed[0] % 2**32], tf.uint64)
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[counters * 4], key=key, counter=tf.zeros(2, tf.uint64), alg=PHILOX, dtype=tf.uint32
    )
    words = words.numpy().reshape(-1, 16, 4).transpose(0, 2, 1).reshape(-1)[:count]
    return words < (1 - np.float64(np.float32(rate))) * 2.0**32


@pytest.mark.parametrize("seed", [(0, 0), (1, 2), (-1, 2**31 - 1), (-(2**31), 7)])
@pytest.mark.parametrize("shape", [(), (1,), (63,), (64,), (65,), (3, 5, 7), (100_003,), (0, 4)])
@pytest.mark.parametrize("rate", [0.0, 0.4, 0.999])
def test_dropout_keeps_what_the_generator_says(seed, shape, rate):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = np.where(kept(values.size, seed, rate).reshape(shape), values / np.float32(1 - rate), 0)
    np.testing.assert_allclose(dropout(values, tf.constant(seed), rate), expected, rtol=1e-4)


def test_dropout_gradient_passes_where_a_value_is_kept():
    values, above = (np.random.default_rng(seed).normal(size=(50, 7)).astype(np.float32) for seed in (0, 1))
    source = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(source)
        dropped = dropout(source, tf.constant([3, 4]), 0.3)
    np.testing.assert_allclose(tape.gradient(dropped, source, above), above * dropped / values, rtol=1e-5)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_dropout_refuses_a_rate_that_is_no_share(rate):
    with pytest.raises(tf.errors.InvalidArgumentError, match="rate"):
        dropout(tf.ones(3), tf.constant([1, 2]), rate)


@pytest.mark.parametrize("seed", [[1], [1, 2, 3], [[1, 2]]])
def test_dropout_refuses_a_seed_of_another_shape(seed):
    with pytest.raises(tf.errors.InvalidArgumentError, match="seed"):
        dropout(tf.ones(3), tf.constant(seed), 0.5)


def test_dropout_layer_draws_anew_at_each_call_and_the_same_from_the_same_seed():
    one, other = (Dropout(0.5, native=True, seed=3) for _ in range(2))
    values = tf.ones((40, 40))
    first, second = one(values, training=True).numpy(), one(values, training=True).numpy()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(other(values, training=True), first)
    assert set(np.unique(first)) == {0.0, 2.0}
    assert abs(first.mean() - 1) < 0.1
    for still in (Dropout(0.0, native=True)(values, training=True), one(values)):
        np.testing.assert_array_equal(still, values)


def test_dropout_layer_without_the_native_kernel_is_that_of_keras():
    ours, theirs = (kind(0.5, seed=3) for kind in (Dropout, keras.layers.Dropout))
    values = tf.ones((10, 10))
    np.testing.assert_array_equal(ours(values, training=True), theirs(values, training=True))


def test_dropout_layer_survives_its_configuration_and_refuses_what_it_does_not_compute():
    layer = Dropout.from_config(Dropout(0.25, native=True, seed=1).get_config())
    assert (layer.rate, layer.native, layer.seed) == (0.25, True, 1)
    with pytest.raises(ValueError, match="noise_shape"):
        Dropout(0.5, native=True, noise_shape=(None, 1))
