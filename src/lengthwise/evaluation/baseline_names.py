"""What baselines are called, and which tasks they predict the same as."""

from collections.abc import Iterable

from lengthwise.core.names import LABEL_TASKS, TASKS, Task

# What knows the frequencies of classes, tags or tokens, or the mean of numbers, and nothing else.
SIMPLE = ("majority", "mean")
# A network of classes and the linear model of the same, whose predictions are pooled.
LINEAR, TOGETHER = "linear", "_and_linear"
# The folder of a folder a baseline.
TABLES = "tables"


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

    >>> model_of("language_model_ngram"), model_of("linear"), model_of("seq2seq_and_linear")
    ('ngram', 'linear', 'seq2seq and linear')
    """
    if is_together(baseline):
        return baseline.replace("_", " ")
    return next((baseline.removeprefix(f"{task}_") for task in TASKS if baseline.startswith(f"{task}_")), baseline)


def together_name(task: str) -> str:
    """What a task's network and the linear model are called together.

    >>> together_name("classifier")
    'classifier_and_linear'
    """
    return f"{task}{TOGETHER}"


def is_together(model: str) -> bool:
    """Whether a name is that of a network and the linear model together.

    >>> is_together("seq2seq_and_linear"), is_together("linear"), is_together("tagger_linear")
    (True, False, False)
    """
    return model in map(together_name, TASKS)


def folder_of(model: str) -> str:
    """Where the figures of a network, alone or together with the linear model, lie below those of all networks.

    >>> folder_of("classifier"), folder_of("classifier_and_linear")
    ('classifier', 'classifier/classifier_and_linear')
    """
    return f"{model.removesuffix(TOGETHER)}/{model}" if is_together(model) else model
