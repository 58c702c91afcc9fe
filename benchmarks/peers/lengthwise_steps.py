"""Lengthwise itself: its training step as the stage train runs it, and its evaluation."""

import io
from contextlib import redirect_stderr
from itertools import count

import numpy as np

from lengthwise.batching.for_evaluation import evaluation_plan
from lengthwise.batching.stats import plan_stats
from lengthwise.errors import KernelError
from lengthwise.models.config import NetworkConfig
from lengthwise.models.network import Network
from lengthwise.models.prediction import predict_split
from lengthwise.training.determinism import start_tensorflow
from lengthwise.training.step import Steps
from peers.data import Data
from peers.processes import Stopwatch, Unavailable


def run(data: Data, stopwatch: Stopwatch, *, kernel: str, batching: str | None = None) -> None:
    """Train, or for the task `evaluation` predict, without end.

    Args:
        data: the task, and what on.
        stopwatch: what to count on.
        kernel: what computes the recurrent layer.
        batching: a strategy's name; evaluation has a plan of its own.
    """
    if data.task == "evaluation":
        _evaluate(data, stopwatch, _network(data, "classifier", kernel))
        return
    # As the stage train, which pays for runs of the same bytes.
    start_tensorflow(data.params.seed, kernel)
    _train(data, stopwatch, _network(data, data.task, kernel), batching)


def _network(data: Data, task: str, kernel: str) -> Network:
    config = NetworkConfig(task, data.vocabulary_size, data.factors, **vars(data.params.model.architecture))
    try:
        return Network(config, kernel=kernel)
    except KernelError as error:
        raise Unavailable(str(error)) from None


def _train(data: Data, stopwatch: Stopwatch, network: Network, strategy: str) -> None:
    steps = Steps(network, data.params.optimizer.learning_rate, data.params.optimizer.clip_norm)
    for epoch in count():
        plan = data.plan(strategy, epoch)
        stopwatch.padding_share = plan_stats(plan).padding_share
        sentences, tokens, number = np.diff(plan.offsets), plan.steps, 0
        for figures, _ in steps.train_over(plan, data.sequences):
            done = slice(number, number + len(figures))
            stopwatch.tick(int(sentences[done].sum()), int(tokens[done].sum()), len(figures))
            number += len(figures)


def _evaluate(data: Data, stopwatch: Stopwatch, network: Network) -> None:
    """A turn is whole calls, from the plan to the figures by time step."""
    plan = evaluation_plan(data.sequences.lengths)
    stopwatch.padding_share = plan_stats(plan).padding_share
    while True:
        with redirect_stderr(io.StringIO()):
            predict_split(network, data.sequences)
        stopwatch.tick(len(data.sequences), len(data.sequences["tokens"]), len(plan))
