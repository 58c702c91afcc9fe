"""Which cells the native kernel computes, of this package and of Keras, and their weights as it reads them."""

import keras
import tensorflow as tf

from lengthwise.layers.cells import (
    GRUCell,
    LayerNormGRUCell,
    LayerNormLSTMCell,
    LayerNormSimpleCell,
    LSTMCell,
    PeepholeLSTMCell,
    SimpleCell,
)
from lengthwise.native.ops import CellWeights
from lengthwise.native.unit_vectors import vector_names

# By the very class: a derived one may compute something else.
KINDS: dict[type[keras.layers.Layer], str] = {
    GRUCell: "gru",
    LSTMCell: "lstm",
    PeepholeLSTMCell: "peephole_lstm",
    SimpleCell: "simple",
    LayerNormGRUCell: "layer_norm_gru",
    LayerNormLSTMCell: "layer_norm_lstm",
    LayerNormSimpleCell: "layer_norm_simple",
    keras.layers.GRUCell: "gru",
    keras.layers.LSTMCell: "lstm",
    keras.layers.SimpleRNNCell: "simple",
}


def described(cell: object, *others: keras.layers.Layer) -> tuple[str, str]:
    """A cell's name and its activation, as `lengthwise.native.choice.choose_kernel` knows them.

    Args:
        cell: any cell; one that the kernel does not compute has a name that says why.
        *others: layers whose dtype counts too.
    """
    # By identity: another function may have the name.
    is_tanh = getattr(cell, "activation", None) is keras.activations.tanh
    activation = "tanh" if is_tanh else "an activation of its own"
    name = KINDS.get(type(cell))
    if name is None:
        return type(cell).__name__, activation
    policies = [layer.dtype_policy for layer in (cell, *others)]
    if any({policy.compute_dtype, policy.variable_dtype} != {"float32"} for policy in policies):
        return f"{name} in {policies[0].compute_dtype}", activation
    if getattr(cell, "recurrent_activation", keras.activations.sigmoid) is not keras.activations.sigmoid:
        return f"{name} with a recurrent activation of its own", activation
    if not getattr(cell, "reset_after", True):
        return f"{name} with reset_after=False", activation
    # Each gate has a mask of its own then.
    if getattr(cell, "recurrent_dropout", 0) > 0 or (
        getattr(cell, "dropout", 0) > 0 and getattr(cell, "dropout_mask_count", None)
    ):
        return f"{name} with recurrent dropout", activation
    return name, activation


def native_weights(cell: keras.layers.Layer) -> CellWeights:
    """The weights of a cell in `KINDS`: kernel (D, G U), recurrent kernel (U, G U), biases (G U,), vectors (V, U)."""
    kernel, recurrent_kernel = (tf.convert_to_tensor(weight) for weight in (cell.kernel, cell.recurrent_kernel))
    bias = tf.zeros(recurrent_kernel.shape[1:]) if cell.bias is None else tf.convert_to_tensor(cell.bias)
    vectors = _vectors(cell, int(recurrent_kernel.shape[0]))
    if not isinstance(cell, GRUCell | keras.layers.GRUCell):
        return CellWeights(kernel, recurrent_kernel, bias, tf.zeros(0), vectors)
    bias, recurrent_bias = tf.unstack(bias) if len(bias.shape) == 2 else (bias, bias)
    return CellWeights(kernel, recurrent_kernel, bias, recurrent_bias, vectors)


def _vectors(cell: keras.layers.Layer, units: int) -> tf.Tensor:
    """The weights of single units, (V, U), by the names that `vector_names` has."""
    names = vector_names(KINDS[type(cell)])
    if not names:
        return tf.zeros((0, units))
    owners = {"": cell, **{layer.name: layer for layer in cell._flatten_layers(include_self=False)}}
    parts = [name.rpartition("/") for name in names]
    return tf.concat([tf.reshape(getattr(owners[owner], name), (-1, units)) for owner, _, name in parts], axis=0)
