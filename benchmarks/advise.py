"""What `lengthwise advise` predicts, beside what training takes: time and peak memory under every strategy.

    python benchmarks/advise.py sms.txt blogs.parquet --out benchmarks/results

Each file has lengths, as for `lengthwise advise`; so many sequences are drawn from it. Costs are measured first. Then
each strategy trains in a process of its own: a small batch, which traces; an epoch, whose peak of memory above that
counts; and more epochs, of which the fastest counts. `--constants` prints the costs that the package ships with.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lengthwise.advice.advising import Advice, advise
from lengthwise.advice.costs import COMPUTES_PADDING, GATES, TrainedNetwork
from lengthwise.advice.length_files import read_lengths
from lengthwise.batching.registry import STRATEGIES

STATUS = Path("/proc/self/status")
COLUMNS = ("lengths", "kernel", "strategy", "seconds", "predicted", "ratio", "peak MB", "predicted MB", "ratio")
KILO, MEGA = 1024, 1e6


def peak_of_process() -> int:
    """The most memory that this process has had, in bytes (Linux)."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * KILO


def train_and_measure(asked: dict[str, object]) -> dict[str, float]:
    """In a process of its own: seconds of an epoch and bytes of its peak."""
    import keras

    from lengthwise.advice.measuring import INPUTS, TimedShape, drawn_sequences, measured_model
    from lengthwise.batching.fit import fit_data
    from lengthwise.batching.padded import Padded
    from lengthwise.batching.placed import last_step
    from lengthwise.core.sequences import LABEL

    lengths = np.load(str(asked["lengths"]))
    kind, settings = STRATEGIES[str(asked["name"])], asked["settings"]
    strategy = kind(**settings)
    rows = int(strategy.plan(lengths).rows.max())
    model = measured_model(TrainedNetwork(**asked["network"]), carried_rows=rows if kind.cuts else None)
    small = TimedShape(min(2, rows), 4, False, 2)
    targets = last_step(LABEL)
    model.fit(
        fit_data(drawn_sequences(small.lengths), Padded(small.rows), inputs=INPUTS, targets=targets),
        verbose=0,
        shuffle=False,
    )
    before = peak_of_process()
    # Epoch 0 is the one that was planned for the advice.
    data = fit_data(drawn_sequences(lengths), strategy, inputs=INPUTS, targets=targets)
    ends, peaks = [], []

    def end_epoch(_epoch: int, _logs: object) -> None:
        ends.append(time.perf_counter())
        peaks.append(peak_of_process() - before)

    # The time of the first epoch has what `fit` does before it.
    callback = keras.callbacks.LambdaCallback(on_epoch_end=end_epoch)
    model.fit(data, epochs=1 + int(asked["epochs"]), verbose=0, shuffle=False, callbacks=[callback])
    return {"seconds": float(np.diff(ends).min()), "peak": peaks[0]}


def in_a_process(advice: Advice, name: str, lengths: Path, epochs: int) -> dict[str, float]:
    """The same from outside."""
    row = advice.strategies[name]
    asked = {
        "lengths": str(lengths),
        "name": name,
        "settings": asdict(row.strategy),
        "network": asdict(advice.costs.network),
        "epochs": epochs,
    }
    done = subprocess.run(  # noqa: S603 - this file.
        [sys.executable, __file__, "--one", json.dumps(asked)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: list[tuple[str, ...]]) -> str:
    """Markdown."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def compared(path: Path, arguments: argparse.Namespace, folder: Path) -> list[tuple[str, ...]]:
    """A row for each kernel and strategy on a file's lengths."""
    from lengthwise.advice.measuring import measure_costs

    found = read_lengths(path, arguments.column)
    found = found[np.random.default_rng(0).permutation(len(found))[: arguments.sequences]]
    kept = folder / f".{path.stem}.npy"
    np.save(kept, found)
    rows = []
    try:
        for kernel in COMPUTES_PADDING:
            network = TrainedNetwork(arguments.cell, arguments.units, arguments.features, kernel)
            costs = measure_costs(network, batch_size=min(64, arguments.batch_size), widest=int(found.max()))
            advice = advise(found, batch_size=arguments.batch_size, costs=costs)
            for name, row in advice.strategies.items():
                real = in_a_process(advice, name, kept, arguments.epochs)
                rows.append(
                    (
                        path.stem,
                        kernel,
                        name,
                        f"{real['seconds']:.2f}",
                        f"{row.seconds:.2f}",
                        f"{row.seconds / real['seconds']:.2f}",
                        f"{real['peak'] / MEGA:.0f}",
                        f"{row.peak_bytes / MEGA:.0f}",
                        f"{row.peak_bytes / max(1, real['peak']):.2f}",
                    )
                )
                print(*rows[-1], flush=True)
    finally:
        kept.unlink()
    return rows


def main() -> None:
    """Compare, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="LENGTHS")
    parser.add_argument("--column", help="of the tables")
    parser.add_argument("--sequences", type=int, default=4000, help="drawn from each file (default: 4000)")
    parser.add_argument("--epochs", type=int, default=3, help="of each strategy (default: 3)")
    parser.add_argument("--batch-size", type=int, default=64, help="sequences in a batch (default: 64)")
    parser.add_argument("--cell", choices=list(GATES), default="lstm")
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder for advise.md")
    parser.add_argument("--constants", action="store_true", help="print the costs to ship, and end")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(train_and_measure(json.loads(arguments.one))))
        return
    if arguments.constants:
        from lengthwise.advice.measuring import measure_costs

        for kernel in COMPUTES_PADDING:
            print(measure_costs(TrainedNetwork(kernel=kernel), rounds=5), flush=True)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = [row for path in arguments.files for row in compared(path, arguments, arguments.out)]
    (arguments.out / "advise.md").write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
