"""Lengthwise beside its peers: the article's classifier trained and evaluated on the same sentences in one run.

    python benchmarks/training.py data/shards --rounds 3 --seconds 4 --out benchmarks/results

The model is always the same: embedding, one GRU (`reset_after`), dropout, softmax over the joint classes, Adam, about
256 sentences an update, in float32, of the sizes in params.yaml. Every contestant is a process of its own, so that no
library's threads meet another's; it is warmed up, and then works a few seconds at a time while all others wait. Rounds
are interleaved and every other one is reversed. Peers read batches that were cut and padded before the clock runs; this
project cuts its own while it runs.

Rates are tokens per second by the mean length, since that depends least on which batches fell into a turn. A ratio is
the median of the rounds' ratios to the first row. The share of the limit counts what real tokens need of the GRU's
matrix products against what the same machine does in one large matrix product in the same round.

Run it on an idle machine. Turns in which other processes worked are counted below the table, and `--out` then writes
nothing; PyTorch with a thread for each core comes to a standstill, since its threads wait for each other by spinning.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from article import article_params
from peers import report
from peers.chart import write_chart
from peers.data import Data, subset
from peers.processes import Contestant, Turn, Worker

from lengthwise.pipeline.settings.params import TrainParams
from lengthwise.prepare.shards.reader import ShardIndex, read_index, read_split

TASKS = ("classifier", "seq2seq", "evaluation")
KERNELS = ("keras", "native")
STRATEGIES = ("padded", "bucketed", "exact", "stratified", "token_budget", "packed")
# What the peers are, too.
MODEL = {"input": "embedding", "front_end": "none", "cell": "gru", "activation": "tanh", "layers": 1}

# Keras's `steps_per_execution`, whose default is 1.
TUNED = 16

MATRIX = Contestant("matrix product", "matrix_product")
MATRIX_SECONDS = 1.0
# Processes that are set up at once, and the seconds it takes about.
AT_ONCE, SETUP_SECONDS = 2, 9.0
SEED = 1


def contestants(task: str, kernels: list[str]) -> list[Contestant]:
    """The rows of a task's table; the first is the base of the ratios."""
    if task == "evaluation":
        ours = [Contestant(f"lengthwise, {kernel}", "lengthwise_steps", {"kernel": kernel}) for kernel in kernels]
        stock = [_keras("keras predict, padded", "padded"), _keras("keras predict, five buckets", "bucketed")]
        return [*stock, *(_onnx(threads) for threads in (1, 2)), *ours]
    buckets = [_keras("keras fit, five buckets", "bucketed"), _keras("keras fit, five buckets", "bucketed", TUNED)]
    if task == "seq2seq":
        return [*buckets, *_ours(("padded", "bucketed"), kernels)]
    return [
        _keras("keras fit, padded", "padded"),
        _keras("keras fit, padded", "padded", TUNED),
        # As the first row, but for the import of one layer.
        _keras("keras fit, padded, lengthwise.GRU", "padded", recurrent="lengthwise"),
        # What is left of the first row without that layer: no import can save more.
        _keras("keras fit, padded, nothing recurrent", "padded", recurrent="nothing"),
        *buckets,
        _keras("keras fit, bucket_by_sequence_length", "bucket_by_sequence_length"),
        _keras("keras fit, exact length", "exact"),
        _pytorch("random", "padded", 1),
        _pytorch("random", "padded", 2),
        _pytorch("buckets", "bucketed", 1),
        _pytorch("buckets", "bucketed", 2),
        _pytorch("exact length", "exact", 1, packed=False),
        _pytorch("exact length", "exact", 2, packed=False),
        _pytorch("exact length", "exact", 1, packed=False, compiled=True),
        Contestant("jax scan, exact length", "jax_scan"),
        *_ours(STRATEGIES, kernels),
    ]


def _keras(name: str, batching: str, steps: int = 1, *, recurrent: str = "keras") -> Contestant:
    if steps > 1:
        name = f"{name}, {steps} steps a call"
    options = {"batching": batching, "steps_per_execution": steps, "recurrent": recurrent}
    return Contestant(name, "keras_models", options)


def _pytorch(name: str, batching: str, threads: int, *, packed: bool = True, compiled: bool = False) -> Contestant:
    how = "pytorch packed" if packed else "pytorch compiled" if compiled else "pytorch unpacked"
    options = {"batching": batching, "threads": threads, "packed": packed, "compiled": compiled}
    return Contestant(f"{how}, {name}, {_threads(threads)}", "pytorch", options)


def _onnx(threads: int) -> Contestant:
    return Contestant(f"onnx runtime, exact length, {_threads(threads)}", "onnx_runtime", {"threads": threads})


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _ours(strategies: tuple[str, ...], kernels: list[str]) -> list[Contestant]:
    return [
        Contestant(f"lengthwise, {batching}, {kernel}", "lengthwise_steps", {"batching": batching, "kernel": kernel})
        for kernel in kernels
        for batching in strategies
    ]


