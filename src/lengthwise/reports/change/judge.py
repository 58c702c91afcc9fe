"""The verdict on each metric that `.lengthwise.yaml` names."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from lengthwise.errors import ParamsError
from lengthwise.evaluation.paired import (
    Interval,
    fewest_groups,
    independent_difference,
    paired_means,
    share_interval,
    widened,
)
from lengthwise.reports.change.comparison import ROUNDING, Comparison, Rule, Verdict, judge
from lengthwise.reports.change.config_file import FILE, ITEMWISE, Config, ConfiguredMetric
from lengthwise.reports.change.contents import Absent
from lengthwise.reports.change.items import read_items, scores, what_differs
from lengthwise.reports.files import finite
from lengthwise.reports.run import Run
from lengthwise.system.dotted import leaves

BASE, HERE = "the base", "the working tree"
# Relative: metrics are often rounded to a few digits.
SAME = 2e-3


@dataclass(frozen=True)
class Side:
    """One run.

    Attributes:
        snapshot: its small files, those of the metrics among them.
        items: its predictions, or why there are none.
        absent: files of metrics that are not at hand, by their paths.
    """

    snapshot: Run
    items: pd.DataFrame | Absent
    absent: Mapping[str, Absent]

    @property
    def remedies(self) -> list[str]:
        """The commands that bring what is not at hand."""
        items = [self.items] if isinstance(self.items, Absent) else []
        return sorted({absent.remedy for absent in (*items, *self.absent.values()) if absent.remedy})

    def value(self, metric: ConfiguredMetric) -> object:
        """What the run has of a metric; None if nothing."""
        return dict(leaves(self.snapshot.json(metric.file))).get(metric.name)


@dataclass(frozen=True)
class Judged:
    """What is said of a metric.

    Attributes:
        comparison: the figures and the verdict.
        metric: which one.
        items: of the test set; None if they had no part in it.
        only: how many items only the new run and only the old run has right, where that decided.
        is_paired: whether both runs' predictions decided.
    """

    comparison: Comparison
    metric: ConfiguredMetric
    items: int | None = None
    only: tuple[int, int] | None = None
    is_paired: bool = False


def confidence_of_each(config: Config) -> float:
    """The confidence of each interval, so that all together have that of the configuration (Bonferroni)."""
    return 1 - (1 - config.confidence) / max(1, sum(metric.kind in ITEMWISE for metric in config.metrics))


def items_or_absent(content: bytes | Absent | None, config: Config, side: str) -> pd.DataFrame | Absent:
    """The predictions of a run.

    Raises:
        FormatError: the file is no table of predictions; see `read_items`.
    """
    if content is None or isinstance(content, Absent) or config.predictions is None:
        return content if isinstance(content, Absent) else Absent(None)
    return read_items(content, config.predictions, config.columns or {}, side)


def judge_all(config: Config, old: Side, new: Side) -> Iterator[Judged]:
    """Judge each metric, in the configuration's order.

    Raises:
        ParamsError: neither run has a metric.
        FormatError: a metrics or predictions file is damaged.
    """
    for metric in config.metrics:
        before, after = old.value(metric), new.value(metric)
        is_elsewhere = any(absent.remedy for side in (old, new) if (absent := side.absent.get(metric.file)))
        if not any(finite(value) for value in (before, after)) and not is_elsewhere:
            numbers = [name for name, value in leaves(new.snapshot.json(metric.file)) if finite(value)]
            shown = ", ".join(numbers)
            raise ParamsError(
                f"{FILE}: metrics.{metric.file}.{metric.name}: is in neither run; expected a number of {metric.file}, "
                f"which has {shown or 'none':.200}; run dvc repro, or name another"
            )
        yield _judge(metric, config, (old, new), (before, after))


def _judge(metric: ConfiguredMetric, config: Config, sides: tuple[Side, Side], values: tuple[object, object]) -> Judged:
    def say(verdict: Verdict, reason: str = "") -> Judged:
        shown = [value if finite(value) else None for value in values]
        return Judged(Comparison((metric.file, metric.name), shown[0], shown[1], None, verdict, reason), metric)

    for side in reversed(sides):
        absent = side.absent.get(metric.file)
        if absent is not None and absent.remedy:
            return say(Verdict.NOT_COMPARABLE, f"the metrics of {side.snapshot.name} are not here")
    if not finite(values[1]):
        return say(Verdict.MISSING, "is not there any more")
    if not finite(values[0]):
        return say(Verdict.NEW)
    if metric.kind in ITEMWISE:
        return _by_items(metric, config, sides, (float(values[0]), float(values[1])))
    if metric.tolerance is None:
        return say(Verdict.REPORTED, "no tolerance is given, so nobody knows what is noise")
    difference = (values[1] - values[0]) * metric.sign
    if abs(difference) <= metric.tolerance + ROUNDING:
        return say(Verdict.WITHIN_NOISE)
    return say(Verdict.BETTER if difference > 0 else Verdict.WORSE)


def _by_items(
    metric: ConfiguredMetric, config: Config, sides: tuple[Side, Side], values: tuple[float, float]
) -> Judged:
    """A metric that is a mean over items: paired, if both runs' predictions are at hand."""
    key = (metric.file, metric.name)
    old, new = (side.items for side in sides)

    def refuse(reason: str, count: int | None = None) -> Judged:
        return Judged(Comparison(key, *values, None, Verdict.NOT_COMPARABLE, reason), metric, count)

    if isinstance(old, Absent) or isinstance(new, Absent):
        return _by_metrics(metric, config, sides, values)
    if reason := what_differs(old, new):
        return refuse(reason, len(new))
    path = str(config.predictions)
    each = [scores(items, metric.kind, path, side) for items, side in ((old, BASE), (new, HERE))]
    for mean, value, side in zip((float(one.mean()) for one in each), values, (BASE, HERE), strict=True):
        if not math.isclose(mean, value, rel_tol=SAME, abs_tol=1e-9):
            return refuse(f"the predictions of {side} give {mean:.6g}, its metrics {value:.6g}", len(new))
    confidence = confidence_of_each(config)
    group = new["group"].to_numpy() if "group" in new else None
    found = paired_means(each[0], each[1], group, confidence)
    if found is None:
        return refuse(f"fewer than {fewest_groups(confidence)} groups or items", len(new))
    comparison = _compared(key, (found.old, found.new), found.interval, metric, confidence)
    only = (int((each[1] > each[0]).sum()), int((each[1] < each[0]).sum())) if metric.kind == "accuracy" else None
    return Judged(comparison, metric, len(new), only, is_paired=True)


