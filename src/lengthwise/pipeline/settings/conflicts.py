"""The one table of settings that are each legal and make no sense together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import reduce
from operator import getitem
from typing import Any

from lengthwise.batching.contradictions import CONTRADICTIONS, LayerReading, RowLayout
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


def reading(sections: Sections) -> tuple[RowLayout, LayerReading]:
    """What the library's table of contradictions asks for: how `train` makes rows, and what its network does."""
    batching, model = sections["train"]["batching"], sections["train"]["model"]
    kind, convolves = _strategy(sections), model["front_end"] == "conv1d"
    # A network is told where sequences begin, and hands its states on where a strategy cuts; it reads what it predicts
    # of at its place, never in the padding.
    network = LayerReading(
        recurrent=True,
        backwards=model["bidirectional"],
        told=True,
        carries=kind.cuts,
        masked=model["masking"],
        unbounded=model["activation"] in UNBOUNDED,
        convolves=convolves,
        counts_from_row=convolves,
        pools=model["readout"] != "last",
    )
    return RowLayout(packs=kind.packs, cuts=kind.cuts, padding=batching["padding"]), network


# Those of the library's table that params can have, by name: the keys, and what to do about them.
OF_THE_LIBRARY: dict[str, tuple[tuple[str, ...], str]] = {
    "backwards over cuts": (
        ("train.batching.strategy", "train.model.bidirectional"),
        "choose another strategy, or set train.model.bidirectional to false",
    ),
    "convolution over neighbours": (
        ("train.batching.strategy", "train.model.front_end"),
        "choose another strategy, or set train.model.front_end to none",
    ),
    "cuts behind padding": (
        ("train.batching.strategy", "train.batching.padding"),
        "set train.batching.padding to post",
    ),
    "pooling over cuts": (
        ("train.batching.strategy", "train.model.readout"),
        "choose another strategy, or set train.model.readout to last",
    ),
    "convolution behind padding": (
        ("train.batching.padding", "train.model.front_end"),
        "set train.batching.padding to post",
    ),
    "no bound over padding": (
        ("train.model.activation", "train.model.masking"),
        "set train.model.masking to true, or choose sigmoid, softsign or tanh",
    ),
}


def _of_the_library(name: str, keys: tuple[str, ...], remedy: str) -> Conflict:
    found = CONTRADICTIONS[name]
    return Conflict(keys, lambda sections: found.holds(*reading(sections)), found.reason, remedy)


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
    *(_of_the_library(name, *asked) for name, asked in OF_THE_LIBRARY.items()),
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
