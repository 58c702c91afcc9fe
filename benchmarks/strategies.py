"""What a step costs under every batching strategy, on the same real sequences in one run.

    python benchmarks/strategies.py data/shards --rounds 3

Trains the shipped network on the first batches of an epoch of each strategy in turn, several rounds, and prints medians
and their ratios to `padded`. Rows of `packed` and `truncated` hold several sequences: their batches have fewer rows, so
that all strategies update the weights after about as many sequences.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
from article import article_params

from lengthwise.batching.bursts import in_bursts
from lengthwise.batching.collate import collate
from lengthwise.batching.plan import Plan, epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy
from lengthwise.batching.stats import plan_stats
from lengthwise.core.sequences import Sequences
from lengthwise.models.config import NetworkConfig
from lengthwise.models.network import Network
from lengthwise.pipeline.settings.params import TrainParams
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.training.step import Steps


def plan_of(name: str, sequences: Sequences, params: TrainParams) -> Plan:
    """An epoch's plan with the shipped settings."""
    settings = params.batching.model_dump()
    if STRATEGIES[name].packs or STRATEGIES[name].cuts:
        settings["batch_size"] = round(settings["batch_size"] * sequences.lengths.mean() / settings["window"])
    return make_strategy(name, settings).plan(sequences.lengths, epoch_rng(params.seed, 0))


def tokens_per_second(steps: Steps, plan: Plan, sequences: Sequences, batches: int) -> float:
    """Train on the first batches of a plan; the first of all has been traced before."""
    states = None
    started = time.perf_counter()
    numbers = range(min(batches, len(plan)))
    for batch in in_bursts(lambda number: steps.prepare(collate(plan, number, sequences)), numbers):
        _, states = steps.train(batch, states)
    return float(plan.steps[:batches].sum()) / (time.perf_counter() - started)


def main() -> None:
    """Run all strategies in turn, several rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path, metavar="SHARDS", help="folder of shards, from the stage shards")
    parser.add_argument("--batches", type=int, default=200, help="of each strategy and round (default: 200)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each strategy (default: 3)")
    arguments = parser.parse_args()
    params = article_params()
    index = read_index(arguments.shards)
    sequences = read_split(arguments.shards, index, "train")
    config = NetworkConfig("classifier", index.vocabulary_size, tuple(index.factors), **params.model.model_dump())
    steps = Steps(Network(config), params.optimizer.learning_rate, params.optimizer.clip_norm)
    plans = {name: plan_of(name, sequences, params) for name in sorted(STRATEGIES)}
    tokens_per_second(steps, plans["padded"], sequences, 5)
    rates: dict[str, list[float]] = {name: [] for name in plans}
    for _ in range(arguments.rounds):
        for name, plan in plans.items():
            rates[name].append(tokens_per_second(steps, plan, sequences, arguments.batches))
            print(f"{name}: {rates[name][-1]:,.0f} tokens/s", flush=True)
    length = float(np.mean(sequences.lengths))
    middle = {name: median(values) for name, values in rates.items()}
    print(f"{'strategy':18} {'sequences/s':>12} {'to padded':>10} {'padding':>8} {'batches':>8}")
    for name, rate in middle.items():
        stats = plan_stats(plans[name])
        ratio = rate / middle["padded"]
        print(f"{name:18} {rate / length:12,.0f} {ratio:10.2f} {stats.padding_share:8.1%} {stats.batches:8,}")


if __name__ == "__main__":
    main()
