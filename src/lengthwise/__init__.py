"""Lengthwise trains recurrent networks on sequences of different lengths.

>>> import lengthwise as lw
>>> sequences = lw.from_arrays([[4, 2, 7], [5]], labels=[0, 1])
>>> plan = lw.Padded(batch_size=2).plan(sequences.lengths)
>>> plan.rows.tolist(), plan.widths.tolist()
([2], [3])

Words. A *sequence* has one or more *steps*. A *strategy* makes a *plan*: the batches of one epoch, from lengths alone.
A *batch* has *rows*; a row holds one or more *spans*, and a span is a piece of one sequence. *Padding* fills rows up.
The state of the network is *reset* where a sequence begins. A long sequence is cut into *windows*; its state is
*carried* from one batch to the next, in the same row (a *lane*). A *kernel* computes a recurrent layer: Keras step by
step, or the *native* kernel without padding. The *lexicon* has all distinct tokens of a corpus; the *vocabulary* has
those that a model knows. A *label factor* is a property to predict; a *joint class* is a combination of all factors in
one number.

Shapes. B rows, T steps (padded), D features, U units, C classes, S sequences, N steps of all sequences, P predictions.
`tokens: int32 (B, T)` is an array of that type and shape.

Errors. A wrong argument raises a `ValueError` that begins with the argument's name. All errors that a user can mend are
`lengthwise.errors.LengthwiseError`s, one line each.

Names are imported when they are first used: `import lengthwise` is quick and imports no TensorFlow. The library
(`batching`, `layers`, `native`, `models`, `training`, `evaluation`) imports nothing of the pipeline.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lengthwise.advice.advising import advise
    from lengthwise.advice.costs import TrainedNetwork
    from lengthwise.batching.bucketed import Bucketed
    from lengthwise.batching.checking import check
    from lengthwise.batching.exact import Exact
    from lengthwise.batching.fit import fit_data
    from lengthwise.batching.fit_epoch import FitEpoch
    from lengthwise.batching.in_order import predict
    from lengthwise.batching.limited_groups import LimitedGroups
    from lengthwise.batching.nested_data import fit_nested, predict_nested
    from lengthwise.batching.packed import Packed
    from lengthwise.batching.padded import Padded
    from lengthwise.batching.padded_to_longest import PaddedToLongest
    from lengthwise.batching.placed import every_step, last_step, next_step
    from lengthwise.batching.registry import make_strategy
    from lengthwise.batching.sampled import Sampled
    from lengthwise.batching.stratified import Stratified
    from lengthwise.batching.streams import Stream
    from lengthwise.batching.token_budget import TokenBudget
    from lengthwise.batching.truncated import Truncated
    from lengthwise.core.nested import NestedSequences, nest
    from lengthwise.core.sequences import Sequences
    from lengthwise.inference.loading import load
    from lengthwise.layers.cells import (
        GRUCell,
        LayerNormGRUCell,
        LayerNormLSTMCell,
        LayerNormSimpleCell,
        LSTMCell,
        PeepholeLSTMCell,
        SimpleCell,
    )
    from lengthwise.layers.drop_in import GRU, LSTM, RNN, SimpleRNN
    from lengthwise.layers.front_end import MaskedConv1D
    from lengthwise.layers.initial_state import LearnedInitialState
    from lengthwise.layers.kernels import with_kernel, with_stock_layers
    from lengthwise.layers.recurrent import Recurrent
    from lengthwise.layers.sequence_ends import sequence_ends
    from lengthwise.layers.streaming import first_states, with_states
    from lengthwise.layers.two_level import TwoLevel
    from lengthwise.layers.word_dropout import WordDropout
    from lengthwise.models.keras_loading import load_keras
    from lengthwise.sources import from_arrays, from_hugging_face, from_parquet, from_table

# The only place of the version: pyproject.toml reads it here.
__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bucketed",
    "Exact",
    "FitEpoch",
    "GRUCell",
    "LSTMCell",
    "LayerNormGRUCell",
    "LayerNormLSTMCell",
    "LayerNormSimpleCell",
    "LearnedInitialState",
    "LimitedGroups",
    "MaskedConv1D",
    "NestedSequences",
    "Packed",
    "Padded",
    "PaddedToLongest",
    "PeepholeLSTMCell",
    "Recurrent",
    "Sampled",
    "Sequences",
    "SimpleCell",
    "SimpleRNN",
    "Stratified",
    "Stream",
    "TokenBudget",
    "TrainedNetwork",
    "Truncated",
    "TwoLevel",
    "WordDropout",
    "__version__",
    "advise",
    "check",
    "every_step",
    "first_states",
    "fit_data",
    "fit_nested",
    "from_arrays",
    "from_hugging_face",
    "from_parquet",
    "from_table",
    "last_step",
    "load",
    "load_keras",
    "make_strategy",
    "nest",
    "next_step",
    "predict",
    "predict_nested",
    "sequence_ends",
    "with_kernel",
    "with_states",
    "with_stock_layers",
]

# Where a name is defined.
_MODULES = {
    "Bucketed": "batching.bucketed",
    "Exact": "batching.exact",
    "FitEpoch": "batching.fit_epoch",
    "GRU": "layers.drop_in",
    "GRUCell": "layers.cells",
    "LSTM": "layers.drop_in",
    "LSTMCell": "layers.cells",
    "LayerNormGRUCell": "layers.cells",
    "LayerNormLSTMCell": "layers.cells",
    "LayerNormSimpleCell": "layers.cells",
    "LearnedInitialState": "layers.initial_state",
    "LimitedGroups": "batching.limited_groups",
    "MaskedConv1D": "layers.front_end",
    "NestedSequences": "core.nested",
    "Packed": "batching.packed",
    "Padded": "batching.padded",
    "PaddedToLongest": "batching.padded_to_longest",
    "PeepholeLSTMCell": "layers.cells",
    "RNN": "layers.drop_in",
    "Recurrent": "layers.recurrent",
    "Sampled": "batching.sampled",
    "Sequences": "core.sequences",
    "SimpleCell": "layers.cells",
    "SimpleRNN": "layers.drop_in",
    "Stratified": "batching.stratified",
    "Stream": "batching.streams",
    "TokenBudget": "batching.token_budget",
    "TrainedNetwork": "advice.costs",
    "Truncated": "batching.truncated",
    "TwoLevel": "layers.two_level",
    "WordDropout": "layers.word_dropout",
    "advise": "advice.advising",
    "check": "batching.checking",
    "every_step": "batching.placed",
    "first_states": "layers.streaming",
    "fit_data": "batching.fit",
    "fit_nested": "batching.nested_data",
    "from_arrays": "sources",
    "from_hugging_face": "sources",
    "from_parquet": "sources",
    "from_table": "sources",
    "last_step": "batching.placed",
    "load": "inference.loading",
    "load_keras": "models.keras_loading",
    "make_strategy": "batching.registry",
    "nest": "core.nested",
    "next_step": "batching.placed",
    "predict": "batching.in_order",
    "predict_nested": "batching.nested_data",
    "sequence_ends": "layers.sequence_ends",
    "with_kernel": "layers.kernels",
    "with_states": "layers.streaming",
    "with_stock_layers": "layers.kernels",
}


# Type checkers shall not see it: with it, every name would exist.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
