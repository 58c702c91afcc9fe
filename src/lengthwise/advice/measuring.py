"""Measures what training costs on this machine: trains a few batches of known shapes and fits the model of `costs`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from scipy.optimize import nnls

from lengthwise.advice.costs import Costs, TrainedNetwork
from lengthwise.batching.fit import fit_data
from lengthwise.batching.padded import Padded
from lengthwise.batching.placed import last_step
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import LABEL, TOKENS, Sequences
from lengthwise.layers.cells import CELLS
from lengthwise.layers.recurrent import Recurrent

INPUTS = (TOKENS, "mask", "resets")
VOCABULARY, CLASSES = 1000, 2
# Of the widest probe. What a step costs does not depend on how many there are.
MOST_STEPS = 200
# Of a probe: large ones take long, small ones are timed badly.
FEWEST_BATCHES, MOST_BATCHES = 6, 60
QUARTILE = 0.25
# That are timed for what an epoch takes beside its batches.
EPOCHS = 6


@dataclass(frozen=True)
class TimedShape:
    """Batches that are trained and timed, all of one shape.

    Attributes:
        rows: B.
        width: T.
        ramp: whether rows have 1 to T steps, as many of each length, or T each.
        batches: how many.
    """

    rows: int
    width: int
    ramp: bool
    batches: int

    @property
    def lengths(self) -> np.ndarray:
        """Of all sequences: int64 (batches * rows,)."""
        if not self.ramp:
            return np.full(self.batches * self.rows, self.width)
        of_batch = np.ceil(np.linspace(self.width / self.rows, self.width, self.rows)).astype(np.int64)
        return np.tile(of_batch, self.batches)

    @property
    def counts(self) -> list[float]:
        """Of a batch: itself, sequential steps, computed steps, steps of sequences."""
        return [1, self.width, self.rows * self.width, float(self.lengths[: self.rows].sum())]


def measured_model(network: TrainedNetwork, carried_rows: int | None = None) -> keras.Model:
    """The network that is measured, compiled: embeddings, the layer, classes at every step.

    Args:
        network: what is trained.
        carried_rows: of the layer, where a state is carried from batch to batch.
    """
    tokens = keras.Input((None,), dtype="int32", name=TOKENS)
    mask, resets = (keras.Input((None,), dtype="bool", name=name) for name in INPUTS[1:])
    layer = Recurrent(CELLS[network.cell](network.units), kernel=network.kernel, carried_rows=carried_rows)
    steps = layer(keras.layers.Embedding(VOCABULARY, network.features)(tokens), mask=mask, resets=resets)
    outputs = keras.layers.Dense(CLASSES, "softmax")(steps)
    model = keras.Model({TOKENS: tokens, "mask": mask, "resets": resets}, outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def drawn_sequences(lengths: np.ndarray, seed: int = 0) -> Sequences:
    """Sequences of these lengths with tokens and labels that are drawn.

    Args:
        lengths: int (S,).
        seed: of what is drawn.
    """
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, VOCABULARY, int(lengths.sum()), dtype=np.int32)
    return Sequences(offsets_of(lengths), {TOKENS: tokens}, {LABEL: rng.integers(0, CLASSES, len(lengths))})


def probes(batch_size: int, widest: int) -> list[TimedShape]:
    """Shapes that tell the four costs apart, none larger than what is going to be trained.

    Args:
        batch_size: rows of the largest.
        widest: steps of the widest; at most 200 are taken.
    """
    wide = max(2, min(widest, MOST_STEPS))
    shapes = {
        (rows, width, ramp)
        for rows in (max(1, batch_size // 8), batch_size)
        for width in (max(1, wide // 8), max(1, wide // 3), wide)
        for ramp in (False, True)
    }
    most = max(rows * width for rows, width, _ in shapes)
    return [
        TimedShape(rows, width, ramp, max(FEWEST_BATCHES, min(MOST_BATCHES, most * FEWEST_BATCHES // (rows * width))))
        for rows, width, ramp in sorted(shapes)
    ]


def measure_costs(
    network: TrainedNetwork | None = None, *, batch_size: int = 64, widest: int = MOST_STEPS, rounds: int = 2
) -> Costs:
    """Train batches of known shapes through `fit`, and fit what each part costs to the times.

    The relative squared error is least, no cost below 0 (Lawson and Hanson, 1974). Takes some seconds; other work on
    the machine makes it wrong.

    Args:
        network: what is trained.
        batch_size: rows of the largest probe; those of the batches that are asked about.
        widest: steps of the widest one.
        rounds: how often each is timed; the least time counts.

    Raises:
        KernelError: the native kernel cannot be built here.
    """
    wanted = network or TrainedNetwork()
    model = measured_model(wanted)
    chosen = probes(batch_size, widest)
    _fit(model, chosen[0])
    seconds = np.full(len(chosen), np.inf)
    for _ in range(max(1, rounds)):
        for number, probe in enumerate(chosen):
            seconds[number] = min(seconds[number], _fit(model, probe))
    return replace(fitted_costs(wanted, chosen, seconds.tolist()), per_epoch=_of_epoch(model, chosen[0]))


def fitted_costs(network: TrainedNetwork, chosen: Sequence[TimedShape], seconds: Sequence[float]) -> Costs:
    """The costs that explain times best.

    Args:
        network: that was trained.
        chosen: what was timed.
        seconds: of a batch of each.
    """
    weighted = np.array([probe.counts for probe in chosen]) / np.array(seconds)[:, np.newaxis]
    # Columns are of very different sizes.
    scale = np.abs(weighted).max(axis=0)
    parts = nnls(weighted / scale, np.ones(len(chosen)))[0] / scale
    batch, sequential, computed, step = (float(part) for part in parts)
    return Costs(network, batch, sequential, computed, step, measured=True)


class _Clock(keras.callbacks.Callback):
    """When each batch ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the clock."""
        self.ends.append(time.perf_counter())


def _fit(model: Any, probe: TimedShape) -> float:  # noqa: ANN401 - a Keras model.
    """Train on a probe's batches: the seconds of one, the lower quartile, since other work only makes it longer."""
    return float(np.quantile(np.diff(_ends(model, probe, epochs=1)), QUARTILE))


def _of_epoch(model: Any, probe: TimedShape) -> float:  # noqa: ANN401 - a Keras model.
    """The seconds between epochs: what the first batch of one takes longer than others, the lower quartile."""
    between = np.diff(_ends(model, probe, epochs=EPOCHS))
    firsts = np.arange(1, EPOCHS) * probe.batches - 1
    others = np.delete(between, firsts)
    return max(0.0, float(np.quantile(between[firsts], QUARTILE) - np.quantile(others, QUARTILE)))


def _ends(model: Any, probe: TimedShape, epochs: int) -> list[float]:  # noqa: ANN401 - a Keras model.
    """When each batch of some epochs ended."""
    sequences = drawn_sequences(probe.lengths)
    data = fit_data(sequences, Padded(probe.rows), inputs=INPUTS, targets=last_step(LABEL))
    clock = _Clock()
    model.fit(data, epochs=epochs, verbose=0, shuffle=False, callbacks=[clock])
    return clock.ends
