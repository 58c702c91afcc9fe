"""Which strategy to take: the one whose batches are least special among those that are nearly the fastest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lengthwise.batching.plan import Strategy

# What counts as nearly the fastest: predictions of time are no better than that.
NEARLY = 1.15
# Differences in how alike lengths are that do not matter.
SAME = 0.05


class Judged(Protocol):
    """What is known of a strategy: see `StrategyAdvice`."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def strategy(self) -> Strategy: ...  # noqa: D102
    @property
    def padding_share(self) -> float: ...  # noqa: D102
    @property
    def neighbours(self) -> float: ...  # noqa: D102
    @property
    def alike(self) -> float: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102
    @property
    def peak_bytes(self) -> int: ...  # noqa: D102
    @property
    def fits(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True)
class Choice:
    """A strategy and why.

    Attributes:
        name: of the strategy, in `STRATEGIES`.
        reasons: sentences, the first about its time.
    """

    name: str
    reasons: tuple[str, ...]


def choose(rows: Sequence[Judged], kernel: str) -> Choice:
    """Choose.

    Of the strategies that fit into the memory, those within 15 % of the fastest are candidates. Among them whole rows
    go before packed ones, which need a layer that resets, and packed ones before cut sequences, through whose cuts no
    gradient goes. Then the one is taken whose batches are least alike in length, then the one whose neighbours are
    least correlated, then the fastest.

    Args:
        rows: one for each strategy, one at least.
        kernel: of the network, `native` or `keras`.
    """
    fitting = [row for row in rows if row.fits]
    if not fitting:
        least = min(rows, key=lambda row: (row.peak_bytes, row.name))
        return Choice(
            least.name, ("No strategy fits into the memory.", f"{least.name} takes least: {least.peak_bytes:,} bytes.")
        )
    fastest = min(fitting, key=lambda row: (row.seconds, row.name))
    near = [row for row in fitting if row.seconds <= NEARLY * fastest.seconds]
    best = min(near, key=_rank)
    return Choice(best.name, tuple(_reasons(best, fastest, rows, near, kernel)))


def _rank(row: Judged) -> tuple[object, ...]:
    return (
        row.strategy.cuts,
        row.strategy.packs,
        round(row.alike / SAME),
        round(abs(row.neighbours) / SAME),
        row.seconds,
        row.name,
    )


def _reasons(best: Judged, fastest: Judged, rows: Sequence[Judged], near: Sequence[Judged], kernel: str) -> list[str]:
    slower = best.seconds / fastest.seconds - 1
    if best is fastest:
        reasons = ["Its predicted time is the least."]
    else:
        reasons = [f"It takes {max(1, round(100 * slower))} % longer than {fastest.name}, the fastest, as predicted."]
    others = [row for row in near if row is not best]
    if others:
        reasons.append(f"As fast within 15 %: {', '.join(row.name for row in others)}.")
    if any(row.strategy.packs or row.strategy.cuts for row in others) and not best.strategy.packs:
        reasons.append("Each row is one whole sequence, so any layer that knows a mask can be trained on it.")
    if best.strategy.cuts:
        reasons.append(
            "Sequences are cut: no gradient goes back over a cut, and the state is carried to the next batch."
        )
    if best.strategy.packs:
        reasons.append("Rows hold several sequences: the layers have to obey `resets`.")
    reasons.append(_about_order(best))
    if kernel == "native" and best.padding_share > SAME:
        reasons.append(
            f"It pads {100 * best.padding_share:.0f} % of all steps; the native kernel does not compute them."
        )
    if unfit := [row.name for row in rows if not row.fits]:
        reasons.append(f"Not within the memory: {', '.join(unfit)}.")
    return reasons


def _about_order(row: Judged) -> str:
    alike = f"{100 * row.alike:.0f} % of the variance of lengths is between batches"
    if row.alike < SAME:
        said = "Its batches have lengths of all kinds"
    else:
        said = f"Its batches are alike in length ({alike}), so gradients differ more from batch to batch"
    if abs(row.neighbours) > 2 * SAME:
        said += f"; neighbouring batches have a rank correlation of {row.neighbours:.2f}"
    return f"{said}."
