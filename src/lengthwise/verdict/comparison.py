"""Two runs' figures beside each other: better, worse, within noise, not comparable, missing, or not run.

A figure is better or worse only if its difference is as large as one that counts and the interval of the difference
leaves out zero. The interval says what other test authors would give; it knows nothing of other seeds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lengthwise.evaluation.paired import Interval, independent_difference
from lengthwise.evaluation.scoring.registry import metric_of
from lengthwise.system.dotted import finite
from lengthwise.verdict.figures import Figure, Key

ROUNDING = 1e-9
# What is measured on data that another split, corpus or length limit would change; counts and costs just are.
OF_THE_DATA = re.compile(r"(train/[^/]+\.json|(live|test|evaluate|baselines)/.*|ablations.*)")


class Verdict(StrEnum):
    """What is said of one figure, and of a whole comparison: from what matters most to what matters least.

    Only a whole comparison is not run.
    """

    NOT_RUN = "not run"
    MISSING = "missing"
    WORSE = "worse"
    NOT_COMPARABLE = "not comparable"
    BETTER = "better"
    WITHIN_NOISE = "within noise"
    NEW = "new"
    REPORTED = "reported"


FAILURES = (Verdict.NOT_RUN, Verdict.MISSING, Verdict.WORSE)


@dataclass(frozen=True)
class Rule:
    """How a figure is judged.

    Attributes:
        sign: 1 if higher is better, -1 if lower is.
        smallest: the smallest difference that counts.
    """

    sign: int
    smallest: float


LEVEL_FIGURE = re.compile(r"(evaluate|baselines)/[^:]+\.json:[a-z]+_(?P<name>.+)")


@dataclass(frozen=True)
class Comparison:
    """A figure in both runs.

    Attributes:
        key: its file and name.
        old: in the base, None where it is not there.
        new: in the working tree, likewise.
        interval: of the difference.
        verdict: what follows.
        reason: why, where the figures alone do not say it.
    """

    key: Key
    old: float | str | None
    new: float | str | None
    interval: Interval | None
    verdict: Verdict
    reason: str = ""

    @property
    def difference(self) -> float | None:
        """New less old, of numbers."""
        return self.new - self.old if finite(self.old) and finite(self.new) else None


def compare_all(
    old: Mapping[Key, Figure],
    new: Mapping[Key, Figure],
    paired: Mapping[Key, Interval],
    same_data: bool,
) -> list[Comparison]:
    """Compare all figures, in the files' order.

    Args:
        old: the base's.
        new: the working tree's.
        paired: intervals of the differences from both runs' predictions, where there are any.
        same_data: whether both were trained and tested on the same sequences.
    """

    def refusal(key: Key) -> str:
        return "" if same_data or not OF_THE_DATA.fullmatch(key[0]) else "the data changed"

    return [
        compare(key, old.get(key), new.get(key), Evidence(rule_of(key), paired.get(key), refusal(key)))
        for key in sorted({*old, *new})
    ]


@dataclass(frozen=True)
class Evidence:
    """What a figure is judged by.

    Attributes:
        rule: how; None if it is only reported.
        interval: of the difference; if None, that of both figures' own, as if the runs were independent.
        refusal: why nothing can be said of it, if so.
    """

    rule: Rule | None
    interval: Interval | None = None
    refusal: str = ""


def compare(key: Key, old: Figure | None, new: Figure | None, evidence: Evidence) -> Comparison:
    """Compare one figure. A figure that the base has and the working tree lacks is missing."""
    if new is None:
        return Comparison(key, old.value if old else None, None, None, Verdict.MISSING, "is not there any more")
    if old is None:
        return Comparison(key, None, new.value, None, Verdict.NEW)
    interval, reason = None, ""
    if finite(old.value) and not finite(new.value):
        verdict, reason = Verdict.MISSING, "is no number any more"
    elif old.interval and not new.interval:
        verdict, reason = Verdict.MISSING, "its interval is not there any more"
    elif evidence.refusal:
        verdict, reason = Verdict.NOT_COMPARABLE, evidence.refusal
    elif evidence.rule is None or not finite(old.value) or not (new.interval or evidence.interval):
        verdict = Verdict.REPORTED
    elif (interval := evidence.interval or unpaired(old, new)) is None:
        verdict, reason = Verdict.NOT_COMPARABLE, "the base has no interval of this confidence"
    else:
        verdict = judge(float(new.value) - float(old.value), interval, evidence.rule)
    return Comparison(key, old.value, new.value, interval, verdict, reason)


def rule_of(key: Key) -> Rule | None:
    """How a figure is judged; None if it is only reported."""
    found = LEVEL_FIGURE.fullmatch(":".join(key))
    if not found:
        return None
    # The headline calls the accuracy of a factor by the factor alone.
    metric = metric_of(found["name"]) or metric_of(f"{found['name']}_accuracy")
    return Rule(metric.direction, metric.smallest) if metric else None


def unpaired(old: Figure, new: Figure) -> Interval | None:
    """The interval of the difference of two figures from theirs; None if one has none."""
    if old.interval is None or new.interval is None:
        return None
    return independent_difference(float(old.value), old.interval, float(new.value), new.interval)


def judge(difference: float, interval: Interval, rule: Rule) -> Verdict:
    """Better, worse or within noise."""
    clear = interval.low > 0 if difference > 0 else interval.high < 0
    if not clear or abs(difference) < rule.smallest - ROUNDING:
        return Verdict.WITHIN_NOISE
    return Verdict.BETTER if difference * rule.sign > 0 else Verdict.WORSE


def overall(comparisons: list[Comparison]) -> Verdict:
    """The verdict of all: the first of `Verdict` that occurs; not comparable if nothing could be judged."""
    found = {comparison.verdict for comparison in comparisons}
    worst = next((verdict for verdict in Verdict if verdict in found), Verdict.REPORTED)
    return Verdict.NOT_COMPARABLE if worst in (Verdict.NEW, Verdict.REPORTED) else worst
