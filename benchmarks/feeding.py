"""How fast sequences come in, and how fast `fit_data` hands them out.

    python benchmarks/feeding.py --sequences 200000

Sequences of 15 steps with 12 float features. Prints sequences a second by the clock, and by the processor time of all
threads, best of the rounds: no model takes them, so that this is what feeding one costs at least.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

import lengthwise as lw

STEPS, FEATURES, TOKENS, CLASSES = 15, 12, 1000, 9


def measure(what: str, count: int, rounds: int, work: Callable[[], object]) -> None:
    """Print the best of several rounds."""
    by_clock, by_processor = [], []
    for _ in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        by_clock.append(count / (time.perf_counter() - clock))
        by_processor.append(count / (time.process_time() - processor))
    print(f"{what:40} {max(by_clock):>10,.0f} {max(by_processor):>10,.0f}")


def main() -> None:
    """Measure reading and handing out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    count, rounds = arguments.sequences, arguments.rounds
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, TOKENS, (count, STEPS)).tolist()
    features = rng.normal(size=(count, STEPS, FEATURES)).astype(np.float32)
    label = rng.integers(0, CLASSES, count)
    print(f"{'sequences a second':40} {'clock':>10} {'processor':>10}")
    measure("lists of token ids in", count, rounds, lambda: lw.from_arrays(tokens))
    measure("arrays of features in", count, rounds, lambda: lw.from_arrays(per_step={"features": list(features)}))
    sequences = lw.from_arrays(per_step={"features": features}, labels=label)
    resets = ("features", "resets")
    out = {
        lw.Padded(batch_size=256): {"inputs": ("features",)},
        lw.Bucketed(batch_size=256, buckets=5): {"inputs": ("features",)},
        lw.Packed(batch_size=64, window=64): {"inputs": resets, "targets": lw.last_step("label")},
    }
    for strategy, options in out.items():
        data = lw.fit_data(sequences, strategy, **options)  # type: ignore[arg-type]
        measure(f"{type(strategy).__name__} out", count, rounds, lambda data=data: sum(1 for _ in data))  # type: ignore[misc]


if __name__ == "__main__":
    main()
