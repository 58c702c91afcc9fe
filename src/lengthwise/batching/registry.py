"""All batching strategies: the one place where their names are legal values."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lengthwise.batching.bucketed import Bucketed
from lengthwise.batching.exact import Exact
from lengthwise.batching.packed import Packed
from lengthwise.batching.padded import Padded
from lengthwise.batching.padded_to_longest import PaddedToLongest
from lengthwise.batching.plan import SETTING, Strategy
from lengthwise.batching.stratified import Stratified
from lengthwise.batching.token_budget import TokenBudget
from lengthwise.batching.truncated import Truncated
from lengthwise.bounds import hints_of
from lengthwise.errors import ArgumentError

STRATEGIES: dict[str, type[Any]] = {
    "bucketed": Bucketed,
    "exact": Exact,
    "packed": Packed,
    "padded": Padded,
    "padded_to_longest": PaddedToLongest,
    "stratified": Stratified,
    "token_budget": TokenBudget,
    "truncated": Truncated,
}


def settings_of_strategies() -> dict[str, Any]:
    """The type, with its bounds, of every setting that some strategy has, by name and in the order of the names.

    >>> list(settings_of_strategies())
    ['batch_size', 'buckets', 'tokens', 'window']

    Raises:
        TypeError: two strategies have settings of one name and with different bounds.
    """
    settings: dict[str, Any] = {}
    for kind in STRATEGIES.values():
        for name, hint in hints_of(kind).items():
            meant = SETTING.get(hint, hint)
            if settings.setdefault(name, meant) != meant:
                raise TypeError(f"{kind.__name__}.{name}: bounds differ from another strategy's; make them the same")
    return dict(sorted(settings.items()))


def make_strategy(name: str, settings: Mapping[str, int]) -> Strategy:
    """The strategy of a name with those of the settings that it has.

    >>> from lengthwise import make_strategy
    >>> make_strategy("padded", {"batch_size": 256, "buckets": 5, "tokens": 8192})
    Padded(batch_size=256)

    Raises:
        ArgumentError: there is no such strategy, or a setting of it is missing or wrong; it is a `ValueError`.
    """
    if not isinstance(name, str) or name not in STRATEGIES:
        raise ArgumentError("name", f"got {name!r}; expected one of {', '.join(STRATEGIES)}")
    if not isinstance(settings, Mapping):
        raise ArgumentError("settings", f"got {settings!r:.80}; expected a dict of whole numbers by name")
    kind = STRATEGIES[name]
    if missing := [field.name for field in fields(kind) if field.name not in settings]:
        raise ArgumentError("settings", f"got {', '.join(settings) or 'none'}; expected {missing[0]} for {name}")
    strategy: Strategy = kind(**{field.name: settings[field.name] for field in fields(kind)})
    return strategy
