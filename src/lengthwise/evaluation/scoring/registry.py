"""All kinds of scoring, the metrics of them all, and a scoring as a text, which tells what a file's predictions are."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from lengthwise.evaluation import metrics
from lengthwise.evaluation.metric import Metric
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.next_token_scoring import NextTokenScoring
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.evaluation.scoring.tag_scoring import TagScoring
from lengthwise.evaluation.scoring.task_scoring import TaskScoring

# By what is predicted: a classifier and seq2seq predict classes, or several labels; each other task has its own.
SCORINGS: dict[str, type[TaskScoring]] = {
    "classes": ClassScoring,
    "labels": LabelScoring,
    "tags": TagScoring,
    "numbers": NumberScoring,
    "next_tokens": NextTokenScoring,
}


def all_metrics() -> Iterator[Metric]:
    """The metrics of every kind. Evaluation, its headline, paired differences and the verdict on a change read them."""
    for scoring in SCORINGS.values():
        yield from metrics.METRICS if scoring is ClassScoring else scoring.metrics


def metric_of(name: str) -> Metric | None:
    """The metric that a figure is of, by its name in `levels.csv`; None for `macro_f1`, recalls and the like.

    Figures of one name are judged alike, whatever the task.
    """
    return next((metric for metric in all_metrics() if metric.covers(name)), None)


def scoring_to_json(scoring: TaskScoring) -> str:
    """The text that travels in a file's metadata.

    >>> scoring_to_json(NextTokenScoring("byte"))
    '{"kind": "next_tokens", "word": "byte"}'
    """
    kind = next(kind for kind, of_kind in SCORINGS.items() if type(scoring) is of_kind)
    return json.dumps({"kind": kind, **asdict(scoring)}, ensure_ascii=False)  # type: ignore[call-overload]


def scoring_from_json(text: str) -> TaskScoring:
    """The inverse of `scoring_to_json`, of all kinds but classes, whose files say nothing of it.

    Raises:
        ValueError: it is no such text.
    """
    try:
        kind, fields = (content := json.loads(text)).pop("kind"), content
        if kind == "classes":
            raise ValueError("is of classes")
        return SCORINGS[kind](**{name: tuple(of) if isinstance(of, list) else of for name, of in fields.items()})
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"got {text:.80}; expected what scores predictions") from error
