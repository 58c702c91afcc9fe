import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.core.names import ATTENTION_READOUTS, READOUTS
from lengthwise.models.readout import POOLS, AttentionReadout, flat_sequences, padded_sequences, pool
from lengthwise.native.ops import ragged_layout

MEAN, MAX = keras.layers.GlobalAveragePooling1D(), keras.layers.GlobalMaxPooling1D()


def random_rows(seed, rows=5, width=9):
    # Rows with gaps anywhere, some empty, several sequences in a row; the first may go on from a batch before.
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, width)) < rng.random()
    resets = rng.random((rows, width)) < 0.3
    return mask, resets


def sequence_numbers(mask, resets):
    # (row, step) -> a name of its sequence; a reset that is left out is due at the row's next step.
    found = {}
    for row in range(len(mask)):
        begun = 0
        for step in range(mask.shape[1]):
            begun += resets[row, step]
            if mask[row, step]:
                found[row, step] = (row, begun)
    return found


def same_partition(numbers, names):
    return len(set(zip(numbers, names, strict=True))) == len(set(numbers)) == len(set(names))


@pytest.mark.parametrize("seed", range(50))
def test_padded_sequences_are_those_of_the_mask_and_the_resets(seed):
    mask, resets = random_rows(seed)
    found = padded_sequences(tf.constant(mask), tf.constant(resets)).numpy().reshape(mask.shape)
    assert np.array_equal(found >= 0, mask)
    expected = sequence_numbers(mask, resets)
    # A row's first steps are one sequence, whether a reset stands before them or not.
    names = [(row, begun - bool(resets[row, 0])) for (row, _), (_, begun) in expected.items()]
    assert same_partition([int(found[place]) for place in expected], names)


@pytest.mark.native
@pytest.mark.parametrize("seed", range(50))
def test_flat_sequences_are_the_padded_ones_in_the_flat_order(seed):
    mask, resets = random_rows(seed)
    layout, places = ragged_layout(tf.constant(mask), tf.constant(resets))
    padded = padded_sequences(tf.constant(mask), tf.constant(resets)).numpy()
    found = flat_sequences(layout).numpy()
    assert len(found) == mask.sum()
    assert same_partition(found.tolist(), padded[places.steps.numpy()].tolist())
    assert sorted(set(found.tolist())) == list(range(len(set(found.tolist()))))


@pytest.mark.parametrize(
    ("readout", "stock"),
    [("mean", MEAN), ("max", MAX), ("mean_max", lambda rows: tf.concat([MEAN(rows), MAX(rows)], axis=-1))],
)
@pytest.mark.parametrize("seed", range(5))
def test_pool_is_what_keras_pools_of_each_sequence_alone(readout, stock, seed):
    rng = np.random.default_rng(seed)
    sequence = rng.integers(-1, 4, 30)
    outputs = tf.constant(rng.normal(size=(30, 3)).astype(np.float32))
    at = np.array([np.flatnonzero(sequence == number)[-1] for number in (2, 0, 3)])
    weights = rng.normal(size=(3, 6 if readout == "mean_max" else 3)).astype(np.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(outputs)
        ours = pool(readout, outputs, tf.constant(sequence, tf.int32), tf.constant(at, tf.int32))
        theirs = tf.concat(
            [stock(tf.boolean_mask(outputs, sequence == number)[tf.newaxis]) for number in (2, 0, 3)], axis=0
        )
        sums = [tf.reduce_sum(pooled * weights) for pooled in (ours, theirs)]
    assert_close(ours, theirs)
    gradients = [tf.convert_to_tensor(tape.gradient(total, outputs)).numpy() for total in sums]
    assert_close(*gradients)
    assert not gradients[0][sequence == -1].any()


def attended_alone(layer, outputs):
    # One sequence, as the papers write it.
    hidden = tf.tanh(outputs @ layer.kernel + layer.bias)
    if hasattr(layer, "gate_kernel"):
        hidden *= tf.sigmoid(outputs @ layer.gate_kernel + layer.gate_bias)
    return tf.reduce_sum(tf.nn.softmax(hidden @ layer.context, axis=0) * outputs, axis=0)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_attention_is_that_of_each_sequence_alone(gated, seed):
    rng = np.random.default_rng(seed)
    sequence = np.concatenate([rng.integers(-1, 4, 30), [0, 2, 3]])
    # Large ones make weights that a plain exponential could not hold.
    outputs = tf.constant(rng.normal(0, 1 + 30 * (seed == 4), (33, 3)).astype(np.float32))
    at = np.array([np.flatnonzero(sequence == number)[-1] for number in (2, 0, 3)])
    target = rng.normal(size=(3, 3)).astype(np.float32)
    layer = AttentionReadout(gated)
    layer.build(outputs.shape)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) * (1 + 50 * (seed == 4)))
    watched = [outputs, *(variable.value for variable in layer.trainable_variables)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(watched)
        ours = layer(outputs, tf.constant(sequence, tf.int32), tf.constant(at, tf.int32))
        theirs = [attended_alone(layer, tf.boolean_mask(outputs, sequence == number)) for number in (2, 0, 3)]
        sums = [tf.reduce_sum(pooled * target) for pooled in (ours, tf.stack(theirs))]
    assert_close(ours, tf.stack(theirs))
    for own, other in zip(*(tape.gradient(total, watched) for total in sums), strict=True):
        assert_close(own, other)
    assert not tape.gradient(sums[0], outputs).numpy()[sequence == -1].any()


def test_mean_of_a_long_sequence_keeps_its_digits():
    steps = 20_000
    outputs = tf.fill([steps, 1], 0.1)
    (mean,) = pool("mean", outputs, tf.zeros(steps, tf.int32), tf.constant([steps - 1])).numpy()[:, 0]
    assert mean == pytest.approx(0.1, rel=1e-3)


def test_pools_are_the_readouts_but_the_last_step():
    assert sorted([*POOLS, *ATTENTION_READOUTS, "last"]) == sorted(READOUTS)
