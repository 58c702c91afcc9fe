"""Library errors name arguments; users of the pipeline know keys of `params.yaml`."""

from collections.abc import Iterator
from contextlib import contextmanager

from lengthwise.errors import ArgumentError, ParamsError

# By argument: the key that it comes from, and what to do there instead of what the library says.
KEYS = {
    "batch_size": ("train.batching.batch_size", ""),
    "buckets": ("train.batching.buckets", ""),
    "tokens": ("train.batching.tokens", "raise it, or lower shards.max_length"),
    "window": ("train.batching.window", ""),
    "best": ("train.best", "raise split.validation, or set train.best to none"),
    "class_weights": ("train.class_weights", "set it to none"),
    "outer": ("train.model.outer", ""),
    "embedding": ("train.model.embedding", ""),
    "warmup_steps": ("train.optimizer.warmup_steps", ""),
    "columns": ("shards", "widen shards.min_length and shards.max_length, or raise split.test"),
}


@contextmanager
def errors_under_keys() -> Iterator[None]:
    """Show a wrong argument of the library under the key of `params.yaml` that it comes from.

    >>> with errors_under_keys():
    ...     raise ArgumentError("window", "got 0; expected a whole number from 1")
    Traceback (most recent call last):
    lengthwise.errors.ParamsError: train.batching.window: got 0; expected a whole number from 1

    Raises:
        ParamsError: in the place of an `ArgumentError` whose argument is a key's value.
    """
    try:
        yield
    except ArgumentError as error:
        if error.argument not in KEYS:
            raise
        key, remedy = KEYS[error.argument]
        raise ParamsError("; ".join(filter(None, (f"{key}: {error.problem}", remedy or error.remedy)))) from error
