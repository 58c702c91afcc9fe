"""How a network is trained: settings that check themselves, without TensorFlow."""

from dataclasses import dataclass
from typing import Annotated

from lengthwise.batching.plan import Strategy
from lengthwise.bounds import Count, Seed, Within, check_fields
from lengthwise.names import Padding, Schedule


@dataclass(frozen=True)
class Course:
    """How long a training is, and what of it is recorded.

    Attributes:
        seed: of the order of batches, with the number of the epoch.
        epochs: passes over the training sequences.
        log_every: steps between two points of the curves.

    Raises:
        ArgumentError: a setting is out of range; it is a `ValueError`.
    """

    seed: Seed
    epochs: Annotated[int, Within(1, 100_000)]
    log_every: Count

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class OptimizerSettings:
    """How Adam (Kingma and Ba, 2015) takes its steps.

    >>> from lengthwise.training.training_settings import OptimizerSettings
    >>> OptimizerSettings(learning_rate=0.001, schedule="linear", clip_norm=None)
    Traceback (most recent call last):
    lengthwise.errors.ArgumentError: schedule: got 'linear'; expected one of constant, cosine

    Attributes:
        learning_rate: the largest.
        schedule: `constant` or `cosine`.
        clip_norm: the largest norm of a step's gradients; None for any.

    Raises:
        ArgumentError: a setting is out of range; it is a `ValueError`.
    """

    learning_rate: Annotated[float, Within(above=0.0, most=10.0)]
    schedule: Schedule
    clip_norm: Annotated[float, Within(above=0.0)] | None

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

    Raises:
        ArgumentError: there is no such padding; it is a `ValueError`.
    """

    course: Course
    strategy: Strategy
    padding: Padding
    optimizer: OptimizerSettings

    def __post_init__(self) -> None:
        check_fields(self)
