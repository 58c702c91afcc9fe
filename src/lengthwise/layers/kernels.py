"""The same model with another kernel: for deployment where Lengthwise is not, for second derivatives, for XLA."""

from copy import deepcopy
from typing import Any

import keras

from lengthwise.errors import ArgumentError
from lengthwise.names import KERNELS

PACKAGE = "lengthwise>"
# Layers of Keras that have the same arguments and weights.
STOCK = ("GRU", "LSTM", "SimpleRNN", "RNN")


def with_kernel(model: keras.Model, kernel: str) -> keras.Model:
    """A copy of a trained model whose recurrent layers are computed by another kernel; its weights are copied.

    A model with the native kernel can be exported, but what is exported runs only where Lengthwise is installed. With
    `keras` it runs wherever TensorFlow does:

    >>> import keras, lengthwise as lw, numpy as np, tensorflow as tf
    >>> model = keras.Sequential([keras.Input((None, 3)), lw.Recurrent(lw.GRUCell(4))])
    >>> lw.with_kernel(model, "keras").export("exported", verbose=False)
    >>> x, exported = np.ones((2, 5, 3), np.float32), tf.saved_model.load("exported")
    >>> bool(np.allclose(exported.serve(x), model(x), atol=1e-6))
    True

    Args:
        model: functional or sequential, of any layers; wrappers such as `Bidirectional` are looked into. Inputs
            (B, T, ...) and outputs stay as they are.
        kernel: `keras`, `native` or `auto`, see `lengthwise.native.choice`.

    Raises:
        ArgumentError: there is no such kernel, or the model is of a class of its own; it is a `ValueError`.
        KernelError: `native`, which does not compute one of the cells.
    """
    if kernel not in KERNELS:
        raise ArgumentError("kernel", f"got {kernel!r}; expected one of {', '.join(KERNELS)}")

    def change(node: dict[str, Any]) -> None:
        if str(node.get("registered_name")).startswith(PACKAGE) and node["class_name"] in ("Recurrent", *STOCK):
            node["config"]["kernel"] = kernel

    return _copy(model, change)


def with_stock_layers(model: keras.Model) -> keras.Model:
    """A copy of a trained model with Keras's own layers in the place of `GRU`, `LSTM`, `SimpleRNN` and `RNN`.

    Its `.keras` file loads where Lengthwise is not installed. Inputs (B, T, ...), outputs and weights are the same.

    >>> import keras, lengthwise as lw
    >>> model = keras.Sequential([keras.Input((None, 3)), lw.GRU(4)])
    >>> type(lw.with_stock_layers(model).layers[0]) is keras.layers.GRU
    True

    Raises:
        ArgumentError: the model has another layer or cell of Lengthwise, or is of a class of its own; it is a
            `ValueError`.
    """

    def change(node: dict[str, Any]) -> None:
        name = str(node.get("registered_name"))
        if not name.startswith(PACKAGE):
            return
        if node["class_name"] not in STOCK:
            expected = ", ".join(STOCK)
            raise ArgumentError("model", f"got the layer {node['class_name']}; expected none of ours but {expected}")
        node.update(module="keras.layers", registered_name=None)
        node["config"].pop("kernel", None)

    return _copy(model, change)


def _copy(model: keras.Model, change: Any) -> keras.Model:  # noqa: ANN401 - a function of a node.
    if not isinstance(model, keras.Sequential | keras.src.models.functional.Functional):
        got = f"got {type(model).__name__}, a class of its own"
        raise ArgumentError(
            "model", f"{got}; expected a functional or a sequential model", "make it with kernel='keras'"
        )
    config = deepcopy(keras.saving.serialize_keras_object(model))
    _change(config, change)
    config.pop("compile_config", None)
    copy = keras.saving.deserialize_keras_object(config)
    if not copy.built:
        copy.build(model.input_shape)
    copy.set_weights(model.get_weights())
    return copy


def _change(node: object, change: Any) -> None:  # noqa: ANN401
    if isinstance(node, dict):
        if "class_name" in node and isinstance(node.get("config"), dict):
            change(node)
        for value in node.values():
            _change(value, change)
    elif isinstance(node, list | tuple):
        for value in node:
            _change(value, change)
