"""How reports and documents write numbers, and which colour a model has."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lengthwise.evaluation.baseline_names import model_of

# The colour of a model is the same in every chart.
MODEL_HUES = {
    **{"majority": "grey", "mean": "grey", "linear": "green", "ngram": "green"},
    **{"classifier": "blue", "seq2seq": "orange", "tagger": "blue", "regressor": "blue", "language_model": "blue"},
}
# Between a number and its unit.
NO_BREAK = "\N{NO-BREAK SPACE}"


def records(table: pd.DataFrame) -> list[Any]:
    """The rows of a table, each with its columns as attributes."""
    return list(table.itertuples(index=False))


def hue_of(model: str) -> str:
    """The colour of a model."""
    return MODEL_HUES.get(model_of(model), "purple")


def count(number: float, noun: str = "", plural: str = "") -> str:
    """A whole number with its noun: `1 author`, `2,188 sentences`."""
    words = f"{number:,.0f}"
    return words if not noun else f"{words} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """A share in [0, 1] as a percentage."""
    return f"{100 * share:.1f}{NO_BREAK}%"


def ranged(value: float, low: float, high: float) -> str:
    """A figure with its interval."""
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def level_heading(level: str, sizes: Mapping[str, int] | None) -> str:
    """The heading of a level, with how many items it has where that is known."""
    number = of_size(level, sizes)
    return f"by {level}, {number}" if number else f"by {level}"


def of_size(level: str, sizes: Mapping[str, int] | None) -> str:
    """How many items a level has, where that is known."""
    return f"n = {count(sizes[level])}" if sizes and level in sizes else ""


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