def read_data(task: str, shards: Path, index: ShardIndex, sentences: int, params: TrainParams) -> Data:
    """As many sentences as asked for: of the training split, or, to evaluate, of the test split."""
    sequences = read_split(shards, index, "test" if task == "evaluation" else "train")
    return Data(task, subset(sequences, sentences, SEED), index.vocabulary_size, tuple(index.factors), params)


@contextmanager
def workers(group: list[Contestant], data: Data) -> Iterator[tuple[list[Worker], dict[str, str]]]:
    """Processes of all that can take part, warm and waiting, and why the others cannot; ended at the end."""
    started: list[Worker] = []
    skipped: dict[str, str] = {}
    try:
        for begin in range(0, len(group), AT_ONCE):
            pair = [Worker(contestant, data) for contestant in group[begin : begin + AT_ONCE]]
            started += pair
            for worker in pair:
                reason = worker.wait()
                if reason is not None:
                    skipped[worker.contestant.name] = reason
                say(f"{data.task}: {worker.contestant.name}: {f'skipped: {reason}' if reason else 'ready'}")
        yield [worker for worker in started if worker.contestant.name not in skipped], skipped
    finally:
        for worker in started:
            worker.stop()


def measure(group: list[Contestant], data: Data, rounds: int, seconds: float) -> report.Measured:
    """Let all contestants, and the matrix product, work in turn."""
    results = []
    with workers([MATRIX, *group], data) as (ready, skipped):
        for number in range(rounds):
            turns: dict[str, Turn] = {}
            for worker in ready[:: -1 if number % 2 else 1]:
                name = worker.contestant.name
                turn = turns[name] = worker.turn(MATRIX_SECONDS if worker.contestant is MATRIX else seconds)
                if worker.contestant is not MATRIX:
                    rate = turn.tokens / turn.seconds / data.mean_length
                    disturbed = f", others kept {turn.others:.1f} cores busy" if report.is_disturbed(turn) else ""
                    say(f"{data.task}: round {number + 1} of {rounds}: {name}: {rate:,.0f} sentences/s{disturbed}")
            results.append({worker.contestant.name: turns[worker.contestant.name] for worker in ready})
        padding = {worker.contestant.name: worker.padding_share for worker in ready}
    matrix = [turns.pop(MATRIX.name) for turns in results]
    return report.Measured(data, matrix, results, padding, skipped)


def estimate(groups: dict[str, list[Contestant]], rounds: int, seconds: float) -> float:
    """Minutes that a run takes about."""
    setups = sum(-(-(len(group) + 1) // AT_ONCE) for group in groups.values())
    turns = sum(len(group) * seconds + MATRIX_SECONDS for group in groups.values())
    return (setups * SETUP_SECONDS + rounds * turns) / 60


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure all tasks, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path, metavar="SHARDS", help="folder of shards, from the stage shards")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contestant (default: 3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds of a turn (default: 4)")
    parser.add_argument("--sentences", type=int, default=200_000, help="to train on (default: 200000)")
    parser.add_argument("--test-sentences", type=int, default=50_000, help="to predict (default: 50000)")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="default: all")
    parser.add_argument("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS), help="default: all")
    parser.add_argument("--only", default="", metavar="TEXT", help="the first row and those whose name has this in it")
    parser.add_argument("--out", type=Path, help="folder for training.csv, training.json and training.svg")
    arguments = parser.parse_args()
    params = article_params()
    params = params.model_copy(update={"model": params.model.model_copy(update=MODEL)})
    index = read_index(arguments.shards)
    groups = {}
    for task in arguments.tasks:
        base, *others = contestants(task, arguments.kernels)
        groups[task] = [base, *(other for other in others if arguments.only in other.name)]
    say(f"about {estimate(groups, arguments.rounds, arguments.seconds):.0f} minutes")
    measured = []
    for task, group in groups.items():
        sentences = arguments.test_sentences if task == "evaluation" else arguments.sentences
        data = read_data(task, arguments.shards, index, sentences, params)
        measured.append(measure(group, data, arguments.rounds, arguments.seconds))
        print(report.table(measured[-1]), end="\n\n", flush=True)
    if arguments.out is not None:
        if disturbed := sum(report.disturbed_turns(of_task) for of_task in measured):
            sys.exit(
                f"error: --out: got {disturbed} turns in which other processes worked; expected an idle machine; "
                "nothing is written; measure again"
            )
        settings = {"rounds": arguments.rounds, "seconds": arguments.seconds, "train": params.model_dump()}
        arguments.out.mkdir(parents=True, exist_ok=True)
        made = [row for task in measured for row in report.rows(task)]
        report.write_csv(arguments.out / "training.csv", made)
        report.write_json(arguments.out / "training.json", measured, settings)
        write_chart(arguments.out / "training.svg", made)


if __name__ == "__main__":
    main()
