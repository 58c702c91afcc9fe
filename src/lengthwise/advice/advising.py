"""What every strategy makes of given lengths, and which one to take."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike

from lengthwise.advice.choice import Choice, choose
from lengthwise.advice.costs import Costs, TrainedNetwork, costs_of, peak_bytes
from lengthwise.advice.settings import LONGEST, WantedSettings
from lengthwise.advice.spread import epochs_to_measure, length_order
from lengthwise.batching.plan import Plan, Strategy, epoch_rng
from lengthwise.batching.stats import plan_stats
from lengthwise.errors import ArgumentError

BATCH_SIZE = 256


@dataclass(frozen=True)
class StrategyAdvice:
    """One strategy on these lengths, in the epoch of the advice's seed.

    Attributes:
        name: in `STRATEGIES`.
        strategy: with the settings that were taken.
        batches: steps of the optimizer in an epoch; the same in every epoch.
        rows: of a batch, the mean.
        widest: steps of the widest batch.
        padding: padded steps of the epoch.
        padding_share: of all steps of the rectangles, in [0, 1].
        neighbours: rank correlation of neighbouring batches' lengths, in [-1, 1]; see `LengthOrder`.
        alike: how alike in length the sequences of a batch are, in [0, 1]; see `LengthOrder`.
        seconds: predicted, of an epoch.
        peak_bytes: predicted, beside Python and TensorFlow.
        fits: whether that is within the memory that was asked for.
    """

    name: str
    strategy: Strategy
    batches: int
    rows: float
    widest: int
    padding: int
    padding_share: float
    neighbours: float
    alike: float
    seconds: float
    peak_bytes: int
    fits: bool


@dataclass(frozen=True)
class Advice:
    """What every strategy costs, and which one to take.

    Attributes:
        sequences: S, how many.
        steps: N, of all of them.
        shortest: steps of the shortest.
        longest: steps of the longest.
        mean: steps of a sequence.
        wanted: the settings that were asked for.
        memory: bytes that an epoch may take; None: as many as it does.
        seed: of the epoch that was planned.
        costs: what time is predicted from.
        strategies: a row for each strategy, by name.
        choice: which one to take, and why.
    """

    sequences: int
    steps: int
    shortest: int
    longest: int
    mean: float
    wanted: WantedSettings
    memory: int | None
    seed: int
    costs: Costs
    strategies: Mapping[str, StrategyAdvice]
    choice: Choice


def advise(
    lengths: ArrayLike,
    *,
    batch_size: int | None = None,
    memory: int | None = None,
    buckets: int = 5,
    tokens: int | None = None,
    window: int | None = None,
    network: TrainedNetwork | None = None,
    costs: Costs | None = None,
    seed: int = 0,
) -> Advice:
    """Say what every strategy costs on sequences of these lengths, and which one to take.

    >>> import lengthwise as lw
    >>> advice = lw.advise([3, 1, 2, 6, 2], batch_size=5)
    >>> advice.strategies["padded"].padding, advice.strategies["packed"].padding
    (16, 0)
    >>> advice.strategies["packed"].strategy
    Packed(batch_size=2, window=6)
    >>> advice.choice.name in advice.strategies, len(advice.choice.reasons) > 0
    (True, True)

    Padding and batches are those of the first epoch of this seed, counted from its plan; `neighbours` and `alike` are
    means over epochs, so that chance does not make them; time and memory are predicted by the formulas of
    `lengthwise.advice.costs`.

    Args:
        lengths: int (S,), steps of each sequence, each at least 1.
        batch_size: sequences in a batch; 256 if there is no memory either. Rows that hold several sequences are fewer.
        memory: bytes that an epoch may take beside Python and TensorFlow. Without a `batch_size` each strategy gets the
            largest power of two that fits, 256 at most; with one, those that do not fit are not chosen.
        buckets: of `bucketed`.
        tokens: of `token_budget`; by default those of `batch_size` sequences of the mean length.
        window: of `packed` and `truncated`; by default a power of two from twice the mean length on.
        network: what is trained, a network of 64 LSTM units by default.
        costs: measured ones, from `lengthwise.advice.measuring.measure_costs`; by default those of another machine.
        seed: of the epoch that is planned.

    Returns:
        A row for each strategy and the choice among them.

    Raises:
        ArgumentError: lengths are no whole numbers from 1, there are none, or an argument is out of its range; it is a
            `ValueError`.
    """
    checked = checked_lengths(lengths)
    _check_whole("memory", memory)
    _check_whole("seed", seed, least=0)
    if costs is not None and network is not None and costs.network != network:
        raise ArgumentError("costs", f"got those of {costs.network}; expected those of {network}", "measure them")
    of_costs = costs or costs_of(network or TrainedNetwork())
    wanted = WantedSettings(BATCH_SIZE if batch_size is None else batch_size, buckets, tokens, window)
    rows = {}
    for name, strategy in wanted.strategies(checked).items():
        if memory is not None and batch_size is None:
            strategy = _that_fits(name, wanted, checked, of_costs.network, memory, seed)
        rows[name] = _row(name, strategy, checked, of_costs, memory, seed)
    return Advice(
        sequences=len(checked),
        steps=int(checked.sum()),
        shortest=int(checked.min()),
        longest=int(checked.max()),
        mean=float(checked.mean()),
        wanted=wanted,
        memory=memory,
        seed=seed,
        costs=of_costs,
        strategies=rows,
        choice=choose(list(rows.values()), of_costs.network.kernel),
    )


def first_epoch(strategy: Strategy, lengths: np.ndarray, seed: int) -> Plan:
    """The plan that the advice is about.

    Args:
        strategy: with its settings.
        lengths: int (S,).
        seed: of the order.
    """
    return strategy.plan(lengths, epoch_rng(seed, 0))


def checked_lengths(lengths: ArrayLike) -> np.ndarray:
    """Lengths as int64 (S,).

    Raises:
        ArgumentError: they are no whole numbers from 1, there are none, or one is above 2**31 - 1.
    """
    try:
        array = np.asarray(lengths)
    except (ValueError, OverflowError):
        array = np.zeros((1, 1))
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ArgumentError(
            "lengths", f"got {array.dtype} of shape {array.shape}; expected whole numbers, one a sequence"
        )
    if not array.size:
        raise ArgumentError("lengths", "got none; expected one at least")
    for place, wrong in ((int(array.argmin()), array.min() < 1), (int(array.argmax()), array.max() > LONGEST)):
        if wrong:
            raise ArgumentError(
                "lengths", f"got {array[place]} for sequence {place}; expected a whole number from 1 to {LONGEST}"
            )
    return array.astype(np.int64)


def _that_fits(
    name: str, wanted: WantedSettings, lengths: np.ndarray, network: TrainedNetwork, memory: int, seed: int
) -> Strategy:
    """A strategy with the largest batch size, halved as often as it has to be, that fits; at least 1."""
    size, tried = wanted.batch_size, None
    while True:
        strategy = replace(wanted, batch_size=size).strategies(lengths)[name]
        fits = strategy != tried and peak_bytes(first_epoch(strategy, lengths, seed), network) <= memory
        if fits or size == 1:
            return strategy
        size, tried = size // 2, strategy


def _row(
    name: str, strategy: Strategy, lengths: np.ndarray, costs: Costs, memory: int | None, seed: int
) -> StrategyAdvice:
    plan = first_epoch(strategy, lengths, seed)
    stats = plan_stats(plan)
    others = range(1, epochs_to_measure(len(plan), len(plan.sequence)))
    later = (strategy.plan(lengths, epoch_rng(seed, epoch)) for epoch in others)
    order = length_order(chain([plan], later), lengths)
    peak = peak_bytes(plan, costs.network)
    return StrategyAdvice(
        name=name,
        strategy=strategy,
        batches=stats.batches,
        rows=float(plan.rows.mean()),
        widest=int(plan.widths.max()),
        padding=int((plan.rows * plan.widths).sum()) - int(plan.steps.sum()),
        padding_share=stats.padding_share,
        neighbours=order.neighbours,
        alike=order.alike,
        seconds=costs.seconds(plan),
        peak_bytes=peak,
        fits=memory is None or peak <= memory,
    )


def _check_whole(name: str, value: object, least: int = 1) -> None:
    if value is None and name == "memory":
        return
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ArgumentError(name, f"got {value!r:.80}; expected a whole number from {least}")
