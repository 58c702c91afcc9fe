"""Keras layers and cells for sequences of different lengths, each usable alone."""

from lengthwise.layers.cells import (
    GRUCell,
    LayerNormGRUCell,
    LayerNormLSTMCell,
    LayerNormSimpleCell,
    LSTMCell,
    PeepholeLSTMCell,
    SimpleCell,
)
from lengthwise.layers.front_end import MaskedConv1D
from lengthwise.layers.initial_state import LearnedInitialState
from lengthwise.layers.recurrent import Recurrent
from lengthwise.layers.sequence_ends import sequence_ends
from lengthwise.layers.word_dropout import WordDropout

__all__ = [
    "GRUCell",
    "LSTMCell",
    "LayerNormGRUCell",
    "LayerNormLSTMCell",
    "LayerNormSimpleCell",
    "LearnedInitialState",
    "MaskedConv1D",
    "PeepholeLSTMCell",
    "Recurrent",
    "SimpleCell",
    "WordDropout",
    "sequence_ends",
]
