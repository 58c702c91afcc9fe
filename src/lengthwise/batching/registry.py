"""All batching strategies: the one place where their names are legal values."""

from collections.abc import Mapping
from dataclasses import fields

from lengthwise.batching.bucketed import Bucketed
from lengthwise.batching.padded import Padded
from lengthwise.batching.plan import Strategy

STRATEGIES: dict[str, type[Bucketed] | type[Padded]] = {"bucketed": Bucketed, "padded": Padded}


def make_strategy(name: str, settings: Mapping[str, int]) -> Strategy:
    """The strategy of a name with those of the settings that it has.

    >>> make_strategy("padded", {"batch_size": 256, "buckets": 5})
    Padded(batch_size=256)
    """
    strategy = STRATEGIES[name]
    return strategy(**{field.name: settings[field.name] for field in fields(strategy)})