def _by_metrics(
    metric: ConfiguredMetric, config: Config, sides: tuple[Side, Side], values: tuple[float, float]
) -> Judged:
    """A share whose number of items one run's predictions give; nothing else has a noise that is known."""
    key = (metric.file, metric.name)
    known = [side.items for side in sides if isinstance(side.items, pd.DataFrame)]
    wanting = next(side for side in reversed(sides) if isinstance(side.items, Absent))
    lacks = f"the predictions of {wanting.snapshot.name} are not here"
    if metric.kind != "accuracy" or not known or "group" in known[0] or not all(0 <= value <= 1 for value in values):
        return Judged(Comparison(key, *values, None, Verdict.NOT_COMPARABLE, lacks), metric)
    count, confidence = len(known[0]), confidence_of_each(config)
    of_old, of_new = (share_interval(value, count, confidence) for value in values)
    interval = independent_difference(values[0], of_old, values[1], of_new)
    return Judged(_compared(key, values, interval, metric, confidence), metric, count)


def _compared(
    key: tuple[str, str], values: tuple[float, float], interval: Interval, metric: ConfiguredMetric, confidence: float
) -> Comparison:
    difference = values[1] - values[0]
    if metric.training_noise:
        interval = widened(interval, difference, metric.training_noise, confidence)
    verdict = judge(difference, interval, Rule(metric.sign, metric.tolerance or 0.0))
    return Comparison(key, *values, interval, verdict)
