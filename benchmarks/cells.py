"""What the native kernel takes for each cell, two directions and a front end, in processor seconds beside the GRU's.

    python benchmarks/cells.py --rounds 9

Of each cell: one layer, forward and backward pass over a batch, each step with features of its own; the processor
seconds, and those by multiply-add of the cell's own equations. Of two directions and of a front end: the updates of the
article's network on flat batches of invented sentences, by those of the same network in one direction, or without. Of
the front end alone: forward and backward pass over words and over features of the steps, by the three products of
matrices that make it up where no word comes twice. All take turns in each round, and what is printed are medians of the
ratios of one round, since the processor's speed moves. `LENGTHWISE_KERNEL_ARCH`
chooses the instruction set, which is printed too. Memory stays with the process: to take it from the system again takes
half as long as a step does, and whether glibc gives it back depends on what else was asked for.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import tensorflow as tf
from article import article_params

from lengthwise.batching.padded import Padded
from lengthwise.core.labels import LabelFactor
from lengthwise.core.names import FRONT_ENDS, NATIVE_CELLS
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.layers.cells import CELLS
from lengthwise.layers.front_end import MaskedConv1D, output_lengths
from lengthwise.layers.recurrent import Recurrent
from lengthwise.models.config import NetworkConfig
from lengthwise.models.network import Network
from lengthwise.native.arch import arch_of_run
from lengthwise.native.ops import ragged_layout
from lengthwise.training.step import Steps

BESIDE, VOCABULARY = "gru", 5000
# A value that is normalized is added to the mean and to the variance, scaled, and multiplied by its gain.
PER_NORMALIZED = 4
KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}


def multiply_adds(cell: str, units: int, features: int) -> tuple[int, int]:
    """Of a step: those of the products of matrices, and all, those of normalizations and peepholes among them."""
    kind = CELLS[cell]
    products = kind.gates * units * (units + features)
    by_unit = {"peephole_lstm": 3, "layer_norm_simple": PER_NORMALIZED}
    by_unit["layer_norm_lstm"] = PER_NORMALIZED * (2 * kind.gates + 1)
    by_unit["layer_norm_gru"] = PER_NORMALIZED * 2 * kind.gates
    return products, products + units * by_unit.get(cell, 0)


def layer_step(cell: str, units: int, features: int, lengths: np.ndarray) -> Callable[[], object]:
    """A layer's forward and backward pass over rows of these lengths."""
    layer = Recurrent(CELLS[cell](units), kernel="native")
    layer.build((None, None, features))
    mask = np.arange(lengths.max()) < lengths[:, np.newaxis]
    layout, places = ragged_layout(mask, np.zeros_like(mask))
    rng = np.random.default_rng(1)
    items = tf.constant(rng.normal(size=(len(places.steps), features)), tf.float32)
    by = tf.constant(rng.normal(size=(len(places.steps), units)), tf.float32)
    index = tf.range(len(places.steps))

    @tf.function
    def step() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(items)
            outputs, _ = layer.over(items, index, layout, training=True)
            loss = tf.reduce_sum(outputs * by)
        return tape.gradient(loss, [items, *(variable.value for variable in layer.trainable_variables)])

    return step


def words(count: int, rng: np.random.Generator) -> np.ndarray:
    """Frequent words and rare ones, by Zipf's law: among 4,500 of them, as 256 sentences have, 1,400 different ones."""
    share = 1 / np.arange(1, VOCABULARY)
    return rng.choice(np.arange(1, VOCABULARY), count, p=share / share.sum()).astype(np.int32)


def network_step(changes: dict[str, object], lengths: np.ndarray) -> Callable[[], object]:
    """An epoch of the article's network with some changes, over sentences of these lengths."""
    rng = np.random.default_rng(2)
    tokens = words(int(lengths.sum()), rng)
    labels = rng.integers(0, 2, len(lengths)).astype(np.int32)
    sequences = Sequences(offsets_of(lengths), {"tokens": tokens}, {"label": labels})
    model = {**vars(article_params().model.architecture), **changes}
    network = Network(NetworkConfig("classifier", VOCABULARY, (LabelFactor("label", ("a", "b")),), **model), "native")
    steps = Steps(network, 1e-3, None)
    plan = Padded(256).plan(lengths)
    return lambda: list(steps.train_over(plan, sequences))


