"""The models of a run that predict the same, and are compared: networks and baselines, their figures and test items."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import pandas as pd

from lengthwise.core.names import LABEL_TASKS, STEP_TASKS
from lengthwise.evaluation.baseline_names import LINEAR, baselines_of
from lengthwise.evaluation.item_table import LevelScores
from lengthwise.evaluation.scoring.registry import metric_of
from lengthwise.runs.run import Run
from lengthwise.runs.scored_items import Difference, items_at_hand, paired_differences

Differences = dict[tuple[str, str], list[Difference]]


@dataclass(frozen=True)
class Rivals:
    """Models that predict the same.

    Attributes:
        run: whose models they are.
        tasks: of the networks: the tasks that predict labels together, each other task by itself.
    """

    run: Run
    tasks: Sequence[str]

    @cached_property
    def baselines(self) -> list[str]:
        """Their names, the simple ones first."""
        return baselines_of(self.tasks[0], self.run.baselines)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """Every figure of every model with its interval: model, level, metric, value, low, high."""
        return self.run.levels_of(self.tasks)

    @cached_property
    def metrics(self) -> list[str]:
        """The metrics that the models are judged by, in the order of the tables."""
        return [name for name in dict.fromkeys(self.levels["metric"]) if metric_of(name)]

    @cached_property
    def first_metric(self) -> dict[str, str]:
        """By level, from the finest, the metric that stands first."""
        judged = self.levels[self.levels["metric"].isin(self.metrics)]
        return dict(judged.groupby("level", sort=False)["metric"].first())

    @cached_property
    def items(self) -> dict[str, list[LevelScores]]:
        """What each test item adds to the metrics, by model, networks first, where that is at hand and of this run."""
        models = (*self.tasks, *self.baselines, *self.run.together(self.tasks).values())
        return {model: found for model in models if (found := items_at_hand(self.run, model))}

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many items of each level the test split has, as far as that is known."""
        sizes = {level.name: len(level.group) for level in next(iter(self.items.values()), [])}
        for level in self.first_metric:
            name = f"evaluate/{self.tasks[0]}/confusion_{level}.csv"
            if self.run.has(name):
                sizes[level] = int(self.run.table(name, (), ("count",))["count"].sum())
        if self.tasks[0] in STEP_TASKS:
            # Long texts are resampled in blocks of steps, which are its items then.
            by_length = self.run.table(f"evaluate/{self.tasks[0]}/by_length.csv", (), ("count",))
            sizes[next(iter(self.first_metric))] = int(by_length["count"].sum())
        return sizes

    @cached_property
    def differences(self) -> Differences:
        """The first metric of each level, of one model less that of another: by both, where their items are at hand."""
        confidence = self.run.params("evaluate")["confidence"]
        known = [model for model in (*self.tasks, *self.baselines[-1:]) if model in self.items]
        # Of two together less each.
        together = [
            (part, name)
            for task, name in self.run.together(self.tasks).items()
            for part in (task, LINEAR)
            if {part, name} <= self.items.keys()
        ]
        found = {}
        for other, one in [*combinations(known, 2), *together]:
            pairs = [
                replace(pair, items=self.sizes[pair.level])
                for pair in paired_differences(self.items[one], self.items[other], confidence)
                if self.first_metric.get(pair.level) == pair.metric
            ]
            if pairs:
                found[one, other] = pairs
        return found


def rivals_of(run: Run) -> list[Rivals]:
    """The models of each target: those of labels first.

    Raises:
        FormatError: the lock of the run is absent or damaged.
    """
    labels = [task for task in run.tasks if task in LABEL_TASKS]
    others = [[task] for task in run.tasks if task not in LABEL_TASKS]
    return [Rivals(run, tasks) for tasks in ([labels] if labels else []) + others]


def resampled_groups(run: Run) -> str:
    """What is resampled for intervals, with its number: what the test split has fewest of."""
    split = run.figures("split.json")
    # The figures of classes have more words.
    names = [name for name in split if re.fullmatch("test_[^_]+", name)]
    # Of two words for as many, the corpus's own.
    word = min(names, key=lambda name: (split[name], name == "test_sentences"))
    number = split[word]
    return f"{number:,.0f} {word.replace('_', ' ')}" if number > 1 else "pieces of the test text"
