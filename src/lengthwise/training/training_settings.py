"""How a network is trained: settings that check themselves, without TensorFlow."""

from dataclasses import dataclass
from typing import Annotated

from lengthwise.batching.plan import Strategy
from lengthwise.bounds import Count, Seed, Share, Within, check_fields
from lengthwise.core.names import BestBy, ClassWeighting, OptimizerName, Padding, Schedule


@dataclass(frozen=True)
class Course:
    """How long a training is, and what of it is recorded.

    Attributes:
        seed: of the order of batches, with the number of the epoch.
        epochs: passes over the training sequences, at most.
        log_every: steps between two points of the curves.
        best: the figure of validation by which the weights of the best epoch are kept; `none`: those of the last.
        patience: epochs without a better figure after which training stops; None: it goes on to the last epoch.

    Raises:
        ArgumentError: a setting is out of range; it is a `ValueError`.
    """

    seed: Seed
    epochs: Annotated[int, Within(1, 100_000)]
    log_every: Count
    best: BestBy
    patience: Count | None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class OptimizerSettings:
    """How steps are taken, by one of the optimizers of `lengthwise.training.optimizers`.

    >>> from lengthwise.training.training_settings import OptimizerSettings
    >>> rest = {"name": "adam", "momentum": 0.0, "weight_decay": 0.0, "warmup_steps": 0}
    >>> OptimizerSettings(learning_rate=0.001, schedule="falling", clip_norm=None, **rest)
    Traceback (most recent call last):
    lengthwise.errors.ArgumentError: schedule: got 'falling'; expected one of constant, cosine, linear

    Attributes:
        learning_rate: the largest.
        schedule: `constant`, `cosine` or `linear`.
        clip_norm: the largest norm of a step's gradients; None for any.
        name: `adam`, `adamw` or `sgd`.
        momentum: of `sgd`: the share of the step before that is taken again, in [0, 1).
        weight_decay: of `adamw` and `sgd`: the share of embeddings and kernels that a step with a learning rate of 1
            takes away.
        warmup_steps: steps in which the learning rate rises to its largest, before the schedule begins.

    Raises:
        ArgumentError: a setting is out of range; it is a `ValueError`.
    """

    learning_rate: Annotated[float, Within(above=0.0, most=10.0)]
    schedule: Schedule
    clip_norm: Annotated[float, Within(above=0.0)] | None
    name: OptimizerName
    momentum: Share
    weight_decay: Annotated[float, Within(0.0, below=1.0)]
    warmup_steps: Annotated[int, Within(0, 2**31 - 1)]

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
        course: how long.
        strategy: how sequences come together in batches.
        padding: `post` or `pre`.
        optimizer: how steps are taken.
        class_weights: `none`, or `balanced`: all classes count the same together, see `balanced_weights`.

    Raises:
        ArgumentError: there is no such padding or weighting; it is a `ValueError`.
    """

    course: Course
    strategy: Strategy
    padding: Padding
    optimizer: OptimizerSettings
    class_weights: ClassWeighting

    def __post_init__(self) -> None:
        check_fields(self)
