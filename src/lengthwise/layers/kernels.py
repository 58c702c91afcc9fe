"""The same model with another kernel, or with Keras's own layers: for XLA, and for places without Lengthwise."""

from copy import deepcopy
from typing import Any

import keras

from lengthwise.core.names import KERNELS
from lengthwise.errors import ArgumentError

PACKAGE = "lengthwise>"
# Layers of Keras that have the same arguments and weights.
STOCK = ("GRU", "LSTM", "SimpleRNN", "RNN")
# The layer of Keras that runs a cell, and those of our arguments that it has too.
OF_CELL = {"GRUCell": "GRU", "LSTMCell": "LSTM", "SimpleCell": "SimpleRNN", "SimpleRNNCell": "SimpleRNN"}
SHARED = ("name", "trainable", "return_sequences", "return_state", "go_backwards", "zero_output_for_mask")
# What `Recurrent` does and no layer of Keras: its arguments that have to be as they are by default.
OWN = {"reverse": False, "initial_state": "zeros", "carried_rows": None}


def with_kernel(model: keras.Model, kernel: str) -> keras.Model:
    """A copy of a trained model whose recurrent layers are computed by another kernel; its weights are copied.

    XLA knows no operation of ours, so what it compiles is computed by `keras`. (`model.export` needs no such copy.)

    >>> import keras, lengthwise as lw, numpy as np
    >>> model = keras.Sequential([keras.Input((None, 3)), lw.Recurrent(lw.GRUCell(4))])
    >>> x, copy = np.ones((2, 5, 3), np.float32), lw.with_kernel(model, "keras")
    >>> bool(np.allclose(copy(x), model(x), atol=1e-6))
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
    """A copy of a trained model with Keras's own layers in the place of ours.

    Its `.keras` file loads where Lengthwise is not installed. Inputs (B, T, ...), outputs and weights are the same. Of
    our layers it may have `GRU`, `LSTM`, `SimpleRNN` and `RNN`, and `Recurrent` of the cells that Keras has too, in one
    direction and called with inputs alone. Others run elsewhere by `model.export`, as a SavedModel or as ONNX.

    >>> import keras, lengthwise as lw
    >>> model = keras.Sequential([keras.Input((None, 3)), lw.GRU(4)])
    >>> type(lw.with_stock_layers(model).layers[0]) is keras.layers.GRU
    True

    Raises:
        ArgumentError: the model has another layer or cell of Lengthwise, or is of a class of its own; it is a
            `ValueError`.
    """
    return _copy(model, _to_stock)


def _to_stock(node: dict[str, Any]) -> None:
    """Say the layer of Keras where a configuration says one of ours."""
    if not str(node.get("registered_name")).startswith(PACKAGE):
        return
    name, config = node["class_name"], node["config"]
    if name == "Recurrent":
        node["config"], name = _config_of_stock(node), OF_CELL[config["cell"]["class_name"]]
    elif name not in STOCK:
        expected = ", ".join(("Recurrent", *STOCK))
        raise ArgumentError("model", f"got the layer {name}; expected none of ours but {expected}", "take export")
    node.update(module="keras.layers", class_name=name, registered_name=None)
    node["config"].pop("kernel", None)


def _config_of_stock(node: dict[str, Any]) -> dict[str, Any]:
    """What the layer of Keras is made of that does what a `Recurrent` does.

    Raises:
        ArgumentError: there is none.
    """
    config, cell = node["config"], node["config"]["cell"]
    called = [
        key for call in node.get("inbound_nodes", ()) for key, value in call["kwargs"].items() if value is not None
    ]
    own = [name for name, default in OWN.items() if config[name] != default] + sorted(
        set(called) - {"mask", "training"}
    )
    if cell["class_name"] not in OF_CELL:
        own.append(cell["class_name"])
    if own:
        got = f"got {config['name']} with {', '.join(own)}, which no layer of Keras has"
        raise ArgumentError("model", f"{got}; expected a layer that Keras has too", "take export")
    kept = {name: value for name, value in cell["config"].items() if name not in ("name", "trainable")}
    return {**kept, **{name: config[name] for name in SHARED}, "dtype": config["dtype"]}


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
    # Keras exports no model as ONNX that was never called.
    copy(copy.inputs if len(copy.inputs) > 1 else copy.inputs[0])
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
