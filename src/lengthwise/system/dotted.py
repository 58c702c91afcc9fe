"""Dotted keys: nested maps as one flat map, as DVC names params and metrics; and which of their values are numbers."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard


def leaves(content: object, above: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested maps by their dotted keys, in their order.

    >>> dict(leaves({"train": {"epochs": 3, "batching": {}}, "seed": 1}))
    {'train.epochs': 3, 'train.batching': {}, 'seed': 1}

    Args:
        content: a map of values and maps. An empty map is a value, and so is whatever is no map.
        above: the key of `content` itself; empty for the outermost map.
    """
    if not isinstance(content, Mapping) or not content:
        if above or not isinstance(content, Mapping):
            yield above, content
        return
    for key, value in content.items():
        yield from leaves(value, f"{above}.{key}" if above else str(key))


def finite(value: object) -> TypeGuard[float]:
    """Whether a value from a file is a number with which one can reckon.

    >>> finite(1), finite(True), finite(float("nan")), finite("1")
    (True, False, False, False)
    """
    try:
        return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False
