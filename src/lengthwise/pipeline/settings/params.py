"""`params.yaml` as one frozen, strict model per section: what is not declared here is refused.

No key has a default here: the defaults are the values in `params.yaml`, beside their comments.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from lengthwise.batching.registry import STRATEGIES
from lengthwise.corpora.corpus import Corpus
from lengthwise.corpora.registry import CORPORA
from lengthwise.errors import ParamsError
from lengthwise.names import (
    Activation,
    CellName,
    ConvPadding,
    FrontEnd,
    InitialState,
    Input,
    Kernel,
    Padding,
    Readout,
    Schedule,
    TooLong,
    Unit,
)
from lengthwise.pipeline.settings.conflicts import first_conflict
from lengthwise.pipeline.settings.refusals import first_error
from lengthwise.system.strict_yaml import read_yaml

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def _number_from_text(value: object) -> object:
    """YAML 1.1 reads a hand-written `1e-3` as text: take it as the number that it means."""
    return float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value


def _known_strategy(name: str) -> str:
    if name not in STRATEGIES:
        raise ValueError("unknown")
    return name


def _known_corpus(name: str) -> str:
    if name not in CORPORA:
        raise ValueError("unknown")
    return name


# Outermost, so that the bounds of a number stay in its schema, from which the messages take them.
NUMBER_FROM_TEXT = BeforeValidator(_number_from_text)
Strategy = Annotated[str, AfterValidator(_known_strategy), Field(json_schema_extra={"enum": sorted(STRATEGIES)})]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
CorpusName = Annotated[str, AfterValidator(_known_corpus), Field(json_schema_extra={"enum": sorted(CORPORA)})]


class Section(BaseModel):
    """What all sections share: frozen, strict about types, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


if TYPE_CHECKING:
    CorpusSections = Section
else:
    # A section below `ingest` for each form of corpus, whose keys are the fields of its class.
    CorpusSections = create_model(
        "CorpusSections", __base__=Section, **{name: (corpus, ...) for name, corpus in CORPORA.items()}
    )


class IngestParams(CorpusSections):
    """Where the corpus is, which form it has, and how much of it is read."""

    corpus: CorpusName
    source: Annotated[str, Field(min_length=1)]
    max_member_mb: Annotated[int, Field(ge=1, le=4096)]
    authors: Annotated[int, Field(ge=1)] | None

    @property
    def chosen(self) -> Corpus:
        """The corpus that `corpus` names, with the keys of its own section."""
        chosen: Corpus = getattr(self, self.corpus)
        return chosen


class TokensParams(Section):
    """How text becomes sentences of tokens."""

    language: Annotated[str, Field(min_length=2)]
    sentences: Annotated[str, Field(min_length=1)]
    straighten_quotes: bool
    collapse_repeats: bool
    link_word: Annotated[str, Field(min_length=1)] | None


class SplitParams(Section):
    """What is kept together, and how much of it is held out."""

    by: Unit
    validation: Annotated[float, Field(ge=0.0, lt=1.0, allow_inf_nan=False), NUMBER_FROM_TEXT]
    test: Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False), NUMBER_FROM_TEXT]
    seed: Seed


class VocabularyParams(Section):
    """How many tokens the models know."""

    size: Annotated[int, Field(ge=3, le=10_000_000)]


class ShardsParams(Section):
    """What a sequence is, and which lengths are kept."""

    unit: Unit
    min_length: Annotated[int, Field(ge=1)]
    max_length: Annotated[int, Field(ge=1)] | None
    too_long: TooLong
    rows_per_shard: Annotated[int, Field(ge=1)]


class BatchingParams(Section):
    """How sequences come together in a batch."""

    strategy: Strategy
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]
    buckets: Annotated[int, Field(ge=1, le=100_000)]
    tokens: Annotated[int, Field(ge=1, le=2**31 - 1)]
    window: Annotated[int, Field(ge=1, le=2**31 - 1)]
    padding: Padding


class ModelParams(Section):
    """The recurrent network that both tasks share."""

    input: Input
    embedding: Annotated[int, Field(ge=1, le=65_536)]
    front_end: FrontEnd
    filters: Annotated[int, Field(ge=1, le=65_536)]
    kernel: Annotated[int, Field(ge=1, le=1024)]
    stride: Annotated[int, Field(ge=1, le=1024)]
    conv_padding: ConvPadding
    cell: CellName
    activation: Activation
    units: Annotated[int, Field(ge=1, le=65_536)]
    layers: Annotated[int, Field(ge=1, le=64)]
    bidirectional: bool
    initial_state: InitialState
    masking: bool
    readout: Readout
    word_dropout: Annotated[float, Field(ge=0.0, lt=1.0, allow_inf_nan=False), NUMBER_FROM_TEXT]
    dropout: Annotated[float, Field(ge=0.0, lt=1.0, allow_inf_nan=False), NUMBER_FROM_TEXT]
    ensemble: Annotated[int, Field(ge=1, le=64)]


class OptimizerParams(Section):
    """Adam (Kingma and Ba, 2015)."""

    learning_rate: Annotated[float, Field(gt=0.0, le=10.0, allow_inf_nan=False), NUMBER_FROM_TEXT]
    schedule: Schedule
    clip_norm: Annotated[float, Field(gt=0.0, allow_inf_nan=False), NUMBER_FROM_TEXT] | None


class TrainParams(Section):
    """One training run."""

    seed: Seed
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    log_every: Annotated[int, Field(ge=1)]
    kernel: Kernel
    batching: BatchingParams
    model: ModelParams
    optimizer: OptimizerParams


class BaselinesParams(Section):
    """The linear models that a recurrent network has to beat."""

    inverse_regularization: Annotated[float, Field(gt=0.0, allow_inf_nan=False), NUMBER_FROM_TEXT]
    max_iterations: Annotated[int, Field(ge=1)]


class EvaluateParams(Section):
    """How sure the figures are."""

    bootstrap_samples: Annotated[int, Field(ge=10, le=1_000_000)]
    confidence: Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False), NUMBER_FROM_TEXT]
    seed: Seed
    kernel: Kernel


class ComparisonParams(Section):
    """How ablations are compared."""

    accuracy: Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False), NUMBER_FROM_TEXT]


class Params(Section):
    """The whole of `params.yaml`."""

    ingest: IngestParams
    tokens: TokensParams
    split: SplitParams
    vocabulary: VocabularyParams
    shards: ShardsParams
    train: TrainParams
    baselines: BaselinesParams
    evaluate: EvaluateParams
    comparison: ComparisonParams


def load_params(path: Path) -> Params:
    """Read and check all of a params file.

    Raises:
        ParamsError: one line with the dotted key, the value, what was expected and what to do.
    """
    return check_params(read_yaml(path), path)


def check_params(content: object, path: Path) -> Params:
    """The params that a file's content stands for.

    Args:
        content: what `read_yaml` gives.
        path: where the content is from, for the message.

    Raises:
        ParamsError: one line with the dotted key, the value, what was expected and what to do.
    """
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"{path}: {first_error(error, Params)}") from None
    if conflict := first_conflict(params.model_dump()):
        raise ParamsError(f"{path}: {conflict}")
    return params
