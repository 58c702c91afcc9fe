"""`params.yaml` as one frozen, strict model per section: what is not declared here is refused.

A section contains the dataclass of the library that it is about, whose fields are its keys (`contained`). No key has a
default here: the defaults are the values in `params.yaml`, beside their comments.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, ValidationError, create_model

from lengthwise.batching.plan import Strategy
from lengthwise.batching.registry import STRATEGIES, make_strategy, settings_of_strategies
from lengthwise.bounds import Count, Letters, OneOf, Within
from lengthwise.core.names import ClassWeighting, Kernel, Padding, SplitBy, Task, Unit
from lengthwise.corpora.corpus import Corpus, senseless
from lengthwise.corpora.registry import CORPORA
from lengthwise.errors import ParamsError
from lengthwise.evaluation.baseline_options import BaselineOptions, LinearOptions, NgramOptions, TagModelOptions
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.models.config import Architecture
from lengthwise.models.wanted_vectors import VectorsWanted
from lengthwise.pipeline.settings.conflicts import first_conflict
from lengthwise.pipeline.settings.contained import KeyNames, Section, key_type, section
from lengthwise.pipeline.settings.refusals import first_error
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.prepare.shards.lengths import LengthLimits
from lengthwise.prepare.splits import SplitShares
from lengthwise.system.strict_yaml import read_yaml
from lengthwise.training.training_settings import Course, OptimizerSettings

if TYPE_CHECKING:
    CorpusSections = Section

    class StrategyKeys(Section):
        """For those who check types."""

        strategy: str

else:
    # A section below `ingest` for each form of corpus, whose keys are the fields of its class.
    CorpusSections = create_model(
        "CorpusSections", __base__=Section, **{name: (corpus, ...) for name, corpus in CORPORA.items()}
    )
    # A key for each setting that some strategy has.
    StrategyKeys = create_model(
        "StrategyKeys",
        __base__=Section,
        strategy=(key_type(Annotated[str, OneOf(STRATEGIES)]), ...),
        **{name: (key_type(hint), ...) for name, hint in settings_of_strategies().items()},
    )


@section
class IngestParams(CorpusSections):
    """Where the corpus is, which form it has, and how much of it is read."""

    corpus: Annotated[str, OneOf(CORPORA)]
    source: Annotated[str, Letters(1)]
    max_member_mb: Annotated[int, Within(1, 4096)]
    groups: Count | None

    @property
    def chosen(self) -> Corpus:
        """The corpus that `corpus` names, with the keys of its own section."""
        chosen: Corpus = getattr(self, self.corpus)
        return chosen


@section
class TokensParams(Section):
    """How text becomes sentences of tokens."""

    options: TokenizerOptions


@section
class SplitParams(Section):
    """What is kept together, and how much of it is held out."""

    by: SplitBy
    shares: SplitShares


@section
class VocabularyParams(Section):
    """How many tokens the models know."""

    size: Annotated[int, Within(3, 10_000_000)]


@section
class ShardsParams(Section):
    """What a sequence is, and which lengths are kept."""

    unit: Unit
    limits: LengthLimits
    affixes: Annotated[int, Within(1, 8)] | None
    rows_per_shard: Count


@section
class BatchingParams(StrategyKeys):
    """How sequences come together in a batch."""

    padding: Padding
    group_limit: Count | None
    sample: Count | None
    window_blocks: Count | None

    @property
    def chosen(self) -> Strategy:
        """The strategy that `strategy` names, with those of the settings that it has."""
        return make_strategy(self.strategy, self.model_dump())


@section
class ModelParams(Section):
    """The recurrent network that all tasks share, and the vectors that its embedding begins with."""

    architecture: Architecture
    pretrained: Annotated[VectorsWanted, KeyNames(source="vectors", file="vectors_file", frozen="vectors_frozen")]


@section
class OptimizerParams(Section):
    """What takes the steps of training."""

    settings: OptimizerSettings


@section
class TrainParams(Section):
    """One training run."""

    course: Course
    class_weights: ClassWeighting
    kernel: Kernel
    logical_shards: Annotated[int, Within(2, 1024)] | None
    batching: BatchingParams
    model: ModelParams
    optimizer: OptimizerParams


@section
class BaselinesParams(Section):
    """The simple models that a recurrent network has to beat."""

    linear: LinearOptions
    tags: Annotated[TagModelOptions, KeyNames(window="tag_window", bits="tag_bits", epochs="tag_epochs")]
    ngrams: Annotated[NgramOptions, KeyNames(order="ngram_order")]

    @property
    def options(self) -> BaselineOptions:
        """Those of all tasks."""
        return BaselineOptions(self.linear, self.tags, self.ngrams)


@section
class EvaluateParams(Section):
    """How sure the figures are."""

    bootstrap: Annotated[Bootstrap, KeyNames(samples="bootstrap_samples")]
    kernel: Kernel


@section
class ComparisonParams(Section):
    """How ablations are compared."""

    accuracy: Annotated[float, Within(above=0.0, below=1.0)]


def _each_once(tasks: list[Task]) -> list[Task]:
    if len(set(tasks)) < len(tasks):
        raise senseless("a task stands twice", "remove one")
    return tasks


class Params(Section):
    """The whole of `params.yaml`."""

    tasks: Annotated[list[Task], Field(min_length=1), AfterValidator(_each_once)]
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
