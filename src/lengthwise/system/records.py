"""JSON read into frozen dataclasses, strictly: what a file holds is what its dataclass says, or it is rejected.

Numbers are never made from texts, booleans are no numbers, and there are no unknown, missing or repeated keys. Nothing
but dataclasses is made, so no file can name code to run.
"""

import json
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
# Characters of a wrong value that a message shows.
SHOWN = 80
# Of a whole number: 64 bits, a sign and more.
DIGITS = 30
# What stands in a message for where the whole content is wrong.
TOP = "content"
NAMES: Mapping[object, str] = {
    str: "text",
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    type(None): "null",
}


def read_record(content: bytes | str, kind: type[Record], ignored: Sequence[str] = ()) -> Record:
    """Read JSON into a dataclass.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Point:
    ...     x: int
    ...     tags: tuple[str, ...] = ()
    >>> read_record('{"x": 1, "tags": ["a"]}', Point)
    Point(x=1, tags=('a',))
    >>> read_record('{"x": 1, "tags": [2]}', Point)
    Traceback (most recent call last):
    ValueError: tags.0: got 2; expected text

    Args:
        content: an object in JSON, in UTF-8.
        kind: a dataclass; its fields are of `str`, `int`, `float`, `bool`, `None`, `Literal`, unions, `tuple`, `list`,
            `dict` with keys that are texts, and dataclasses.
        ignored: keys of the outermost object that may stand there and say nothing.

    Raises:
        ValueError: the content is no such JSON; one line with the place, what was got and what was expected.
    """
    try:
        text = content.decode() if isinstance(content, bytes) else content
        parsed = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_whole_number)
    except RecursionError:
        raise ValueError(f"{TOP}: is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{TOP}: is not UTF-8 ({error.reason})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{TOP}: is no JSON ({error})") from None
    if isinstance(parsed, dict):
        parsed = {key: value for key, value in parsed.items() if key not in ignored}
    return cast(Record, _value(parsed, kind, ""))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read: dict[str, object] = {}
    for key, value in pairs:
        if key in read:
            raise ValueError(f"{TOP}: has the key {key[:SHOWN]!r} twice; expected each once")
        read[key] = value
    return read


def _whole_number(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"{TOP}: got a number of {len(digits)} digits; expected at most {DIGITS}")
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{TOP}: got {name}; expected finite numbers")


def _wrong(place: str, got: object, expected: str) -> ValueError:
    shown = repr(got)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    return ValueError(f"{place or TOP}: got {shown}; expected {expected}")


def _value(value: object, kind: object, place: str) -> object:
    """A parsed value as one of `kind`, which is a type of a field."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(value, get_args(kind), place)
    if origin is Literal:
        # 1 and True, and 1 and 1.0, are equal, but not the same value.
        if not any(type(value) is type(known) and value == known for known in get_args(kind)):
            raise _wrong(place, value, _described(kind))
        return value
    if origin in READERS:
        return READERS[origin](value, get_args(kind), place)
    if is_dataclass(kind):
        return _record(value, cast(type, kind), place)
    return _scalar(value, kind, place)


def _scalar(value: object, kind: object, place: str) -> object:
    if kind not in NAMES:
        raise TypeError(f"{place or TOP}: {kind} is no type that a record can have")
    if kind is float and type(value) is int:
        if int(float(value)) != value:
            raise _wrong(place, value, "a number that 64 bits hold to the last digit")
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise _wrong(place, value, NAMES[kind])
    if isinstance(value, str):
        _check_text(value, place)
    return value


def _check_text(text: str, place: str) -> None:
    """JSON can name half of a character, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _wrong(place, text, "text of whole characters") from None


def _one_of(value: object, kinds: Sequence[Any], place: str) -> object:
    """The first kind that the value is of; a kind that alone could hold it says what is wrong inside."""
    reasons = []
    for kind in kinds:
        try:
            return _value(value, kind, place)
        except ValueError as error:
            reasons.append((kind, error))
    inside = [error for kind, error in reasons if _is_container(kind) and isinstance(value, dict | list)]
    if len(inside) == 1:
        raise inside[0]
    raise _wrong(place, value, " or ".join(map(_described, kinds)))


def _is_container(kind: object) -> bool:
    return is_dataclass(kind) or get_origin(kind) in READERS


def _described(kind: object) -> str:
    if get_origin(kind) is Literal:
        known = [json.dumps(value) for value in get_args(kind)]
        return known[0] if len(known) == 1 else f"one of {', '.join(known)}"
    if get_origin(kind) is dict or is_dataclass(kind):
        return "an object"
    return "a list" if get_origin(kind) in READERS else NAMES.get(kind, str(kind))


def _list(value: object, kinds: tuple[Any, ...], place: str) -> list[object]:
    if not isinstance(value, list):
        raise _wrong(place, value, "a list")
    return [_value(item, kinds[0], _below(place, number)) for number, item in enumerate(value)]


def _tuple(value: object, kinds: tuple[Any, ...], place: str) -> tuple[object, ...]:
    if kinds[1:] == (...,):
        return tuple(_list(value, kinds, place))
    if not isinstance(value, list) or len(value) != len(kinds):
        raise _wrong(place, value, f"a list of {len(kinds)}")
    items = enumerate(zip(value, kinds, strict=True))
    return tuple(_value(item, kind, _below(place, number)) for number, (item, kind) in items)


def _dict(value: object, kinds: tuple[Any, ...], place: str) -> dict[object, object]:
    if not isinstance(value, dict):
        raise _wrong(place, value, "an object")
    key_kind, item_kind = kinds
    return {
        _value(key, key_kind, f"{_below(place, key)} (the key)"): _value(item, item_kind, _below(place, key))
        for key, item in value.items()
    }


READERS: Mapping[Any, Callable[[object, tuple[Any, ...], str], object]] = {list: _list, tuple: _tuple, dict: _dict}


def _record(value: object, kind: type, place: str) -> object:
    if not isinstance(value, dict):
        raise _wrong(place, value, "an object")
    known = {field.name: field for field in fields(kind) if field.init}
    hints = get_type_hints(kind)
    arguments = {}
    # In the dataclass's order: of a file of another version, the version is what is wrong.
    for name, field in known.items():
        if name in value:
            arguments[name] = _value(value[name], hints[name], _below(place, name))
        elif _is_required(field):
            raise ValueError(f"{_below(place, name)}: is missing; expected {', '.join(known)}")
    for key in value:
        if key not in known:
            raise ValueError(f"{_below(place, key)}: is unknown; expected only {', '.join(known)}")
    try:
        return kind(**arguments)
    except ValueError as error:  # What the dataclass itself checks.
        raise ValueError(f"{place or TOP}: {error}") from None


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _below(place: str, name: object) -> str:
    """The place of a part; what a file says there may be long or hold line breaks."""
    part = str(name)
    part = part if part.isprintable() and len(part) <= SHOWN else f"{part[:SHOWN]!r}"
    return f"{place}.{part}" if place else part
