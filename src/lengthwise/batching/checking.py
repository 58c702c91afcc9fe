"""Whether a model, a strategy and the side of the padding go together."""

import keras

from lengthwise.batching.contradictions import LayerReading, RowLayout, contradictions
from lengthwise.batching.layer_readings import readings
from lengthwise.batching.plan import Strategy
from lengthwise.core.names import PADDINGS
from lengthwise.errors import ArgumentError


def check(model: keras.Model, strategy: Strategy, *, padding: str = "post") -> None:
    """Reject a model whose results would depend on how a strategy makes rows.

    It is rejected if what a layer says of a sequence depends on its neighbours in the row, on the batch before, on a
    cut, or on padding. Nothing is run; `fit_data(..., model=model)`, `predict` and `FitEpoch` call it.

    >>> import keras
    >>> import lengthwise as lw
    >>> model = keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(4, name="gru")])
    >>> lw.check(model, lw.Exact(batch_size=8))
    >>> try:
    ...     lw.check(model, lw.Padded(batch_size=8))
    ... except ValueError as error:
    ...     print(str(error).split("; ")[1])
    the last output would be that of the padding behind a sequence

    Args:
        model: any Keras model; its inputs are rows (B, T, ...). Of a functional or sequential one it is known which
            layers get a mask and `resets`. Of a class of its own that is not known, and only what its layers cannot do
            under any circumstances is rejected. Attention and layers of your own are not looked into.
        strategy: that makes the rows.
        padding: `post` or `pre`.

    Raises:
        ArgumentError: they contradict each other, see `lengthwise.batching.contradictions`; it is a `ValueError`.
    """
    if not isinstance(model, keras.layers.Layer):
        raise ArgumentError("model", f"got {model!r:.80}; expected a Keras model")
    check_layers(model, strategy, padding)


def check_layers(model: keras.layers.Layer, strategy: Strategy, padding: str, *, masked: bool = False) -> None:
    """Check the layers of a model, see `check`.

    Args:
        model: any Keras model.
        strategy: that makes the rows.
        padding: `post` or `pre`.
        masked: whether its inputs bring a mask.

    Raises:
        ArgumentError: they contradict each other.
    """
    rows = check_rows(strategy, padding)
    for layer, reading in readings(model, masks_known=not masked):
        for found in contradictions(rows, reading):
            side = ", padding='pre'" if padding == "pre" else ""
            got = f"got the layer {layer.name} ({type(layer).__name__}) with {strategy}{side}"
            raise ArgumentError("model", f"{got}; {found.reason}", found.remedy)


def check_rows(strategy: Strategy, padding: str) -> RowLayout:
    """How a strategy makes rows.

    Raises:
        ArgumentError: there is no such strategy or padding, or the two contradict each other.
    """
    if padding not in PADDINGS:
        raise ArgumentError("padding", f"got {padding!r}; expected {' or '.join(PADDINGS)}")
    if not isinstance(strategy, Strategy):
        raise ArgumentError("strategy", f"got {strategy!r:.80}; expected a strategy, such as Padded(batch_size=32)")
    rows = RowLayout(strategy.packs, strategy.cuts, strategy.pads, padding)
    for found in contradictions(rows, LayerReading()):
        other = next(side for side in PADDINGS if side != padding)
        raise ArgumentError("padding", f"got {padding!r}; expected {other} with {strategy}, since {found.reason}")
    return rows
