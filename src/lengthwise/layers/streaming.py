"""A trained model that takes its states in and gives them out, for input that comes step by step."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lengthwise.errors import ArgumentError
from lengthwise.layers.recurrent import Recurrent

# What the check reads: steps in all, and in the first of two pieces.
STEPS, PIECE = 5, 2
TOLERANCE = 1e-4


def with_states(model: keras.Model) -> keras.Model:
    """A copy of a trained model with explicit states: what it says of a long input, it says of its pieces in turn.

    Its inputs are those of the model, then the states of its recurrent layers, float32 (B, U) each; its outputs those
    of the model, then the states after the last step. Exported as a SavedModel or as ONNX it runs where Lengthwise is
    not, with as many steps at a time as come:

    >>> import keras, lengthwise as lw, numpy as np
    >>> model = keras.Sequential([keras.Input((None, 3)), lw.Recurrent(lw.GRUCell(4)), keras.layers.Dense(2)])
    >>> streamed, states = lw.with_states(model), lw.first_states(model, rows=1)
    >>> x, found = np.ones((1, 5, 3), np.float32), []
    >>> for step in range(5):
    ...     output, *states = streamed.predict_on_batch([x[:, step : step + 1], *states])
    ...     found.append(output)
    >>> bool(np.allclose(np.concatenate(found, axis=1), model(x), atol=1e-5))
    True

    Args:
        model: functional or sequential; its recurrent layers are `Recurrent`, `GRU`, `LSTM`, `SimpleRNN`, `RNN` of one
            cell, or those of Keras; its other layers read each step alone. This is checked: a model that says something
            else of pieces is rejected.

    Raises:
        ArgumentError: the model is of a class of its own, has no recurrent layer, reads backwards, or has a layer that
            reads several steps; it is a `ValueError`.
    """
    functional = keras.Model(model.inputs, model.outputs)
    made = _Copies({layer.name: layer.return_state for layer in _recurrent_layers(model)})
    inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name) for x in model.inputs]
    # As Keras's `clone_model` does, whose result could have no more inputs than the model.
    outputs = functional._run_through_graph(inputs, operation_fn=made.copy, call_fn=made.call)
    outputs = keras.tree.flatten(outputs)
    streamed = keras.Model([*inputs, *made.before], [*outputs, *made.after], name=model.name)
    for layer in streamed.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    _check(model, streamed)
    return streamed


def first_states(model: keras.Model, rows: int = 1) -> list[np.ndarray]:
    """What the states of `with_states(model)` are before the first step: zeros, or learned ones.

    >>> import keras, lengthwise as lw
    >>> model = keras.Sequential([keras.Input((None, 3)), lw.Recurrent(lw.LSTMCell(4))])
    >>> [state.shape for state in lw.first_states(model, rows=2)]
    [(2, 4), (2, 4)]

    Args:
        model: as of `with_states`.
        rows: B, of the batches to come.

    Returns:
        The states of each recurrent layer in turn, float32 (B, U) each.

    Raises:
        ArgumentError: see `with_states`, or `rows` is below 1; it is a `ValueError`.
    """
    if not isinstance(rows, int) or rows < 1:
        raise ArgumentError("rows", f"got {rows!r}; expected a whole number, at least 1")
    found: list[np.ndarray] = []
    for layer in _recurrent_layers(model):
        learned = getattr(layer, "initial_states", None) or [None] * len(_state_sizes(layer))
        for size, state in zip(_state_sizes(layer), learned, strict=True):
            one = np.zeros((1, size)) if state is None else np.asarray(state.state)
            found.append(np.repeat(one, rows, axis=0).astype(layer.compute_dtype))
    return found


class _Copies:
    """Copies of layers, and the states of the recurrent ones.

    Args:
        returned: whether each recurrent layer returns its states in the model, by its name.
    """

    def __init__(self, returned: dict[str, bool]) -> None:
        self._returned = returned
        self._made: dict[str, keras.layers.Layer] = {}
        self.before: list[keras.KerasTensor] = []
        self.after: list[keras.KerasTensor] = []

    def copy(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        """A layer of the same configuration, the same one each time; a recurrent one returns its states."""
        if layer.name not in self._made:
            config = layer.get_config()
            if layer.name in self._returned:
                carries = {"carried_rows": None} if isinstance(layer, Recurrent) else {"stateful": False}
                config = {**config, "return_state": True, **carries}
            self._made[layer.name] = layer.__class__.from_config(config)
        elif layer.name in self._returned:
            raise ArgumentError("model", f"got {layer.name}, which is called twice; expected a layer for each call")
        return self._made[layer.name]

    def call(self, layer: keras.layers.Layer, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
        """What the layer returned in the model; a recurrent one goes on from states that are inputs."""
        if layer.name not in self._returned:
            return layer(*args, **kwargs)
        given = [name for name in ("initial_state", "states") if kwargs.pop(name, None) is not None]
        if given or len(args) > 1:
            raise ArgumentError("model", f"got {layer.name}, whose states come from another layer; expected none such")
        before = [
            keras.Input((size,), dtype=layer.compute_dtype, name=f"{layer.name}_state_{number}")
            for number, size in enumerate(_state_sizes(layer))
        ]
        outputs, *last = layer(*args, initial_state=before if len(before) > 1 else before[0], **kwargs)
        self.before += before
        self.after += last
        return [outputs, *last] if self._returned[layer.name] else outputs


def _recurrent_layers(model: keras.Model) -> list[Any]:
    """In the order in which the model calls them.

    Raises:
        ArgumentError: see `with_states`.
    """
    if not isinstance(model, keras.Sequential | keras.src.models.functional.Functional):
        got = f"got {type(model).__name__}, a class of its own"
        raise ArgumentError("model", f"{got}; expected a functional or a sequential model")
    found = [layer for layer in model.layers if isinstance(layer, Recurrent | keras.layers.RNN)]
    for layer in [*found, *(layer for layer in model.layers if isinstance(layer, keras.layers.Bidirectional))]:
        if isinstance(layer, keras.layers.Bidirectional) or layer.go_backwards or getattr(layer, "reverse", False):
            raise ArgumentError("model", f"got {layer.name}, which begins at the last step; expected forward layers")
        if isinstance(layer.cell, keras.layers.StackedRNNCells):
            raise ArgumentError("model", f"got {layer.name}, a stack of cells; expected a layer for each cell")
    if not found:
        raise ArgumentError("model", "got no recurrent layer; expected one at least, outside of wrappers")
    return found


def _state_sizes(layer: Any) -> list[int]:  # noqa: ANN401 - a recurrent layer.
    sizes = layer.cell.state_size
    return list(sizes) if isinstance(sizes, list | tuple) else [sizes]


def _check(model: keras.Model, streamed: keras.Model) -> None:
    """Compare the model with its copy in pieces, over numbers that are drawn.

    Raises:
        ArgumentError: they differ.
    """
    rng = np.random.default_rng(0)
    whole = []
    for wanted in model.inputs:
        shape = [1, STEPS, *wanted.shape[2:]]
        # Any vocabulary has these.
        drawn = rng.normal(size=shape) if "float" in wanted.dtype else rng.integers(0, 2, shape)
        whole.append(tf.cast(drawn, wanted.dtype))
    expected = keras.tree.flatten(model(whole if len(whole) > 1 else whole[0]))
    states, pieces = [tf.constant(state) for state in first_states(model)], []
    for piece in (slice(PIECE), slice(PIECE, None)):
        made = streamed([*(values[:, piece] for values in whole), *states])
        pieces.append(made[: len(expected)])
        states = made[len(expected) :]
    for number, values in enumerate(expected):
        parts = [np.asarray(piece[number], np.float64) for piece in pieces]
        steps = len(model.outputs[number].shape) > 2
        found = np.concatenate(parts, axis=1) if steps else parts[-1]
        values = np.asarray(values, np.float64)
        if found.shape != values.shape or np.abs(found - values).max() > TOLERANCE * max(1.0, np.abs(values).max()):
            raise ArgumentError(
                "model",
                "got other outputs in pieces than as a whole; expected that all layers but the recurrent ones read "
                "each step alone",
                "leave convolutions and pooling over steps out",
            )
