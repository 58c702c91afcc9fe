"""What reports call a metric: over a chart, along its axis, and in a sentence."""

from lengthwise.evaluation.scoring.registry import metric_of

LESS = "less is better"


def is_less_better(metric: str) -> bool:
    """Whether a smaller figure is the better one.

    >>> is_less_better("bits"), is_less_better("mood_accuracy")
    (True, False)
    """
    known = metric_of(metric)
    return known is not None and known.direction < 0


def metric_title(metric: str, is_joint: bool = False) -> str:
    """The title of a chart.

    >>> metric_title("accuracy", is_joint=True), metric_title("mood_accuracy"), metric_title("stars_mae")
    ('Accuracy of the joint class', 'Accuracy of mood', 'Mean absolute error of stars: less is better')

    Args:
        metric: its name in `levels.csv`.
        is_joint: whether classes are of several label factors.
    """
    of, _, kind = metric.rpartition("_")
    whole = {"accuracy": "Accuracy", "mae": "Mean absolute error", "r2": "R²", "f1": "F1"}
    titles = {
        "nll": "Negative log-likelihood",
        "bits": "Bits",
        "f1": "F1 of entities",
        "label_f1": "Macro-F1 of the labels",
        "accuracy": "Accuracy of the joint class" if is_joint else "Accuracy",
    }
    title = titles.get(metric) or f"{whole.get(kind, kind)} of {of.replace('_', ' ')}"
    return f"{title}: {LESS}" if is_less_better(metric) else title


def metric_axis(metric: str) -> str:
    """What stands along an axis.

    >>> metric_axis("nll"), metric_axis("mood_accuracy"), metric_axis("stars_mae")
    ('nats', 'accuracy', 'stars')
    """
    of, _, kind = metric.rpartition("_")
    axes = {"nll": "nats", "f1": "F1", "r2": "R²", "mae": of.replace("_", " ")}
    return axes.get(kind, kind)


def metric_phrase(metric: str, value: str) -> str:
    """A figure in a sentence.

    >>> metric_phrase("accuracy", "0.7"), metric_phrase("bits", "2.2"), metric_phrase("stars_mae", "0.4")
    ('an accuracy of 0.7', '2.2 bits', 'a mean absolute error of stars of 0.4')
    """
    of, _, kind = metric.rpartition("_")
    behind = f" of {of.replace('_', ' ')}" if of else ""
    named = {"accuracy": "an accuracy", "mae": "a mean absolute error", "r2": "an R²"}
    if kind in ("bits", "nll"):
        return f"{value} {metric_axis(metric)}"
    return f"{named.get(kind, 'an F1')}{behind} of {value}"
