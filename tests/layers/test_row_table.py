# The look-up against that of Keras: the same rows and gradients, by fewer operations.

import keras
import numpy as np
import tensorflow as tf

from lengthwise.layers.row_table import RowTable


def test_row_table_is_the_embedding_of_keras_with_fewer_operations():
    ids = np.random.default_rng(1).integers(0, 7, (4, 5)).astype(np.int32)
    table, stock = RowTable(7, 3), keras.layers.Embedding(7, 3)
    stock.build()
    table.build()
    stock.set_weights(table.get_weights())
    factors = tf.constant(np.random.default_rng(2).normal(size=(4, 5, 3)), tf.float32)
    found, operations = [], []
    for layer in (table, stock):
        with tf.GradientTape() as tape:
            rows = layer(ids)
            total = tf.reduce_sum(rows * factors)
        found.append([rows, tf.convert_to_tensor(tape.gradient(total, layer.embeddings.value))])
        traced = tf.function(layer, autograph=False).get_concrete_function(tf.TensorSpec((None, None), tf.int32))
        operations.append(len(traced.graph.get_operations()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert operations[0] < operations[1]


def test_row_table_says_all_its_rows():
    table = RowTable(7, 3)
    table.build()
    np.testing.assert_array_equal(table.rows, table.get_weights()[0])
    np.testing.assert_array_equal(table(np.arange(7)), table.rows)
