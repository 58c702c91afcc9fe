"""The combinations that make no sense where groups are read, or where a group has a limit; see `conflicts`."""

from collections.abc import Callable, Mapping
from typing import Any

from lengthwise.batching.registry import STRATEGIES

Sections = Mapping[str, Any]
# The keys, when they do not go together, why, and what to do.
Parts = tuple[tuple[str, ...], Callable[[Sections], bool], str, str]


def strategy_of(sections: Sections) -> type[Any]:
    """The class of the strategy that batches."""
    return STRATEGIES[sections["train"]["batching"]["strategy"]]


# With a network over groups.
OF_GROUPS: tuple[Parts, ...] = (
    (
        ("shards.unit",),
        lambda s: s["shards"]["unit"] == "group",
        "a group would be one sequence",
        "set shards.unit to sentence or document, or train.model.outer to none",
    ),
    (
        ("split.by",),
        lambda s: s["split"]["by"] != "group",
        "a group that is learned from would be tested",
        "set split.by to group, or train.model.outer to none",
    ),
    (
        ("train.batching.strategy",),
        lambda s: strategy_of(s).packs or strategy_of(s).cuts,
        "a row is a group, and its strategy would put several there, or a part of one",
        "choose another strategy, or set train.model.outer to none",
    ),
    (
        ("train.batching.window_blocks",),
        lambda s: s["train"]["batching"]["window_blocks"] is not None,
        "the sequences of a group lie in all blocks",
        "leave train.batching.window_blocks empty, or set train.model.outer to none",
    ),
    (
        ("train.logical_shards",),
        lambda s: s["train"]["logical_shards"] is not None,
        "groups are not dealt to logical shards",
        "leave train.logical_shards empty, or set train.model.outer to none",
    ),
    (
        ("train.model.ensemble",),
        lambda s: s["train"]["model"]["ensemble"] > 1,
        "one network reads groups",
        "set train.model.ensemble to 1, or train.model.outer to none",
    ),
    (
        ("train.class_weights",),
        lambda s: s["train"]["class_weights"] != "none",
        "classes are counted by sequence, not by group",
        "set train.class_weights or train.model.outer to none",
    ),
    (
        ("tasks",),
        lambda s: s["tasks"] != ["classifier"],
        "only a classifier predicts of groups",
        "set tasks to [classifier], or train.model.outer to none",
    ),
)

# With a limit of sequences of a group in an epoch.
OF_LIMIT: tuple[Parts, ...] = (
    (
        ("train.model.outer",),
        lambda s: s["train"]["model"]["outer"] != "none",
        "train.batching.sample says how many sequences of a group are read",
        "leave train.batching.group_limit empty, or set train.model.outer to none",
    ),
    (
        ("train.batching.window_blocks",),
        lambda s: s["train"]["batching"]["window_blocks"] is not None,
        "the sequences of a group lie in all blocks",
        "leave train.batching.group_limit or train.batching.window_blocks empty",
    ),
    (
        ("train.class_weights",),
        lambda s: s["train"]["class_weights"] != "none",
        "classes are counted in all sequences, of which an epoch draws some",
        "leave train.batching.group_limit empty, or set train.class_weights to none",
    ),
)


def _with(key: str, wanted: Callable[[Sections], bool], table: tuple[Parts, ...]) -> list[Parts]:
    """A table's combinations, each with a key that has to be set too."""

    def both(holds: Callable[[Sections], bool]) -> Callable[[Sections], bool]:
        return lambda sections: wanted(sections) and holds(sections)

    return [((key, *keys), both(holds), reason, remedy) for keys, holds, reason, remedy in table]


GROUP_CONFLICTS = (
    *_with("train.batching.group_limit", lambda s: s["train"]["batching"]["group_limit"] is not None, OF_LIMIT),
    *_with("train.model.outer", lambda s: s["train"]["model"]["outer"] != "none", OF_GROUPS),
)
