"""The one table of choices that are each legal and make no sense together: how rows are made, and what reads them.

`lengthwise.check` looks it up for a Keras model, `predict` and `fit_data` too; the settings of the pipeline look it up
for `params.yaml`, under their dotted keys. Strategies are known by their properties alone, so that a new one needs no
line here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class RowLayout:
    """How the rows of a batch are made.

    Attributes:
        packs: whether a row may hold several sequences.
        cuts: whether a sequence may be cut into windows.
        pads: whether a row may be filled up.
        padding: `post` or `pre`, where it is.
    """

    packs: bool = False
    cuts: bool = False
    pads: bool = True
    padding: str = "post"


@dataclass(frozen=True)
class LayerReading:
    """What a layer, or a network, does with the steps of a row. None: it is not known.

    Attributes:
        recurrent: whether it has a state that goes from step to step.
        backwards: whether that begins at the last step.
        told: whether it is told where sequences begin; one that goes backwards, where they end.
        carries: whether its state goes on from a batch to the next.
        masked: whether it is told which steps are padding.
        last_only: whether what is read of it are its last output or its last states.
        unbounded: whether its activation has no bound.
        convolves: whether it reads several neighbouring steps at a time.
        counts_from_row: whether the steps that it reads at a time are counted from the beginning of the row.
        pools: whether it makes one value of the outputs of a sequence.
        pools_rows: whether it makes one value of a whole row.
    """

    recurrent: bool = False
    backwards: bool = False
    told: bool | None = None
    carries: bool = False
    masked: bool | None = None
    last_only: bool = False
    unbounded: bool = False
    convolves: bool = False
    counts_from_row: bool = False
    pools: bool = False
    pools_rows: bool = False


@dataclass(frozen=True)
class Contradiction:
    """A combination that gives wrong results.

    Attributes:
        holds: when.
        reason: why it makes no sense.
        remedy: what to do in Python.
    """

    holds: Callable[[RowLayout, LayerReading], bool]
    reason: str
    remedy: str


def _runs_into_padding(rows: RowLayout, layer: LayerReading) -> bool:
    """Whether a state may be computed over padding, because nothing says that it is padding."""
    return rows.pads and layer.recurrent and layer.masked is False


def _padding_comes_first(rows: RowLayout, layer: LayerReading) -> bool:
    return (rows.padding == "pre") != layer.backwards


_ONE_IN_A_ROW = "take a strategy that gives each sequence a row, such as Bucketed"
_MASK = "give the layer a mask (mask_zero=True of Embedding, or the input 'mask'), or take Exact, which never pads"

# By name, in the order in which they are looked for.
CONTRADICTIONS: dict[str, Contradiction] = {
    "backwards over cuts": Contradiction(
        lambda rows, layer: rows.cuts and layer.backwards,
        "the backward direction would begin at windows that are still to come",
        "take a strategy that does not cut, or a layer that goes forwards",
    ),
    "convolution over neighbours": Contradiction(
        lambda rows, layer: (rows.packs or rows.cuts) and layer.convolves,
        "the kernel would lie over two sequences of a row, or over the cut between two windows",
        _ONE_IN_A_ROW,
    ),
    "cuts behind padding": Contradiction(
        lambda rows, layer: rows.cuts and rows.padding == "pre",
        "a window would not go on at the first step of its row",
        "take padding='post'",
    ),
    "pooling over cuts": Contradiction(
        lambda rows, layer: rows.cuts and layer.pools,
        "the outputs of a sequence would lie in windows that are gone",
        "take a strategy that does not cut, or read the last output",
    ),
    "convolution behind padding": Contradiction(
        lambda rows, layer: rows.pads and rows.padding == "pre" and layer.counts_from_row,
        "where the kernel stands in a sequence would depend on how far the row is filled up before it",
        "take padding='post', or a stride of 1 with padding='same' or 'causal' of the layer",
    ),
    "no bound over padding": Contradiction(
        lambda rows, layer: rows.pads and layer.unbounded and layer.masked is False,
        "states without bound may overflow at padded steps, and their gradients then are not numbers",
        f"{_MASK}; or take sigmoid, softsign or tanh",
    ),
    "neighbours in a row": Contradiction(
        lambda rows, layer: (rows.packs or rows.cuts) and layer.recurrent and layer.told is False,
        "one sequence of a row would leak into the next, since nothing tells the layer where they begin",
        f"give resets (backwards: ends) to lengthwise.layers.Recurrent, or {_ONE_IN_A_ROW}",
    ),
    "nothing carried over cuts": Contradiction(
        lambda rows, layer: rows.cuts and layer.recurrent and not layer.carries,
        "the state would be lost at the end of each window",
        "set carried_rows of the layer to the strategy's batch_size",
    ),
    "carried into another sequence": Contradiction(
        lambda rows, layer: layer.carries and layer.told is False,
        "a sequence would go on from the state that another one left in the batch before",
        "give resets to the layer, or let it carry nothing",
    ),
    "pooling over neighbours": Contradiction(
        lambda rows, layer: rows.packs and layer.pools_rows,
        "all sequences of a row would be pooled into one value",
        _ONE_IN_A_ROW,
    ),
    "padding pooled": Contradiction(
        lambda rows, layer: rows.pads and layer.pools_rows and layer.masked is False,
        "padded steps would be pooled like others",
        "give a mask to GlobalAveragePooling1D (GlobalMaxPooling1D reads none), or take Exact, which never pads",
    ),
    "padding before a sequence": Contradiction(
        lambda rows, layer: _runs_into_padding(rows, layer) and _padding_comes_first(rows, layer) and not layer.told,
        "the padded steps before a sequence would change its state",
        _MASK,
    ),
    "padding behind a sequence": Contradiction(
        lambda rows, layer: (
            _runs_into_padding(rows, layer) and not _padding_comes_first(rows, layer) and layer.last_only
        ),
        "the last output would be that of the padding behind a sequence",
        _MASK,
    ),
}


def contradictions(rows: RowLayout, layer: LayerReading) -> Iterator[Contradiction]:
    """Those that hold, the one to mend first at the beginning.

    >>> [found.remedy for found in contradictions(RowLayout(cuts=True, padding="pre"), LayerReading())]
    ["take padding='post'"]
    """
    return (contradiction for contradiction in CONTRADICTIONS.values() if contradiction.holds(rows, layer))
