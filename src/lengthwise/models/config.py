"""What a network is made of: the settings of one, checked, as they are saved beside its weights."""

from dataclasses import dataclass

from lengthwise.labels import LabelFactor, joint_class_names
from lengthwise.names import (
    ACTIVATIONS,
    CELL_NAMES,
    CONV_PADDINGS,
    FRONT_ENDS,
    INITIAL_STATES,
    INPUTS,
    READOUTS,
    TASKS,
)


@dataclass(frozen=True)
class NetworkConfig:
    """What a network is made of.

    Attributes:
        task: a name in `TASKS`.
        vocabulary_size: ids that the network knows.
        factors: the label factors, for the joint classes.
        input: `embedding`, or `one_hot`: as many features as ids, one of them 1.
        embedding: features of a token, unless it is one-hot.
        front_end: `conv1d` or `none`.
        filters: features that the convolution makes.
        kernel: steps under its kernel.
        stride: steps between two places of the kernel.
        conv_padding: `same`, `causal` or `valid`, see `MaskedConv1D`.
        cell: a name in `CELL_NAMES`.
        activation: of the cell, a name in `ACTIVATIONS`.
        units: of each recurrent layer and direction.
        layers: recurrent layers, one on the other.
        bidirectional: whether each layer goes backwards too.
        initial_state: `learned` or `zeros`.
        masking: whether the state stands still at padded steps. No prediction depends on it.
        readout: a name in `READOUTS`: what a classifier reads of a sequence, see `lengthwise.models.readout`.
        word_dropout: share of the tokens that training makes unknown, in [0, 1), see `WordDropout`.
        dropout: share of each recurrent layer's outputs, and of what is read, that training drops, in [0, 1).
        ensemble: networks that learn side by side and predict together, see `lengthwise.models.ensemble`.
    """

    task: str
    vocabulary_size: int
    factors: tuple[LabelFactor, ...]
    input: str
    embedding: int
    front_end: str
    filters: int
    kernel: int
    stride: int
    conv_padding: str
    cell: str
    activation: str
    units: int
    layers: int
    bidirectional: bool
    initial_state: str
    masking: bool
    readout: str
    word_dropout: float
    dropout: float
    ensemble: int

    def __post_init__(self) -> None:
        sizes = (
            *(self.vocabulary_size, self.embedding, self.filters, self.kernel, self.stride, self.units, self.layers),
            self.ensemble,
        )
        names = (
            (self.task, TASKS),
            (self.input, INPUTS),
            (self.front_end, FRONT_ENDS),
            (self.conv_padding, CONV_PADDINGS),
            (self.cell, CELL_NAMES),
            (self.activation, ACTIVATIONS),
            (self.initial_state, INITIAL_STATES),
            (self.readout, READOUTS),
        )
        shares = (self.word_dropout, self.dropout)
        legal = all(name in known for name, known in names) and all(0 <= share < 1 for share in shares)
        if min(sizes) < 1 or not legal:
            raise ValueError(f"no network has these settings: {self}")

    @property
    def classes(self) -> int:
        """Joint classes."""
        return len(joint_class_names(self.factors))

    @property
    def pooled(self) -> bool:
        """Whether all outputs of a sequence are read: of a classifier only, for seq2seq reads each by itself."""
        return self.task == "classifier" and self.readout != "last"
