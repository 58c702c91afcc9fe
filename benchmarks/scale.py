"""Training through a window of blocks beside training in memory: memory, rate, how random an epoch is, and accuracy.

    python benchmarks/scale.py make FOLDER --sequences 10000000
    python benchmarks/scale.py memory FOLDER --windows 16 64 none --limit-mib 4096
    python benchmarks/scale.py beyond FOLDER --windows 64 --limit-mib 2048
    python benchmarks/scale.py rate data/shards --windows 16 64 --rounds 3
    python benchmarks/scale.py order data/shards --windows 1 4 16 64
    python benchmarks/scale.py accuracy data/shards --windows none 64 16 4 1 --seeds 3

`make` writes shards of invented sequences of 5 to 30 tokens. `memory` runs the stage train on them, an epoch of a small
network, in a process of its own that may hold so many MiB of data (RLIMIT_DATA), and prints its peak. `beyond` opens
and plans more than memory holds, its files out of the page cache, and trains the shipped network on a few windows and
on as many sequences in memory in turn: it ends long before an epoch does, and refuses a corpus that has fewer windows.
`rate` trains the shipped network for an epoch in memory and through windows in turn, reading and planning included;
ratios are of processor seconds, medians of the rounds. `order` compares batches with those of a full shuffle, and needs
no training. `accuracy` runs the stage train. `none` is training in memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from invented_shards import write_invented

from lengthwise.batching.block_windows import windows_of
from lengthwise.batching.plan import Strategy
from lengthwise.pipeline.settings.params import TrainParams, load_params
from lengthwise.pipeline.stage import PARAMS_FILE
from lengthwise.prepare.shards.reader import ShardIndex, read_index, read_split
from lengthwise.prepare.shards.shard_blocks import ShardBlocks
from lengthwise.training.epoch_parts import EpochParts, EpochPlans, InMemory, Windowed

if TYPE_CHECKING:
    from lengthwise.training.step import Steps

ROOT = Path(__file__).resolve().parents[1]
# What the stage train writes, in the order of its arguments.
OUTPUTS = ("model", "figures", "epochs.csv", "steps.csv", "live.json", "environment.json", "timing.json")
SMALL = {"train.epochs": 1, "train.model.embedding": 8, "train.model.units": 8, "train.log_every": 1000}
Window = int | None
# Windows that are trained on before as many sequences in memory are.
IN_TURN = 4


def run_stage(shards: Path, changes: dict[str, object], limit_mib: int | None = None) -> dict[str, Any] | str:
    """The figures and times of the stage train with changed params, or the last line that it said as it failed."""
    params = yaml.safe_load((ROOT / PARAMS_FILE).read_text(encoding="utf-8"))
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = params
        for part in sections:
            section = section[part]
        section[name] = value

    def limit() -> None:
        if limit_mib is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit_mib << 20, limit_mib << 20))

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / PARAMS_FILE).write_text(yaml.safe_dump(params), encoding="utf-8")
        command = [sys.executable, ROOT / "stages" / "train.py", "classifier", shards.resolve(), *OUTPUTS]
        done = subprocess.run(  # noqa: S603 - the project's own stage.
            command, cwd=folder, preexec_fn=limit, capture_output=True, text=True, check=False, env=dict(os.environ)
        )
        if done.returncode:
            return f"failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]:.100}"
        figures = json.loads((Path(folder) / "figures" / "figures.json").read_text(encoding="utf-8"))
        return figures | json.loads((Path(folder) / "timing.json").read_text(encoding="utf-8"))


def memory(arguments: argparse.Namespace) -> None:
    """Peaks of whole runs."""
    rows = read_index(arguments.shards).splits["train"].rows
    print(f"{rows:,} training sequences; limit {arguments.limit_mib} MiB of data")
    for window in arguments.windows:
        made = run_stage(arguments.shards, {**SMALL, "train.batching.window_blocks": window}, arguments.limit_mib)
        said = made if isinstance(made, str) else f"peak {made['peak_memory_mib']} MiB in {made['seconds']:.0f} s"
        print(f"window {window!s:>5}: {said}", flush=True)


def parts_of(shards: Path, index: ShardIndex, window: Window, seed: int) -> EpochParts:
    """The training sequences, as the stage takes them."""
    if window is None:
        return InMemory(read_split(shards, index, "train"))
    return Windowed(ShardBlocks(shards, index, "train"), window, seed)


def steps_of(params: TrainParams, index: ShardIndex) -> "Steps":
    """The steps of a fresh classifier."""
    # TensorFlow is imported once a limit is set.
    from lengthwise.models.config import NetworkConfig
    from lengthwise.models.network import Network
    from lengthwise.training.step import Steps

    config = NetworkConfig("classifier", index.vocabulary_size, tuple(index.factors), **vars(params.model.architecture))
    return Steps(Network(config), params.optimizer.learning_rate, params.optimizer.clip_norm)


def rate(arguments: argparse.Namespace) -> None:
    """Tokens a processor second, in memory and through windows in turn."""
    params = params_of(arguments)
    index = read_index(arguments.shards)
    steps = steps_of(params, index)
    all_parts = {window: parts_of(arguments.shards, index, window, 1) for window in (None, *arguments.windows)}
    taken: dict[Window, list[tuple[float, float]]] = {window: [] for window in all_parts}
    for number in range(arguments.rounds + 1):
        for window in list(all_parts)[:: -1 if number % 2 else 1]:
            clock, processor = time.perf_counter(), time.process_time()
            plans = EpochPlans(all_parts[window], params.batching.chosen, 1)
            for part, sequences in enumerate(all_parts[window].read(number)):
                for _ in steps.train_over(plans.of(number, part), sequences):
                    pass
                del sequences
            seconds = time.process_time() - processor, time.perf_counter() - clock
            print(f"round {number} window {window}: {seconds[0]:.1f} processor seconds, {seconds[1]:.1f} s", flush=True)
            if number:  # The first round is traced and compiled.
                taken[window].append(seconds)
    for window, found in taken.items():
        kinds = [[base[kind] / one[kind] for one, base in zip(found, taken[None], strict=True)] for kind in (0, 1)]
        said = [f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})" for ratios in kinds]
        print(f"window {window!s:>5}: of the rate in memory {said[0]} by processor seconds, {said[1]} by the clock")


def beyond(arguments: argparse.Namespace) -> None:
    """Seconds until the first step, and the rate of windows that come from a cold disk to that in memory."""
    if arguments.limit_mib is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (arguments.limit_mib << 20,) * 2)
    params, index = params_of(arguments), read_index(arguments.shards)
    forget(arguments.shards)
    clock = time.perf_counter()
    blocks, window = ShardBlocks(arguments.shards, index, "train"), arguments.windows[0]
    parts = Windowed(blocks, window, 1)
    opened = time.perf_counter() - clock
    # The first round, each of the others, and what is in memory have windows of their own: all come from the disk.
    needed = (arguments.rounds + 2) * IN_TURN
    if parts.parts < needed:
        raise SystemExit(
            f"{arguments.shards}: has {parts.parts} windows of {window} blocks; expected at least {needed}, "
            f"{IN_TURN} for each of {arguments.rounds} rounds, the one before them and what is in memory; lower "
            "--windows or --rounds, or give a larger corpus"
        )
    plans = EpochPlans(parts, params.batching.chosen, 1)
    # The stage counts the steps of an epoch for its schedule before the first.
    batches = sum(len(plan) for plan in plans.epoch(0))
    planned = time.perf_counter() - clock - opened
    print(
        f"{index.splits['train'].rows:,} sequences, {index.splits['train'].tokens:,} tokens in {len(blocks)} blocks: "
        f"opened and checked in {opened:.1f} s, {batches:,} batches planned in {planned:.1f} s",
        flush=True,
    )
    forget(arguments.shards)
    steps = steps_of(params, index)
    order = windows_of(len(blocks), window, 1, 0)
    # Spread over all blocks as windows are.
    held = InMemory(blocks.read(np.sort(np.concatenate(order[-IN_TURN:]))))
    ratios = []
    for number in range(arguments.rounds + 1):
        rates = []
        for here, first in ((held, 0), (parts, number * IN_TURN)):
            plans = EpochPlans(here, params.batching.chosen, 1)
            tokens, clock = 0, time.perf_counter()
            for part, sequences in zip(
                range(first, min(first + IN_TURN, here.parts)), here.read(0, first), strict=False
            ):
                plan = plans.of(0, part)
                for _ in steps.train_over(plan, sequences):
                    pass
                tokens += int(plan.steps.sum())
            rates.append(tokens / (time.perf_counter() - clock))
        print(f"round {number}: {rates[0]:,.0f} tokens a second in memory, {rates[1]:,.0f} through windows", flush=True)
        ratios.append(rates[1] / rates[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    # The first round is traced and compiled.
    print(f"through windows {median(ratios[1:]):.3f} of the rate ({min(ratios[1:]):.3f} to {max(ratios[1:]):.3f})")
    print(f"peak {peak} MiB")


def forget(folder: Path) -> None:
    """Take the files of a folder out of the page cache."""
    for path in folder.rglob("*.parquet"):
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def params_of(arguments: argparse.Namespace) -> TrainParams:
    """The shipped settings with another strategy."""
    train = load_params(ROOT / PARAMS_FILE).train
    return train.model_copy(update={"batching": train.batching.model_copy(update={"strategy": arguments.strategy})})


def order(arguments: argparse.Namespace) -> None:
    """How random epochs are: spreads over batches and windows, as ratios to those of a full shuffle."""
    params, index = params_of(arguments), read_index(arguments.shards)
    whole = read_split(arguments.shards, index, "train")
    print(f"{len(whole):,} sequences in {len(ShardBlocks(arguments.shards, index, 'train'))} blocks")
    base: dict[str, float] = {}
    for window in (None, *arguments.windows):
        found = [
            order_statistics(parts_of(arguments.shards, index, window, seed), params.batching.chosen, seed)
            for seed in range(arguments.seeds)
        ]
        figures = {name: mean(one[name] for one in found) for name in found[0]}
        base = base or figures
        said = ", ".join(f"{name} {value:.4f} ({value / base[name]:.2f})" for name, value in figures.items())
        if window is not None:
            ours, at_random = window_spreads(ShardBlocks(arguments.shards, index, "train"), window)
            said += f", mean length of a window {ours:.4f} (blocks at random {at_random:.4f})"
        print(f"window {window!s:>5}: {said}", flush=True)


def window_spreads(blocks: ShardBlocks, window: int, seeds: int = 20) -> tuple[float, float]:
    """The spread of the mean length of a window, and that of as many blocks drawn without regard to length."""
    lengths = [blocks.lengths(np.array([number])) for number in range(len(blocks))]
    steps, rows = (np.array([of(one) for one in lengths]) for of in (np.sum, len))
    ours, at_random = [], []
    for seed in range(seeds):
        shuffled = np.random.default_rng(seed).permutation(len(blocks))
        ours += windows_of(len(blocks), window, seed, 0)
        at_random += np.split(shuffled, range(window, len(blocks), window))
    spreads = [float(np.std([steps[one].sum() / rows[one].sum() for one in kind])) for kind in (ours, at_random)]
    return spreads[0], spreads[1]


def order_statistics(parts: EpochParts, strategy: Strategy, seed: int) -> dict[str, float]:
    """Of an epoch: the spread over batches of the share of a class and of the mean length, and of groups in a batch.

    And of the mean length of each hundredth of the epoch, which says whether it drifts.
    """
    plans = EpochPlans(parts, strategy, seed)
    share, length, groups = [], [], []
    for part, sequences in enumerate(parts.read(0)):
        plan, label = plans.of(0, part), sequences["label"] == np.bincount(sequences["label"]).argmax()
        for batch in _members(plan.sequence, plan.offsets):
            if len(batch) < params_rows(strategy):
                continue
            share.append(label[batch].mean())
            length.append(sequences.lengths[batch].mean())
            groups.append(len(np.unique(sequences["group"][batch])))
    hundredths = [part.mean() for part in np.array_split(np.array(length), 100)]
    return {
        "share": float(np.std(share)),
        "length": float(np.std(length)),
        "groups": float(np.mean(groups)),
        "hundredth": float(np.std(hundredths)),
    }


def _members(sequence: np.ndarray, offsets: np.ndarray) -> Iterator[np.ndarray]:
    return (np.unique(sequence[begin:end]) for begin, end in pairwise(offsets))


def params_rows(strategy: Strategy) -> int:
    """Rows of a full batch."""
    return int(getattr(strategy, "batch_size", 1))


def accuracy(arguments: argparse.Namespace) -> None:
    """Validation figures of the stage train, over seeds."""
    base: list[float] = []
    for window in arguments.windows:
        found, losses = [], []
        for seed in range(1, arguments.seeds + 1):
            changes = {"train.seed": seed, "train.epochs": arguments.epochs, "train.batching.window_blocks": window}
            made = run_stage(arguments.shards, {**changes, "train.batching.strategy": arguments.strategy})
            if isinstance(made, str):
                raise SystemExit(made)
            found.append(made["validation_accuracy"])
            losses.append(made["validation_loss"])
            print(f"window {window} seed {seed}: {found[-1]:.4f}, loss {losses[-1]:.4f}", flush=True)
        base = base or found
        apart = [one - other for one, other in zip(found, base, strict=True)]
        spread = stdev(apart) / len(apart) ** 0.5 if len(apart) > 1 else 0.0
        print(
            f"window {window!s:>5}: accuracy {mean(found):.4f}, loss {mean(losses):.4f}; "
            f"to the first {mean(apart):+.4f} (standard error {spread:.4f})",
            flush=True,
        )


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = {"memory": memory, "beyond": beyond, "rate": rate, "order": order, "accuracy": accuracy}
    parser.add_argument("action", choices=["make", *actions])
    parser.add_argument("shards", type=Path, metavar="FOLDER", help="of shards")
    parser.add_argument("--sequences", type=int, default=2_000_000, help="to make (default: 2000000)")
    parser.add_argument("--windows", nargs="+", type=lambda text: None if text == "none" else int(text), default=[64])
    parser.add_argument("--limit-mib", type=int, help="data that a run may hold (default: no limit)")
    parser.add_argument("--rounds", type=int, default=3, help="of rate (default: 3)")
    parser.add_argument("--strategy", default="padded", help="of batching (default: padded)")
    parser.add_argument("--seeds", type=int, default=3, help="of order and accuracy (default: 3)")
    parser.add_argument("--epochs", type=int, default=2, help="of accuracy (default: 2)")
    arguments = parser.parse_args()
    if arguments.action == "make":
        write_invented(arguments.shards, arguments.sequences)
    else:
        actions[arguments.action](arguments)


if __name__ == "__main__":
    main()
