"""What the layers of a Keras model do with the steps of a row, read off the model without running it.

A functional or sequential model says which layer gets a mask and `resets`; a model of a class of its own does not, and
of it only what its layers cannot do is known.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from lengthwise.batching.contradictions import LayerReading
from lengthwise.core.names import UNBOUNDED

FUNCTIONAL = keras.src.models.functional.Functional
# By identity: another function may have the name.
_UNBOUNDED = [getattr(keras.activations, name) for name in UNBOUNDED]


@dataclass(frozen=True)
class LayerCall:
    """A call of a layer.

    Attributes:
        layer: that is called.
        given: its arguments by their names, or None if nobody knows them.
        masked: whether it gets a mask, or None.
    """

    layer: keras.layers.Layer
    given: dict[str, Any] | None
    masked: bool | None


def readings(
    model: keras.layers.Layer, *, masks_known: bool = True
) -> Iterator[tuple[keras.layers.Layer, LayerReading]]:
    """All layers of a model that read several steps, with what they do.

    Layers within `TimeDistributed` read no steps of the row, and are left out.

    Args:
        model: any Keras model.
        masks_known: whether a layer that gets no mask by the model gets none; its inputs may bring one.
    """
    for call in _calls(model, masks_known):
        if (reading := _reading(call)) is not None:
            yield call.layer, reading


def _calls(model: keras.layers.Layer, masks_known: bool) -> Iterator[LayerCall]:
    graph = getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else model
    if isinstance(graph, FUNCTIONAL):
        nodes = (node for nodes in graph._nodes_by_depth.values() for node in nodes)
        for node in nodes:
            if isinstance(node.operation, keras.layers.Layer):
                arguments = node.arguments
                given = _bound(node.operation, arguments.args, arguments.kwargs)
                mask = keras.tree.flatten([given.get("mask"), given.get("inputs_mask")])
                masked = any(value is not None for value in mask)
                yield from _opened(LayerCall(node.operation, given, masked or (False if masks_known else None)))
    elif isinstance(model, keras.Sequential):
        yield from _of_unbuilt(model, masks_known)
    else:
        for layer in model._flatten_layers(include_self=False, recursive=False):
            yield from _opened(LayerCall(layer, None, None))


def _opened(call: LayerCall) -> Iterator[LayerCall]:
    """A call, or those that it makes of other layers."""
    layer = call.layer
    if isinstance(layer, keras.layers.TimeDistributed):
        return
    if isinstance(layer, keras.layers.Bidirectional):
        for inner in (layer.forward_layer, layer.backward_layer):
            # It hands on masks and states, nothing else.
            yield LayerCall(inner, {}, call.masked)
    elif hasattr(layer, "cell"):
        yield call
    elif isinstance(layer, keras.layers.Wrapper):
        yield from _opened(LayerCall(layer.layer, call.given, call.masked))
    else:
        yield call
        # What gets no mask has none to hand to the layers within.
        yield from _calls(layer, masks_known=call.masked is False)


def _of_unbuilt(model: keras.Sequential, masks_known: bool) -> Iterator[LayerCall]:
    """The calls of a sequential model that has seen no shapes: nothing but the mask is handed on."""
    masked: bool | None = False if masks_known else None
    for layer in model.layers:
        yield from _opened(LayerCall(layer, {}, masked))
        if isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False):
            masked = True
        elif not layer.supports_masking or not getattr(layer, "return_sequences", True):
            masked = False


def _bound(layer: keras.layers.Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        return inspect.signature(layer.call).bind_partial(*args, **kwargs).arguments
    except TypeError:  # What a layer of one's own takes besides.
        return dict(kwargs)


def _reading(call: LayerCall) -> LayerReading | None:
    """What a layer does with steps; None if it reads each alone, as far as is known."""
    layer = call.layer
    if hasattr(layer, "cell"):
        return _recurrent(call)
    if isinstance(layer, keras.layers.GlobalAveragePooling1D | keras.layers.GlobalMaxPooling1D):
        masked = False if isinstance(layer, keras.layers.GlobalMaxPooling1D) else call.masked
        return LayerReading(masked=masked, pools=True, pools_rows=True)
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    return None if size is None else _convolution(layer, _first(size))


def _convolution(layer: keras.layers.Layer, size: int) -> LayerReading:
    """What a convolution, or pooling of neighbours, does; its first axis is that of the steps."""
    stride = _first(getattr(layer, "strides", None) or getattr(layer, "stride", None) or 1)
    # What has more axes reads an image, perhaps, that is padded nowhere.
    axes = getattr(layer, "rank", None) or getattr(layer, "pool_dimensions", None) or 1
    counts = stride > 1 or (size > 1 and getattr(layer, "padding", "valid") == "valid")
    return LayerReading(convolves=size > 1 or stride > 1, counts_from_row=counts and axes == 1)


def _recurrent(call: LayerCall) -> LayerReading:
    layer = call.layer
    backwards = bool(getattr(layer, "go_backwards", False) or getattr(layer, "reverse", False))
    name = "ends" if backwards else "resets"
    told: bool | None = None
    if name not in inspect.signature(layer.call).parameters:
        told = False
    elif call.given is not None:
        told = call.given.get(name) is not None
    cells = getattr(layer.cell, "cells", None) or [layer.cell]
    return LayerReading(
        recurrent=True,
        backwards=backwards,
        told=told,
        carries=bool(getattr(layer, "stateful", False) or getattr(layer, "carried_rows", None)),
        masked=call.masked,
        last_only=not getattr(layer, "return_sequences", True) or bool(getattr(layer, "return_state", False)),
        unbounded=any(getattr(cell, "activation", None) in _UNBOUNDED for cell in cells),
    )


def _first(size: int | tuple[int, ...]) -> int:
    return int(size[0] if isinstance(size, list | tuple) else size)
