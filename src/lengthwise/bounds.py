"""What a field of a dataclass may hold, said once beside its type: bounds of numbers, lengths of texts, names.

A dataclass checks itself by `check_fields`. Whatever reads its values from a file takes the same hints: so a bound
stands in one place, and the library needs no package for it.
"""

import math
import types
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from lengthwise.errors import ArgumentError


@dataclass(frozen=True)
class Within:
    """Bounds of a number, each of them or none: the first two from below, the last two from above.

    >>> from lengthwise.bounds import Within
    >>> str(Within(0.0, below=1.0)), Within(0.0, below=1.0).allows(1.0)
    ('from 0.0 below 1.0', False)

    Attributes:
        least: the smallest legal number.
        most: the largest.
        above: every legal number is larger.
        below: every legal number is smaller.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def allows(self, number: float) -> bool:
        """Whether a number is within; NaN never is."""
        return (
            (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.most is None or number <= self.most)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        limits = {"from": self.least, "above": self.above, "to": self.most, "below": self.below}
        return " ".join(f"{word} {limit}" for word, limit in limits.items() if limit is not None)


@dataclass(frozen=True)
class Letters:
    """How many characters a text has.

    Attributes:
        least: in the shortest.
    """

    least: int

    def allows(self, text: str) -> bool:
        """Whether a text is long enough."""
        return len(text) >= self.least

    def __str__(self) -> str:
        return f"of {self.least} or more characters"


# A registry is a dictionary, which has no hash: one is the same as another if it is the same object.
@dataclass(frozen=True, eq=False)
class OneOf:
    """The names that a registry has when a value is checked: what is added to it is legal.

    Attributes:
        registry: by name, such as `STRATEGIES`.
    """

    registry: Mapping[str, object]

    def allows(self, name: str) -> bool:
        """Whether the registry has a name."""
        return name in self.registry

    def __str__(self) -> str:
        return _one_of(self.registry)


Count = Annotated[int, Within(1)]
Seed = Annotated[int, Within(0, 2**31 - 1)]
# Of something that may all be left, but not all be taken.
Share = Annotated[float, Within(0.0, below=1.0)]

WORDS: Mapping[object, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "None",
}


def hints_of(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields, in their order, with what stands beside them."""
    hints = _hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def check_fields(record: object, meant: Mapping[Any, Any] | None = None) -> None:
    """Check the values of a dataclass by the hints of its fields; what is no number, text or name is not looked at.

    >>> from dataclasses import dataclass
    >>> from lengthwise.bounds import Count, check_fields
    >>> @dataclass(frozen=True)
    ... class Rows:
    ...     batch_size: Count
    ...     def __post_init__(self):
    ...         check_fields(self)
    >>> Rows(0)
    Traceback (most recent call last):
    lengthwise.errors.ArgumentError: batch_size: got 0; expected a whole number from 1

    Args:
        record: the dataclass's instance.
        meant: what stands for a hint, such as `{int: Count}` where each plain `int` counts something.

    Raises:
        ArgumentError: a field has a value that it may not have; it is a `ValueError`.
    """
    for name, hint in hints_of(type(record)).items():
        hint, value = (meant or {}).get(hint, hint), getattr(record, name)
        if not _fits(value, hint):
            raise ArgumentError(name, f"got {value!r}; expected {_words(hint)}")


def _fits(value: object, hint: object) -> bool:
    origin = get_origin(hint)
    if origin is Annotated:
        base, *marks = get_args(hint)
        return _fits(value, base) and all(mark.allows(value) for mark in marks)
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if origin is Literal:
        # 1 and True are equal, but not the same value.
        return any(type(value) is type(known) and value == known for known in get_args(hint))
    return hint not in WORDS or _is_of(value, hint)


def _is_of(value: object, kind: object) -> bool:
    """Whether a value is of a kind; a truth value is no number, and a number is finite."""
    if kind in (int, float):
        number = Integral if kind is int else Real
        return isinstance(value, number) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, cast(type, kind))


def _words(hint: object) -> str:
    """What fits a hint."""
    origin = get_origin(hint)
    if origin is Annotated:
        base, *marks = get_args(hint)
        named = [str(mark) for mark in marks if isinstance(mark, OneOf)]
        return named[0] if named else " ".join([_words(base), *map(str, marks)])
    if origin in (Union, types.UnionType):
        return " or ".join(map(_words, get_args(hint)))
    return _one_of(get_args(hint)) if origin is Literal else WORDS[hint]


def _one_of(names: Collection[object]) -> str:
    return f"one of {', '.join(map(str, names))}"
