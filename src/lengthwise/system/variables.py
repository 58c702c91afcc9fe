"""Numbers that environment variables say, and processors: what no output depends on, and so is no key."""

import os
from collections.abc import Mapping

from lengthwise.errors import LengthwiseError

# TensorFlow's variable, and ours where a sweep shares the processors out.
THREADS_VARIABLE = "TF_NUM_INTRAOP_THREADS"


def number_of(text: str) -> int | None:
    """The whole number from 1 that a text is; None where it is no such thing."""
    return int(text) if text.isascii() and text.isdigit() and int(text) else None


def number_in(variable: str, default: int, environment: Mapping[str, str] = os.environ) -> int:
    """The whole number from 1 that a variable says, or the default where it is unset or empty.

    Raises:
        LengthwiseError: it says something else.
    """
    text = environment.get(variable) or str(default)
    number = number_of(text)
    if number is None:
        raise LengthwiseError(f"{variable}: got {text!r}; expected a positive integer; change or unset it")
    return number


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tensorflow_threads(environment: Mapping[str, str] = os.environ) -> int | None:
    """Threads that TensorFlow's variable asks for; None where it asks for none."""
    return number_of(environment.get(THREADS_VARIABLE, ""))
