"""What a network is made of: the settings of one, checked, as they are saved beside its weights."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from lengthwise.bounds import Count, OneOf, Share, Within, check_fields
from lengthwise.core.labels import LabelFactor
from lengthwise.core.names import (
    ATTENTION_READOUTS,
    CELL_PLACES,
    LABEL_TASKS,
    Activation,
    ConvPadding,
    FrontEnd,
    InitialState,
    Input,
    Outer,
    Readout,
    Task,
)

Predicted = Literal["classes", "several", "numbers"]

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
        outer: a name in `OUTERS`: what is read of a second recurrent layer, over what is read of a group's sequences,
            see `lengthwise.models.group_network`; `none`: there is none.

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
    outer: Outer = field(default="none", kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Purpose:
    """What a network predicts, of what.

    Attributes:
        task: a name in `TASKS`.
        vocabulary_size: ids that the network knows.
        factors: the label factors, for the joint classes.
        several: whether the factors are labels of their own, each yes or no.
        numbers: the names of the numbers that a regressor predicts.
        tags: the classes that a tagger predicts.
        tag_column: the column of steps that has their tags.
        tokens: whether steps have tokens.
        affixes: letters of the affixes that are read beside tokens; None for no affixes.
        features: how many numbers of a step are read, all columns together.
        feature_columns: the columns that have them.
    """

    task: Task
    vocabulary_size: Count
    factors: tuple[LabelFactor, ...]
    several: bool = field(default=False, kw_only=True)
    numbers: tuple[str, ...] = field(default=(), kw_only=True)
    tags: tuple[str, ...] = field(default=(), kw_only=True)
    tag_column: str = field(default="", kw_only=True)
    tokens: bool = field(default=True, kw_only=True)
    affixes: int | None = field(default=None, kw_only=True)
    features: int = field(default=0, kw_only=True)
    feature_columns: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def outputs(self) -> int:
        """Of the last layer: classes, numbers or tokens to predict."""
        if self.task == "tagger":
            return len(self.tags)
        if self.task == "regressor":
            return len(self.numbers)
        if self.task == "language_model":
            return self.vocabulary_size
        return len(self.factors) if self.several else math.prod(len(factor.classes) for factor in self.factors)

    @property
    def predicts(self) -> Predicted:
        """What the outputs are: a distribution over classes, several labels each yes or no, or numbers."""
        if self.task == "regressor":
            return "numbers"
        return "several" if self.several and self.task in LABEL_TASKS else "classes"


@dataclass(frozen=True)
class NetworkConfig(Architecture, Purpose):
    """A network: its purpose, then its architecture, which it takes in this order.

    Raises:
        ArgumentError: no network has one of these settings; it is a `ValueError`.
    """

    @property
    def pooled(self) -> bool:
        """Whether all outputs of a sequence are read: by tasks that predict once a sequence only."""
        return self.task in ("classifier", "regressor") and self.readout != "last"

    @property
    def attends(self) -> bool:
        """Whether the outputs that are read have weights that are learned."""
        return self.pooled and self.readout in ATTENTION_READOUTS

    @property
    def read_features(self) -> int:
        """How many features are read of a sequence, or at a step: those of the last layer, or its mean and maximum."""
        outputs = self.units * (2 if self.bidirectional else 1)
        return outputs * (2 if self.pooled and self.readout == "mean_max" else 1)
