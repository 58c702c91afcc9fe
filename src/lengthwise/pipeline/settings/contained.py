"""Sections of `params.yaml` that contain the library's own dataclasses.

A section's keys, their types and their bounds are those of the dataclass that it contains: they stand once, in the
library, which knows nothing of what reads them (`lengthwise.bounds`).
"""

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import reduce
from operator import or_
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from lengthwise.bounds import Letters, OneOf, Within, hints_of

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Section(BaseModel):
    """What all sections share: frozen, strict about types, closed to unknown keys.

    Attributes:
        contained: by name of a dataclass that it contains, the dataclass's fields and the key of each.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    contained: ClassVar[Mapping[str, Mapping[str, str]]] = {}


class KeyNames:
    """Beside a contained dataclass: the keys of those fields that are called otherwise in the section."""

    def __init__(self, **keys: str) -> None:
        self.keys = keys


SomeSection = TypeVar("SomeSection", bound=Section)


def section(declared: type[SomeSection]) -> type[SomeSection]:
    """A section whose keys are those declared and, in the place of a dataclass, the fields of the dataclass.

    An instance offers the dataclass under its declared name. Properties are kept.

    >>> from dataclasses import dataclass
    >>> from lengthwise.bounds import Count
    >>> from lengthwise.pipeline.settings.contained import Section, section
    >>> @dataclass(frozen=True)
    ... class Size:
    ...     rows: Count
    ...     columns: Count
    >>> @section
    ... class TableParams(Section):
    ...     name: str
    ...     size: Size
    >>> params = TableParams.model_validate({"name": "x", "rows": 3, "columns": 2})
    >>> params.size
    Size(rows=3, columns=2)
    """
    keys: dict[str, Any] = {}
    contained: dict[str, Mapping[str, str]] = {}
    members: dict[str, Any] = {name: value for name, value in vars(declared).items() if isinstance(value, property)}
    hints = get_type_hints(declared, include_extras=True)
    for name in vars(declared)["__annotations__"]:
        kind, *marks = get_args(hints[name]) if get_origin(hints[name]) is Annotated else (hints[name],)
        if not isinstance(kind, type) or not is_dataclass(kind):
            keys[name] = (key_type(hints[name]), ...)
            continue
        renamed = {field: key for mark in marks if isinstance(mark, KeyNames) for field, key in mark.keys.items()}
        contained[name] = {field: renamed.get(field, field) for field in hints_of(kind)}
        keys |= {contained[name][field]: (key_type(hint), ...) for field, hint in hints_of(kind).items()}
        members[name] = _offered(kind, contained[name])
    made: type[SomeSection] = create_model(
        declared.__name__,
        __base__=declared.__bases__[0],
        __module__=declared.__module__,
        __doc__=declared.__doc__,
        **keys,
    )
    for name, member in {**members, "contained": contained}.items():
        setattr(made, name, member)
    return made


def _offered(kind: Callable[..., object], keys: Mapping[str, str]) -> property:
    """A contained dataclass, made of the values of its keys."""
    return property(lambda section: kind(**{field: getattr(section, key) for field, key in keys.items()}))


def key_type(hint: object) -> Any:  # noqa: ANN401
    """What pydantic checks a field of the library by: its type, and the bounds and names that stand beside it."""
    origin = get_origin(hint)
    if origin is Annotated:
        base, *marks = get_args(hint)
        # FINITE is outermost: so the bounds of a number stay in its schema, from which the messages take them.
        checks = [*(check for mark in marks for check in _checks(mark)), *(FINITE if base is float else ())]
        base = base if base is float else key_type(base)
        return Annotated[(base, *checks)]
    if origin in (Union, types.UnionType):
        return reduce(or_, map(key_type, get_args(hint)))
    if origin is list:
        return list[key_type(get_args(hint)[0])]  # type: ignore[misc]
    return Annotated[float, *FINITE] if hint is float else hint


def _number_from_text(value: object) -> object:
    """YAML 1.1 reads a hand-written `1e-3` as text: take it as the number that it means."""
    return float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value


FINITE = (Field(allow_inf_nan=False), BeforeValidator(_number_from_text))


def _checks(mark: object) -> list[Any]:
    if isinstance(mark, Within):
        return [Field(ge=mark.least, le=mark.most, gt=mark.above, lt=mark.below)]
    if isinstance(mark, Letters):
        return [Field(min_length=mark.least)]
    if isinstance(mark, OneOf):
        return [AfterValidator(_known_to(mark)), Field(json_schema_extra={"enum": [*sorted(mark.registry)]})]
    return [mark]


def _known_to(names: OneOf) -> Callable[[str], str]:
    def check(name: str) -> str:
        if not names.allows(name):
            raise ValueError("unknown")
        return name

    return check
