"""Where the native kernel wins, by how much, and where it does not: one recurrent layer beside its peers at their best.

    python benchmarks/layer_map.py --rounds 5 --out benchmarks/results

A point is a cell, its units, over as many features, and rows of some lengths; a forward and a backward pass of outputs
at every step, gradients of weights and inputs, on one processor. Peers: PyTorch padded and time-major, PyTorch packed,
and a compiled scan of JAX over padded rows. All take turns in each round, and the ratio is that to the fastest peer of
the same round, by the median of the rounds. Only real steps count. JAX and PyTorch come with `pip install .[peers]`.
"""

import argparse
import csv
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

# Before any of the libraries looks: all of them on one processor, and JAX too.
os.environ |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "TF_CPP_MIN_LOG_LEVEL": "3"}
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import torch  # noqa: E402
from cells import KEEPS_MEMORY, layer_step  # noqa: E402
from jax import numpy as jnp  # noqa: E402

from lengthwise.native.arch import arch_of_run  # noqa: E402

Step = Callable[[], object]
GATES = {"gru": 3, "lstm": 4}
UNROLLED = 5
KERNEL = "lengthwise"
# A round of a point takes about as long.
SECONDS = 0.4


def rows_of(kind: str) -> np.ndarray:
    """The lengths of a batch."""
    rng = np.random.default_rng(0)
    if kind == "sentences":
        return rng.integers(5, 31, 256)
    if kind == "documents":
        return np.clip(rng.lognormal(5.0, 0.8, 16).astype(int), 10, 800)
    return np.full(256, 20)


def pytorch_step(cell: str, units: int, lengths: np.ndarray, *, packed: bool) -> Step:
    """PyTorch's layer, over packed rows or over padded ones, time-major."""
    kind = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    layer = kind(units, units)
    inputs, by = map(torch.from_numpy, _padded(units, lengths))
    inputs.requires_grad_()
    sizes = torch.from_numpy(np.sort(lengths)[::-1].copy())
    real = torch.arange(int(lengths.max()))[:, None] < sizes

    def step() -> None:
        layer.zero_grad(set_to_none=True)
        inputs.grad = None
        if packed:
            rows = torch.nn.utils.rnn.pack_padded_sequence(inputs, sizes)
            outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(layer(rows)[0])
        else:
            outputs = layer(inputs)[0] * real[..., None]
        (outputs * by).sum().backward()

    return step


def jax_step(cell: str, units: int, lengths: np.ndarray) -> Step:
    """A compiled scan over padded rows, time-major; what comes after a row's end counts for nothing."""
    inputs, by = (jnp.asarray(of) for of in _padded(units, lengths))
    rng, gates = np.random.default_rng(1), GATES[cell]
    weights = [
        jnp.asarray(rng.normal(0, 0.05, shape), jnp.float32)
        for shape in ((units, gates * units), (units, gates * units), (2, gates * units))
    ]
    real = jnp.asarray(np.arange(lengths.max())[:, None] < np.sort(lengths)[::-1])[..., None]

    def gru(state: Any, of_input: Any, recurrent: Any, bias: Any) -> tuple[Any, Any]:  # noqa: ANN401
        of_state = state @ recurrent + bias
        both = jax.nn.sigmoid(of_input[:, : 2 * units] + of_state[:, : 2 * units])
        candidate = jnp.tanh(of_input[:, 2 * units :] + both[:, units:] * of_state[:, 2 * units :])
        state = both[:, :units] * state + (1 - both[:, :units]) * candidate
        return state, state

    def lstm(state: Any, of_input: Any, recurrent: Any, bias: Any) -> tuple[Any, Any]:  # noqa: ANN401
        hidden, memory = state
        of_all = of_input + hidden @ recurrent + bias
        take, forget, give = (jax.nn.sigmoid(of_all[:, place * units : (place + 1) * units]) for place in (0, 1, 3))
        memory = forget * memory + take * jnp.tanh(of_all[:, 2 * units : 3 * units])
        hidden = give * jnp.tanh(memory)
        return (hidden, memory), hidden

    def loss(weights: Any, inputs: Any) -> Any:  # noqa: ANN401
        kernel, recurrent, bias = weights
        zeros = jnp.zeros((len(lengths), units))
        first, equations = (zeros, gru) if cell == "gru" else ((zeros, zeros), lstm)
        _, outputs = jax.lax.scan(
            lambda state, of_input: equations(state, of_input, recurrent, bias[1]),
            first,
            inputs @ kernel + bias[0],
            unroll=UNROLLED,
        )
        return (outputs * real * by).sum()

    gradient = jax.jit(jax.grad(loss, (0, 1)))
    return lambda: jax.block_until_ready(gradient(weights, inputs))


def _padded(units: int, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and what outputs are multiplied by: float32 (T, B, U)."""
    shape = int(lengths.max()), len(lengths), units
    rng = np.random.default_rng(1)
    return rng.normal(size=shape).astype(np.float32), rng.normal(size=shape).astype(np.float32)


def seconds_by_round(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Seconds of a step of each, in each round."""
    times = {}
    for name, step in steps.items():
        step()
        times[name] = max(2, round(SECONDS / max(_seconds(step, 2), 1e-4)))
    found: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds):
        for name in list(steps)[:: -1 if number % 2 else 1]:
            found[name].append(_seconds(steps[name], times[name]))
    return found


def _seconds(step: Step, times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        step()
    return (time.perf_counter() - started) / times


def main() -> None:
    """Print a table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", choices=GATES, default=["gru", "lstm"])
    parser.add_argument("--units", nargs="+", type=int, default=[32, 64, 128, 256, 512, 1024])
    parser.add_argument("--rows", nargs="+", default=["sentences", "documents", "one length"])
    parser.add_argument("--rounds", type=int, default=5, help="(default: 5)")
    parser.add_argument("--out", type=Path, help="folder for layer_map.csv")
    arguments = parser.parse_args()
    if not KEEPS_MEMORY.keys() <= os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **KEEPS_MEMORY})  # noqa: S606
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    torch.set_num_threads(1)
    print(f"instruction set {arch_of_run('native')}, one thread")
    print("| cell | units | rows | ms | to the fastest peer | which | spread |\n|---|---|---|---|---|---|---|")
    made = []
    for cell in arguments.cells:
        for kind in arguments.rows:
            for units in arguments.units:
                lengths = rows_of(kind)
                found = seconds_by_round(
                    {
                        KERNEL: layer_step(cell, units, units, lengths),
                        "pytorch padded": pytorch_step(cell, units, lengths, packed=False),
                        "pytorch packed": pytorch_step(cell, units, lengths, packed=True),
                        "jax scan": jax_step(cell, units, lengths),
                    },
                    arguments.rounds,
                )
                own = found.pop(KERNEL)
                fastest = min(found, key=lambda name: median(found[name]))
                by_round = [min(peers) / mine for mine, *peers in zip(own, *found.values(), strict=True)]
                row = {
                    "cell": cell,
                    "units": units,
                    "rows": kind,
                    "milliseconds": round(1e3 * median(own), 3),
                    "ratio": round(median(by_round), 3),
                    "least": round(min(by_round), 3),
                    "largest": round(max(by_round), 3),
                    "peer": fastest,
                }
                made.append(row)
                spread = f"{row['least']:.2f} to {row['largest']:.2f}"
                cells = (cell, units, kind, f"{row['milliseconds']:.2f}", f"{row['ratio']:.2f}", fastest, spread)
                print("|", " | ".join(map(str, cells)), "|", flush=True)
    if arguments.out is not None:
        with (arguments.out / "layer_map.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, made[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(made)


if __name__ == "__main__":
    main()
