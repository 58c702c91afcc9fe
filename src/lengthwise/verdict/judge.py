"""The verdict on each metric that `.lengthwise.yaml` names."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

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
from lengthwise.runs.contents import Absent
from lengthwise.runs.run import Run
from lengthwise.system.dotted import finite, leaves
from lengthwise.verdict.comparison import Comparison, Evidence, Rule, Verdict, compare
from lengthwise.verdict.config_file import FILE, ITEMWISE, Config, ConfiguredMetric
from lengthwise.verdict.figures import Figure
from lengthwise.verdict.items import read_items, scores, what_differs

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
    old, new = (Figure(value) if finite(value) else None for value in values)
    key = (metric.file, metric.name)
    for side in reversed(sides):
        absent = side.absent.get(metric.file)
        if absent is not None and absent.remedy:
            reason = f"the metrics of {side.snapshot.name} are not here"
            shown = [figure.value if figure else None for figure in (old, new)]
            return Judged(Comparison(key, shown[0], shown[1], None, Verdict.NOT_COMPARABLE, reason), metric)
    if old is None or new is None:
        return Judged(compare(key, old, new, Evidence(None)), metric)
    if metric.kind in ITEMWISE:
        return _by_items(metric, config, sides, (float(old.value), float(new.value)))
    if metric.tolerance is None:
        said = compare(key, old, new, Evidence(None))
        return Judged(replace(said, reason="no tolerance is given, so nobody knows what is noise"), metric)
    difference = float(new.value) - float(old.value)
    certain = Evidence(Rule(metric.sign, metric.tolerance), Interval(difference, difference))
    return Judged(replace(compare(key, old, new, certain), interval=None), metric)


def _by_items(
    metric: ConfiguredMetric, config: Config, sides: tuple[Side, Side], values: tuple[float, float]
) -> Judged:
    """A metric that is a mean over items: paired, if both runs' predictions are at hand."""
    old, new = (side.items for side in sides)
    confidence = confidence_of_each(config)

    def say(
        shown: tuple[float, float], interval: Interval | None, refusal: str = "", count: int | None = None
    ) -> Judged:
        if interval is not None and metric.training_noise:
            interval = widened(interval, shown[1] - shown[0], metric.training_noise, confidence)
        evidence = Evidence(Rule(metric.sign, metric.tolerance or 0.0), interval, refusal)
        said = compare((metric.file, metric.name), Figure(shown[0]), Figure(shown[1]), evidence)
        return Judged(said, metric, count)

    if isinstance(old, Absent) or isinstance(new, Absent):
        # A share whose number of items one run's predictions give; nothing else has a noise that is known.
        known = next((items for items in (old, new) if isinstance(items, pd.DataFrame)), None)
        if metric.kind != "accuracy" or known is None or "group" in known or not all(0 <= one <= 1 for one in values):
            wanting = next(side for side in reversed(sides) if isinstance(side.items, Absent))
            return say(values, None, f"the predictions of {wanting.snapshot.name} are not here")
        of_old, of_new = (share_interval(value, len(known), confidence) for value in values)
        return say(values, independent_difference(values[0], of_old, values[1], of_new), count=len(known))
    if reason := what_differs(old, new):
        return say(values, None, reason, len(new))
    path = str(config.predictions)
    each = [scores(items, metric.kind, path, side) for items, side in ((old, BASE), (new, HERE))]
    for mean, value, side in zip((float(one.mean()) for one in each), values, (BASE, HERE), strict=True):
        if not math.isclose(mean, value, rel_tol=SAME, abs_tol=1e-9):
            reason = f"the predictions of {side} give {mean:.6g}, its metrics {value:.6g}"
            return say(values, None, reason, len(new))
    found = paired_means(each[0], each[1], new["group"].to_numpy() if "group" in new else None, confidence)
    if found is None:
        return say(values, None, f"fewer than {fewest_groups(confidence)} groups or items", len(new))
    only = (int((each[1] > each[0]).sum()), int((each[1] < each[0]).sum())) if metric.kind == "accuracy" else None
    return replace(say((found.old, found.new), found.interval, count=len(new)), only=only, is_paired=True)
