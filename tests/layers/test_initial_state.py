import keras
import numpy as np
import pytest
import tensorflow as tf

from lengthwise.layers.initial_state import LearnedInitialState


def test_learned_initial_state_begins_at_zeros_and_repeats_for_every_row():
    layer = LearnedInitialState(3)
    assert np.array_equal(layer(tf.zeros((4, 7), tf.int32)), np.zeros((4, 3)))
    layer.state.assign([[1.0, 2.0, 3.0]])
    assert np.array_equal(layer(tf.zeros((2, 7), tf.int32)), [[1.0, 2.0, 3.0]] * 2)
    assert layer(tf.zeros((0, 7), tf.int32)).shape == (0, 3)


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 2, 3)])
def test_learned_initial_state_reads_only_the_number_of_rows(shape):
    layer = LearnedInitialState(2)
    layer(np.zeros(shape))
    layer.state.assign([[0.5, -0.5]])
    assert np.array_equal(layer(np.full(shape, np.nan)), [[0.5, -0.5]] * 5)


def test_learned_initial_state_gets_the_sum_of_all_rows_gradients():
    layer = LearnedInitialState(3)
    rows = tf.zeros((4, 1))
    layer(rows)
    factors = tf.constant(np.arange(12, dtype=np.float32).reshape(4, 3))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(rows) * factors)
    gradient = tape.gradient(loss, layer.trainable_variables)
    assert len(gradient) == 1
    assert np.array_equal(gradient[0], factors.numpy().sum(axis=0, keepdims=True))


def test_learned_initial_state_survives_its_config():
    layer = LearnedInitialState(5, name="before")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert isinstance(again, LearnedInitialState)
    assert (again.units, again.name) == (5, "before")
    assert again.get_config() == layer.get_config()


def test_learned_initial_state_is_one_trainable_weight():
    layer = LearnedInitialState(5)
    layer(tf.zeros((1, 1)))
    assert [tuple(weight.shape) for weight in layer.trainable_weights] == [(1, 5)]
    assert layer.non_trainable_weights == []


def test_learned_initial_state_works_for_an_unknown_number_of_rows():
    layer = LearnedInitialState(2)
    repeat = tf.function(layer, input_signature=[tf.TensorSpec((None, None), tf.int32)])
    assert repeat(tf.zeros((3, 4), tf.int32)).shape == (3, 2)
    assert repeat(tf.zeros((6, 1), tf.int32)).shape == (6, 2)


@pytest.mark.parametrize("units", [0, -1])
def test_initial_state_needs_units(units):
    with pytest.raises(ValueError, match=f"^units: got {units}; expected at least 1$"):
        LearnedInitialState(units)
