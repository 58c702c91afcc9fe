"""The one table of settings that are each legal and make no sense together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import reduce
from operator import getitem
from typing import Any

from lengthwise.batching.registry import STRATEGIES
from lengthwise.names import NATIVE_CELLS, UNBOUNDED, UNITS

Sections = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Conflict:
    """A senseless combination: the keys that it is made of, when it holds, why, and what to do."""

    keys: tuple[str, ...]
    holds: Callable[[Sections], bool]
    reason: str
    remedy: str


def _strategy(sections: Sections) -> type[Any]:
    return STRATEGIES[sections["train"]["batching"]["strategy"]]


def _kernel_without_cell(key: str) -> Conflict:
    """Of a key that names a kernel."""
    return Conflict(
        (key, "train.model.cell", "train.model.activation"),
        lambda s: (
            _value(s, key) == "native"
            and (s["train"]["model"]["cell"] not in NATIVE_CELLS or s["train"]["model"]["activation"] != "tanh")
        ),
        "the native kernel computes gru, lstm and simple, with tanh",
        f"set {key} to auto",
    )


CONFLICTS = (
    Conflict(
        ("split.validation", "split.test"),
        lambda s: s["split"]["validation"] + s["split"]["test"] >= 1.0,
        "together they leave nothing to train on",
        "make their sum less than 1",
    ),
    Conflict(
        ("split.by", "shards.unit"),
        # From the finest to the coarsest: a sequence may not straddle a split by a finer unit.
        lambda s: UNITS.index(s["split"]["by"]) < UNITS.index(s["shards"]["unit"]),
        "a sequence would be partly in train and partly in test",
        "split by the unit of the shards, or by a coarser one",
    ),
    Conflict(
        ("shards.min_length", "shards.max_length"),
        lambda s: s["shards"]["max_length"] is not None and s["shards"]["min_length"] > s["shards"]["max_length"],
        "no length is between the two",
        "make shards.min_length at most shards.max_length",
    ),
    Conflict(
        ("shards.max_length", "shards.too_long"),
        lambda s: s["shards"]["max_length"] is None and s["shards"]["too_long"] != "drop",
        "without a limit nothing is too long",
        "set shards.max_length, or shards.too_long to drop",
    ),
    Conflict(
        ("train.batching.strategy", "train.batching.tokens", "shards.max_length"),
        lambda s: (
            "tokens" in {field.name for field in fields(_strategy(s))}
            and s["train"]["batching"]["tokens"] < (s["shards"]["max_length"] or 1)
        ),
        "the longest sequences fit into no batch",
        "raise train.batching.tokens to shards.max_length at least",
    ),
    Conflict(
        ("train.batching.strategy", "train.model.bidirectional"),
        lambda s: _strategy(s).cuts and s["train"]["model"]["bidirectional"],
        "the backward direction would begin at windows that are still to come",
        "choose another strategy, or set train.model.bidirectional to false",
    ),
    Conflict(
        ("train.batching.strategy", "train.model.front_end"),
        lambda s: (_strategy(s).packs or _strategy(s).cuts) and s["train"]["model"]["front_end"] == "conv1d",
        "the kernel would lie over two sequences of a row, or over the cut between two windows",
        "choose another strategy, or set train.model.front_end to none",
    ),
    Conflict(
        ("train.batching.strategy", "train.batching.padding"),
        lambda s: _strategy(s).cuts and s["train"]["batching"]["padding"] == "pre",
        "a window would not go on at the first step of its row",
        "set train.batching.padding to post",
    ),
    Conflict(
        ("train.batching.strategy", "train.model.readout"),
        lambda s: _strategy(s).cuts and s["train"]["model"]["readout"] != "last",
        "the outputs of a sequence would lie in windows that are gone",
        "choose another strategy, or set train.model.readout to last",
    ),
    Conflict(
        ("train.batching.padding", "train.model.front_end"),
        lambda s: s["train"]["batching"]["padding"] == "pre" and s["train"]["model"]["front_end"] == "conv1d",
        "where the kernel stands in a sequence would depend on how far the row is filled up before it",
        "set train.batching.padding to post",
    ),
    Conflict(
        ("train.model.activation", "train.model.masking"),
        lambda s: s["train"]["model"]["activation"] in UNBOUNDED and not s["train"]["model"]["masking"],
        "states without bound may overflow at padded steps, and their gradients then are not numbers",
        "set train.model.masking to true, or choose sigmoid, softsign or tanh",
    ),
    _kernel_without_cell("train.kernel"),
    _kernel_without_cell("evaluate.kernel"),
)


def first_conflict(sections: Sections) -> str | None:
    """The first senseless combination of otherwise legal params, as one line; None if there is none."""
    for conflict in CONFLICTS:
        if conflict.holds(sections):
            got = ", ".join(f"{key}={_value(sections, key)!r}" for key in conflict.keys)
            return f"{' and '.join(conflict.keys)}: got {got}; {conflict.reason}; {conflict.remedy}"
    return None


def _value(sections: Sections, key: str) -> object:
    return reduce(getitem, key.split("."), sections)
