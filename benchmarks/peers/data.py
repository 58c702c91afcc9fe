"""What every contestant is given: the same sequences and the same settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from lengthwise.batching.collate import Batch, collate
from lengthwise.batching.plan import Plan, epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.core.labels import LabelFactor, joint_class_names
from lengthwise.core.sequences import Sequences
from lengthwise.pipeline.settings.params import TrainParams

Item = TypeVar("Item")


@dataclass(frozen=True)
class Data:
    """A task and what it is done on.

    Attributes:
        task: `classifier`, `seq2seq` or `evaluation`.
        sequences: what to train on, or to predict.
        vocabulary_size: ids, `<PAD>` (0) and `<UNK>` (1) among them.
        factors: of the labels.
        params: the section `train`, its model a GRU of one layer.
    """

    task: str
    sequences: Sequences
    vocabulary_size: int
    factors: tuple[LabelFactor, ...]
    params: TrainParams

    @property
    def classes(self) -> int:
        """Joint classes."""
        return len(joint_class_names(self.factors))

    @cached_property
    def mean_length(self) -> float:
        """Tokens of a sequence."""
        return float(self.sequences.lengths.mean())

    @property
    def forward_flop(self) -> float:
        """Floating-point operations of the GRU's two matrix products, per token, forward alone."""
        model = self.params.model
        return 2.0 * 3 * model.units * (model.embedding + model.units)

    @property
    def token_flop(self) -> float:
        """The same for the task: a backward pass costs twice a forward one."""
        return self.forward_flop * (1 if self.task == "evaluation" else 3)

    def plan(self, strategy: str, epoch: int = 0) -> Plan:
        """An epoch's plan; rows that hold several sequences are fewer, so that an update has seen about as many."""
        settings = self.params.batching.model_dump()
        if STRATEGIES[strategy].packs or STRATEGIES[strategy].cuts:
            settings["batch_size"] = round(settings["batch_size"] * self.mean_length / settings["window"])
        return make_strategy(strategy, settings).plan(self.sequences.lengths, epoch_rng(self.params.seed, epoch))


def subset(sequences: Sequences, count: int, seed: int) -> Sequences:
    """As many sequences, drawn at random without replacement, in random order; all if there are no more."""
    rows = np.random.default_rng(seed).permutation(len(sequences))[:count]
    return sequences.take(rows)


def cut(plan: Plan, sequences: Sequences) -> list[Batch]:
    """All batches of a plan, made before any clock runs: what peers read is in memory and padded already."""
    return [collate(plan, number, sequences) for number in range(len(plan))]


def endless(items: list[Item], seed: int) -> Iterator[Item]:
    """All items in random order, again and again, each pass in another order; of the same seed the same."""
    rng = np.random.default_rng(seed)
    while True:
        for number in rng.permutation(len(items)).tolist():
            yield items[number]
