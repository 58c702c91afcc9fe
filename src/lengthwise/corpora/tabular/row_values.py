"""What the values of a row mean: texts, classes, numbers, groups and splits."""

import html
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from lengthwise.core.names import SPLITS, Split
from lengthwise.errors import CorpusError

CleanUp = Literal["tags", "entities", "newlines"]
# Tags end words and lines, so they leave a blank; breaks leave an end of line.
BREAK = re.compile(r"<(?:br|p|/p|div|/div)\b[^<>]*>", re.IGNORECASE)
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
# What stands for no value, in any case.
NOTHING = ("", "nan", "na", "null", "none", "?")
YES = ("1", "1.0", "true", "yes", "t", "y")
NO = ("0", "0.0", "false", "no", "f", "n")
# Names of splits, as corpora call them.
SPLIT_NAMES: dict[str, Split] = {
    **{name: name for name in SPLITS},
    **{"training": "train", "dev": "validation", "val": "validation", "valid": "validation", "testing": "test"},
}


@dataclass(frozen=True)
class TableRow:
    """One row: its values by column, and its place, which is looked up only where a message names it.

    Attributes:
        values: of the columns that were asked for, or of all.
        columns: all that the file has, if values are not.
    """

    found: str | Callable[[], str]
    values: Mapping[str, object]
    columns: Collection[str] = ()

    @property
    def place(self) -> str:
        """Where it is: the file, and the line or the number of the row."""
        return self.found if isinstance(self.found, str) else self.found()


def is_missing(value: object) -> bool:
    """Whether a value says nothing.

    >>> is_missing(None), is_missing("NaN"), is_missing(float("nan")), is_missing(0)
    (True, True, True, False)
    """
    if isinstance(value, float) and math.isnan(value):
        return True
    return value is None or (isinstance(value, str) and value.strip().lower() in NOTHING)


def text_of_value(value: object) -> str:
    """A value as text: whole numbers without a point, lists between blanks.

    >>> text_of_value(25.0), text_of_value(["a", "b"]), text_of_value(None)
    ('25', 'a b', '')
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple):
        return " ".join(map(text_of_value, value))
    return str(value).strip()


def cleaned(text: str, clean_ups: Sequence[CleanUp]) -> str:
    r"""A text after clean-ups, in this order: entities (twice, as some are escaped twice), tags, newlines.

    >>> cleaned("It&amp;#39;s fine.<br />The end\\nof it", ["tags", "entities", "newlines"])
    "It's fine.\nThe end\nof it"
    """
    if "entities" in clean_ups:
        text = html.unescape(html.unescape(text))
    if "tags" in clean_ups:
        text = TAG.sub(" ", BREAK.sub("\n", text))
    return text.replace("\\n", "\n") if "newlines" in clean_ups else text


def yes_or_no(value: object) -> int | None:
    """1 for yes, 0 for no, None for anything else."""
    text = text_of_value(value).lower()
    return 1 if text in YES else 0 if text in NO else None


def bin_of(value: object, bins: Mapping[str, str]) -> str | None:
    """The name of the bin that a number is in, ends included; None, if it is in none.

    >>> bins = {"low": "-2", "high": "3-"}
    >>> bin_of("1.5", bins), bin_of(3, bins), bin_of(2.5, bins)
    ('low', 'high', None)
    """
    try:
        number = float(text_of_value(value))
    except ValueError:
        return None
    for name, written in bins.items():
        low, high = ends_of_bin(written)
        if low <= number <= high:
            return name
    return None


def number_of(value: object) -> float | None:
    """A finite number, or None.

    >>> number_of("1e3"), number_of(2), number_of("inf"), number_of("two")
    (1000.0, 2.0, None, None)
    """
    try:
        number = float(text_of_value(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def ends_of_bin(written: str) -> tuple[float, float]:
    """The ends of a bin: `13-17`, `-17` (up to 17), `18-` (from 18) or one number.

    Raises:
        CorpusError: it is written in another way.
    """
    low, dash, high = written.partition("-")
    try:
        if not dash:
            return float(low), float(low)
        ends = float(low) if low.strip() else -math.inf, float(high) if high.strip() else math.inf
    except ValueError:
        raise CorpusError(
            f"ingest.table.bins: got {written!r}; expected numbers such as 13-17, -12 or 18-; change it"
        ) from None
    return ends


def as_written(value: object) -> str:
    """A value as text, lists between blanks.

    >>> as_written(["a", 1]), as_written(" b ")
    ('a 1', ' b ')
    """
    if isinstance(value, str):
        return value
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def column_name(name: str) -> str:
    """What a column is called in figures.

    >>> column_name("eye colour"), column_name("3")
    ('eye_colour', 'column3')
    """
    return f"column{name}" if name.isdigit() else PurePosixPath(name).name.replace(" ", "_")


def by_number(name: str) -> tuple[float, str]:
    """What classes are sorted by: numbers by their size, others behind them by name.

    >>> sorted(["b", "10", "9"], key=by_number)
    ['9', '10', 'b']
    """
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name
