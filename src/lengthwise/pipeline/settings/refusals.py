"""What a file of settings is refused with: one line, in the words of the model that it has to follow."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from lengthwise.corpora.corpus import SENSELESS


def first_error(error: ValidationError, model: type[BaseModel]) -> str:
    """The first of a validation's errors as one line, and how many more there are."""
    details = error.errors(include_url=False)
    first = details[0]
    place = tuple(part for part in first["loc"] if part not in ("int", "[key]"))
    key = ".".join(str(part) for part in place) or "the file"
    if "[key]" in first["loc"]:
        message = f"{key}: got {first['input']!r}; expected text; put the name in quotes"
    elif first["type"] == "extra_forbidden":
        siblings = ", ".join(sorted(_schema_at(model, place[:-1]).get("properties", {})))
        message = f"{key}: is no key; expected one of {siblings}; remove or rename it"
    elif first["type"] == "missing":
        message = f"{key}: is missing; expected {expectation(model, place)}; add it"
    elif first["type"] == SENSELESS:
        message = f"{key}: got {first['input']!r}; {first['msg']}"
    else:
        message = f"{key}: got {first['input']!r}; expected {expectation(model, place)}; change it"
    more = len(details) - 1
    return message + (f" (and {more} more)" if more else "")


def _schema_at(model: type[BaseModel], place: tuple[int | str, ...]) -> dict[str, Any]:
    """The JSON schema of the key at a dotted place."""
    root = _schema_of(model)
    schema: dict[str, Any] = root
    for part in place:
        if isinstance(part, int):
            schema = schema.get("items", {})
        else:
            schema = schema.get("properties", {}).get(part, schema.get("additionalProperties", {}))
            schema = schema if isinstance(schema, dict) else {}  # True, where anything may stand.
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


@cache
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def expectation(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """What may stand at a place of `params.yaml`, in words, from the models above."""
    return _describe(_schema_at(model, place))


def _describe(schema: Mapping[str, Any]) -> str:
    if "words" in schema:
        return str(schema["words"])
    if "anyOf" in schema:
        return " or ".join(_describe(option) for option in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    kind = str(schema.get("type", "value"))
    if kind == "array":
        least = schema.get("minItems", 0)
        size = least if least == schema.get("maxItems") else f"at least {least}"
        return f"a list of {size}, each {_describe(schema['items'])}"
    if kind == "object":
        return "a section of keys" if "properties" in schema else "a map of names"
    words = {"integer": "an integer", "number": "a number", "string": "text", "boolean": "true or false"}
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    limits = [f"{word} {schema[bound]}" for bound, word in bounds.items() if bound in schema]
    return " ".join([words.get(kind, kind), *limits])