def front_end_steps(features: int, lengths: np.ndarray) -> dict[str, Callable[[], object]]:
    """Forward and backward pass of the article's front end over rows of these lengths, and its own products."""
    article, rng = article_params().model.architecture, np.random.default_rng(4)
    size, filters = article.kernel, article.filters
    layer = MaskedConv1D(filters, size, stride=article.stride, padding=article.conv_padding)
    layer.build((None, None, features))
    mask = np.arange(lengths.max()) < lengths[:, np.newaxis]
    layout, places = ragged_layout(mask, np.zeros_like(mask))
    count = int(output_lengths(lengths, size, article.stride, article.conv_padding).sum())

    def drawn(*shape: int) -> tf.Tensor:
        return tf.constant(rng.normal(size=shape), tf.float32)

    by = drawn(count, filters)

    def over(items: tf.Tensor, index: tf.Tensor | None) -> Callable[[], object]:
        @tf.function
        def step() -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(items)
                outputs, _ = layer.over(items, index, layout)
            weights = [variable.value for variable in layer.trainable_variables]
            # Were the outputs not returned, TensorFlow would leave the way forward out.
            return [outputs, *tape.gradient(outputs, [items, *weights], by)]

        return step

    under, kernel = drawn(count, size * features), drawn(size * features, filters)

    @tf.function
    def products() -> list[tf.Tensor]:
        by_under, by_kernel = tf.matmul(by, kernel, transpose_b=True), tf.matmul(under, by, transpose_a=True)
        return [tf.matmul(under, kernel), by_under, by_kernel]

    steps = len(places.steps)
    return {
        "products": products,
        "words": over(drawn(VOCABULARY, features), tf.constant(words(steps, rng))),
        "features": over(drawn(steps, features), None),
    }


def processor_seconds(step: Callable[[], object], times: int) -> float:
    """Of so many steps."""
    started = time.process_time()
    for _ in range(times):
        step()
    return time.process_time() - started


def ratios(steps: dict[str, Callable[[], object]], beside: str, rounds: int, times: int) -> dict[str, float]:
    """The median over rounds of each one's processor seconds by those of `beside`."""
    for step in steps.values():
        processor_seconds(step, 2)
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        seconds = {name: processor_seconds(step, times) for name, step in steps.items()}
        for name, taken in seconds.items():
            found[name].append(taken / seconds[beside])
    return {name: median(values) for name, values in found.items()}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--rows", type=int, default=256, help="of the batch, of 5 to 30 steps (default: 256)")
    parser.add_argument("--rounds", type=int, default=9, help="(default: 9)")
    parser.add_argument("--times", type=int, default=20, help="steps of each cell in a round (default: 20)")
    arguments = parser.parse_args()
    if not KEEPS_MEMORY.keys() <= os.environ.keys():
        # Read by glibc when a process begins.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **KEEPS_MEMORY})  # noqa: S606
    # Threads that wait for each other awake would be measured too.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    lengths = np.random.default_rng(0).integers(5, 31, arguments.rows)
    sizes = arguments.units, arguments.features
    cells = ratios(
        {cell: layer_step(cell, *sizes, lengths) for cell in NATIVE_CELLS}, BESIDE, arguments.rounds, arguments.times
    )
    print(f"instruction set {arch_of_run('native')}; {sizes[0]} units over {sizes[1]} features, {arguments.rows} rows")
    print(f"| cell | processor seconds to {BESIDE} | per multiply-add of products | of all |\n|---|---|---|---|")
    for cell, ratio in cells.items():
        by_products, by_all = (
            ratio * beside / own
            for own, beside in zip(multiply_adds(cell, *sizes), multiply_adds(BESIDE, *sizes), strict=True)
        )
        print(f"| {cell} | {ratio:.2f} | {by_products:.2f} | {by_all:.2f} |")
    sentences = np.random.default_rng(3).integers(5, 31, 16 * arguments.rows)
    for cell in (BESIDE, "lstm"):
        ways = (("one", False), ("both", True))
        both = {f"{cell}, {name}": network_step({"cell": cell, "bidirectional": way}, sentences) for name, way in ways}
        ratio = ratios(both, f"{cell}, one", arguments.rounds, 1)[f"{cell}, both"]
        print(f"two directions to one, updates of a network, {cell}: {ratio:.2f}")
    ends = {name: network_step({"front_end": name}, sentences) for name in FRONT_ENDS}
    ratio = ratios(ends, "none", arguments.rounds, 1)["conv1d"]
    print(f"a front end to none, updates of a network: {ratio:.2f}")
    alone = ratios(front_end_steps(arguments.features, lengths), "products", arguments.rounds, arguments.times)
    print(f"a front end to its own products, over words: {alone['words']:.2f}, over features: {alone['features']:.2f}")


if __name__ == "__main__":
    main()
