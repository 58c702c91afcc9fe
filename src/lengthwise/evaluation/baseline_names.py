"""What baselines are called, and which tasks they predict the same as."""

from collections.abc import Iterable

from lengthwise.core.names import LABEL_TASKS, TASKS, Task

# What knows the frequencies of classes, tags or tokens, or the mean of numbers, and nothing else.
SIMPLE = ("majority", "mean")


def baseline_name(task: Task, model: str) -> str:
    """What a baseline is called: those of labels by themselves, others behind their task.

    >>> baseline_name("classifier", "linear"), baseline_name("tagger", "linear")
    ('linear', 'tagger_linear')
    """
    return model if task in LABEL_TASKS else f"{task}_{model}"


def is_baseline_of(task: str, baseline: str) -> bool:
    """Whether a baseline predicts what a task does.

    >>> is_baseline_of("seq2seq", "linear"), is_baseline_of("tagger", "linear"), is_baseline_of("tagger", "tagger_mean")
    (True, False, True)
    """
    of = next((name for name in TASKS if baseline.startswith(f"{name}_")), "")
    return of == task if of else task in LABEL_TASKS


def baselines_of(task: str, baselines: Iterable[str]) -> list[str]:
    """Those of a task, the simple ones first.

    >>> baselines_of("seq2seq", ["linear", "majority", "tagger_linear"])
    ['majority', 'linear']
    """
    found = [name for name in baselines if is_baseline_of(task, name)]
    return sorted(found, key=lambda name: not name.endswith(SIMPLE))


def model_of(baseline: str) -> str:
    """A baseline's name without its task.

    >>> model_of("language_model_ngram"), model_of("linear")
    ('ngram', 'linear')
    """
    return next((baseline.removeprefix(f"{task}_") for task in TASKS if baseline.startswith(f"{task}_")), baseline)
