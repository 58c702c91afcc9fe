"""What a network is made of: the settings of one, checked, as they are saved beside its weights."""

from dataclasses import dataclass
from typing import Annotated

from lengthwise.bounds import Count, OneOf, Share, Within, check_fields
from lengthwise.labels import LabelFactor, joint_class_names
from lengthwise.names import CELL_PLACES, Activation, ConvPadding, FrontEnd, InitialState, Input, Readout, Task

# Of a layer, or of a token.
FeatureCount = Annotated[int, Within(1, 65_536)]
# Steps of a convolution.
StepCount = Annotated[int, Within(1, 1024)]
# Layers, or networks.
LayerCount = Annotated[int, Within(1, 64)]


@dataclass(frozen=True)
class Architecture:
    """What a network is made of, whatever it is for.

    Attributes:
        input: `embedding`, or `one_hot`: as many features as ids, one of them 1.
        embedding: features of a token, unless it is one-hot.
        front_end: `conv1d` or `none`.
        filters: features that the convolution makes.
        kernel: steps under its kernel.
        stride: steps between two places of the kernel.
        conv_padding: `same`, `causal` or `valid`, see `MaskedConv1D`.
        cell: a name in `CELL_PLACES`.
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

    Raises:
        ArgumentError: no network has one of these settings; it is a `ValueError`.
    """

    input: Input
    embedding: FeatureCount
    front_end: FrontEnd
    filters: FeatureCount
    kernel: StepCount
    stride: StepCount
    conv_padding: ConvPadding
    cell: Annotated[str, OneOf(CELL_PLACES)]
    activation: Activation
    units: FeatureCount
    layers: LayerCount
    bidirectional: bool
    initial_state: InitialState
    masking: bool
    readout: Readout
    word_dropout: Share
    dropout: Share
    ensemble: LayerCount

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Purpose:
    """What a network predicts, of what.

    Attributes:
        task: a name in `TASKS`.
        vocabulary_size: ids that the network knows.
        factors: the label factors, for the joint classes.
    """

    task: Task
    vocabulary_size: Count
    factors: tuple[LabelFactor, ...]


@dataclass(frozen=True)
class NetworkConfig(Architecture, Purpose):
    """A network: its purpose, then its architecture, which it takes in this order.

    Raises:
        ArgumentError: no network has one of these settings; it is a `ValueError`.
    """

    @property
    def classes(self) -> int:
        """Joint classes."""
        return len(joint_class_names(self.factors))

    @property
    def pooled(self) -> bool:
        """Whether all outputs of a sequence are read: of a classifier only, for seq2seq reads each by itself."""
        return self.task == "classifier" and self.readout != "last"
