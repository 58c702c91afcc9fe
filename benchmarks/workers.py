"""What a step costs by one worker, by several, and by several threads, and what the network carries between machines.

    python benchmarks/workers.py rate data/shards --batch 256 2048 --rounds 5
    python benchmarks/workers.py validation data/shards --rounds 3
    python benchmarks/workers.py arithmetic --vocabulary 10000 --units 64 512

`rate` runs the stage train of the shipped classifier on two processors, in turn: whole batches with one thread and with
two, and logical shards by one worker with one thread, one with two, and two with one each. Two runs at once, which have
nothing in common, say what the second processor is worth: no two workers can be faster. Ratios are medians of the
rounds. `validation` times the validation of an epoch by one worker and by two, of one thread each: by the clock, and
the processor seconds of worker 0. `arithmetic` says what a step sends and how long that takes, beside the measured cost
of a step of one thread.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import yaml

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = ("model", "figures", "epochs.csv", "steps.csv", "live.json", "environment.json", "timing.json")
# Logical shards, workers and threads of each.
KINDS = {
    "whole batches, 1 thread": (None, 1, 1),
    "whole batches, 2 threads": (None, 1, 2),
    "8 shards, 1 worker, 1 thread": (8, 1, 1),
    "8 shards, 1 worker, 2 threads": (8, 1, 2),
    "8 shards, 2 workers, 1 thread": (8, 2, 1),
}
BASE = "8 shards, 1 worker, 1 thread"
TWO_RUNS = "8 shards, 2 runs at once, 1 thread each"
GIGABIT = 1e9 / 8
# Runs a stage, and says on standard output how long each validation took, by the clock and in processor seconds.
WATCHED = """
import runpy, sys, time
from lengthwise.training.loop import Training
validate = Training._validate
def timed(self):
    clock, processor = time.perf_counter(), time.process_time()
    sums = validate(self)
    print(time.perf_counter() - clock, time.process_time() - processor)
    return sums
Training._validate = timed
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(shards: Path, batch: int, epochs: int, kind: tuple[int | None, int, int]) -> tuple[float, list[list[float]]]:
    """The rate of one run of the stage train, in sequences a second, and the seconds of its validations."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    logical, workers, threads = kind
    params["train"] |= {"epochs": epochs, "logical_shards": logical, "log_every": 1000}
    params["train"]["batching"]["batch_size"] = batch
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": str(threads), "LENGTHWISE_TRAIN_WORKERS": str(workers)}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        command = [
            sys.executable,
            "-c",
            WATCHED,
            ROOT / "stages" / "train.py",
            "classifier",
            shards.resolve(),
            *OUTPUTS,
        ]
        done = subprocess.run(  # noqa: S603 - the project's own stage.
            command, cwd=folder, env=environment, check=True, capture_output=True, text=True
        )
        timing = json.loads((Path(folder) / "timing.json").read_text(encoding="utf-8"))
        seconds = [[float(number) for number in line.split()] for line in done.stdout.splitlines()]
        return float(timing["sequences_per_second"]), seconds


def rate(arguments: argparse.Namespace) -> None:
    """Rates of all kinds in turn."""
    for batch in arguments.batch:
        found: dict[str, list[float]] = {name: [] for name in (*KINDS, TWO_RUNS)}
        for number in range(arguments.rounds):
            for name in list(found)[:: -1 if number % 2 else 1]:
                of_one = partial(run, arguments.shards, batch, arguments.epochs)
                kinds = [KINDS[BASE]] * 2 if name == TWO_RUNS else [KINDS[name]]
                with ThreadPoolExecutor(len(kinds)) as runs:
                    found[name].append(sum(made for made, _ in runs.map(of_one, kinds)))
        print(f"batch {batch}")
        for name, rates in found.items():
            ratios = [here / base for here, base in zip(rates, found[BASE], strict=True)]
            spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"  {name:<39} {median(rates):>8,.0f} sequences/s  {spread}", flush=True)


def validation(arguments: argparse.Namespace) -> None:
    """Seconds of a validation by one worker and by two, in turn."""
    kinds = {name: kind for name, kind in KINDS.items() if kind[0] is not None and kind[2] == 1}
    found: dict[str, list[list[float]]] = {name: [] for name in kinds}
    for number in range(arguments.rounds):
        for name in list(found)[:: -1 if number % 2 else 1]:
            # The first one is traced and compiled.
            _, (_, *seconds) = run(arguments.shards, 2048, 3, kinds[name])
            found[name] += seconds
    for name, seconds in found.items():
        kinds_of = [f"{median(of):.2f} ({min(of):.2f} to {max(of):.2f})" for of in zip(*seconds, strict=True)]
        print(f"  {name:<39} {kinds_of[0]} s by the clock, {kinds_of[1]} processor seconds of worker 0", flush=True)


def arithmetic(arguments: argparse.Namespace) -> None:
    """What each step sends from a machine, and gets, and from which batch on two machines are faster than one."""
    print("vocabulary  units  weights      each way   1 Gbit/s  10 Gbit/s   pays from a step of (1, 10 Gbit/s)")
    for vocabulary in arguments.vocabulary:
        for units in arguments.units:
            # Embedding of 64, gates of a GRU with two biases, six classes.
            weights = vocabulary * 64 + 3 * units * (64 + units + 2) + 6 * units + 6
            sent = 4 * weights
            # One machine's sums go to the other, and the total comes back: neither waits for the network otherwise.
            waits = [2 * sent / (speed * GIGABIT) for speed in (1, 10)]
            # Half of the computing is saved.
            pays = "  ".join(f"{2000 * wait:7.1f} ms" for wait in waits)
            times = "  ".join(f"{1000 * wait:6.1f} ms" for wait in waits)
            print(f"{vocabulary:>10,} {units:>6} {weights:>8,} {sent / 2**20:>9.1f} MiB  {times}   {pays}")


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    of_rate = commands.add_parser("rate")
    of_rate.add_argument("shards", type=Path)
    of_rate.add_argument("--batch", type=int, nargs="+", default=[256, 2048])
    of_rate.add_argument("--rounds", type=int, default=5)
    of_rate.add_argument("--epochs", type=int, default=6)
    of_rate.set_defaults(call=rate)
    of_validation = commands.add_parser("validation")
    of_validation.add_argument("shards", type=Path)
    of_validation.add_argument("--rounds", type=int, default=3)
    of_validation.set_defaults(call=validation)
    of_network = commands.add_parser("arithmetic")
    of_network.add_argument("--vocabulary", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    of_network.add_argument("--units", type=int, nargs="+", default=[64, 512])
    of_network.set_defaults(call=arithmetic)
    arguments = parser.parse_args()
    arguments.call(arguments)


if __name__ == "__main__":
    main()
