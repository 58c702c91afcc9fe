"""The one table of settings that are each legal and make no sense together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import reduce
from operator import getitem
from typing import Any

from lengthwise.batching.contradictions import CONTRADICTIONS, LayerReading, RowLayout
from lengthwise.core.names import NATIVE_CELLS, STEP_TASKS, UNBOUNDED, UNITS, WEIGHTED_TASKS, WORDLIKE
from lengthwise.pipeline.settings.group_conflicts import GROUP_CONFLICTS, Sections, strategy_of


@dataclass(frozen=True)
class Conflict:
    """A senseless combination: the keys that it is made of, when it holds, why, and what to do."""

    keys: tuple[str, ...]
    holds: Callable[[Sections], bool]
    reason: str
    remedy: str


def reading(sections: Sections) -> tuple[RowLayout, LayerReading]:
    """What the library's table of contradictions asks for: how `train` makes rows, and what its network does."""
    batching, model = sections["train"]["batching"], sections["train"]["model"]
    kind, convolves = strategy_of(sections), model["front_end"] == "conv1d"
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
        f"the native kernel computes {', '.join(NATIVE_CELLS)}, with tanh",
        f"set {key} to auto",
    )


CONFLICTS = (
    Conflict(
        ("split.validation", "split.test"),
        lambda s: s["split"]["folds"] is None and s["split"]["validation"] + s["split"]["test"] >= 1.0,
        "together they leave nothing to train on",
        "make their sum less than 1",
    ),
    Conflict(
        ("split.by", "shards.unit"),
        # From the finest to the coarsest: a sequence may not straddle a split by a finer unit.
        lambda s: s["split"]["by"] != "place" and UNITS.index(s["split"]["by"]) < UNITS.index(s["shards"]["unit"]),
        "a sequence would be partly in train and partly in test",
        "split by the unit of the shards, or by a coarser one",
    ),
    Conflict(
        ("split.by", "shards.unit"),
        lambda s: s["split"]["by"] == "place" and s["shards"]["unit"] == "group",
        "the parts of several documents would follow each other as if they were one text",
        "set shards.unit to document or sentence",
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
            "tokens" in {field.name for field in fields(strategy_of(s))}
            and s["train"]["batching"]["tokens"] < (s["shards"]["max_length"] or 1)
        ),
        "the longest sequences fit into no batch",
        "raise train.batching.tokens to shards.max_length at least",
    ),
    *(_of_the_library(name, *asked) for name, asked in OF_THE_LIBRARY.items()),
    Conflict(
        ("tasks", "train.model.bidirectional"),
        lambda s: "language_model" in s["tasks"] and s["train"]["model"]["bidirectional"],
        "a language model would read the tokens that it is to predict",
        "set train.model.bidirectional to false, or take language_model from tasks",
    ),
    Conflict(
        ("tasks", "train.model.front_end"),
        lambda s: s["train"]["model"]["front_end"] != "none" and not {*STEP_TASKS}.isdisjoint(s["tasks"]),
        "a convolution leaves fewer steps than there are to predict at",
        "set train.model.front_end to none, or take tagger and language_model from tasks",
    ),
    _kernel_without_cell("train.kernel"),
    _kernel_without_cell("evaluate.kernel"),
    Conflict(
        ("split.folds", "split.fold"),
        lambda s: s["split"]["folds"] is not None and s["split"]["fold"] >= s["split"]["folds"],
        "the folds are counted from 0",
        "make split.fold less than split.folds",
    ),
    Conflict(
        ("split.by", "split.folds"),
        lambda s: s["split"]["by"] == "place" and s["split"]["folds"] is not None,
        "the test is the end of each document",
        "split by another unit, or set split.folds to null",
    ),
    Conflict(
        ("split.validation", "split.folds"),
        lambda s: s["split"]["folds"] is not None and s["split"]["validation"] + 1 / s["split"]["folds"] >= 1.0,
        "with the fold that is tested they leave nothing to train on",
        "lower split.validation, or raise split.folds",
    ),
    Conflict(
        ("train.best", "split.validation"),
        lambda s: s["train"]["best"] != "none" and not s["split"]["validation"] and not _brings_validation(s["ingest"]),
        "the best epoch is found by sequences that are held out",
        "raise split.validation, or set train.best to none",
    ),
    Conflict(
        ("train.patience", "train.best"),
        lambda s: s["train"]["patience"] is not None and s["train"]["best"] == "none",
        "patience waits for a better epoch, and no figure says which one is",
        "set train.best to loss or accuracy, or leave train.patience empty",
    ),
    Conflict(
        ("tasks", "train.class_weights"),
        lambda s: s["train"]["class_weights"] != "none" and not {*s["tasks"]} <= {*WEIGHTED_TASKS},
        f"only {', '.join(WEIGHTED_TASKS)} predict one of few classes",
        "set train.class_weights to none, or take the others from tasks",
    ),
    *(Conflict(*of_groups) for of_groups in GROUP_CONFLICTS),
    Conflict(
        ("train.optimizer.name", "train.optimizer.weight_decay"),
        lambda s: s["train"]["optimizer"]["name"] == "adam" and s["train"]["optimizer"]["weight_decay"] > 0,
        "adam with a decay is adamw",
        "set train.optimizer.name to adamw, or train.optimizer.weight_decay to 0.0",
    ),
    Conflict(
        ("train.optimizer.name", "train.optimizer.momentum"),
        lambda s: s["train"]["optimizer"]["name"] != "sgd" and s["train"]["optimizer"]["momentum"] > 0,
        "adam and adamw have a momentum of their own",
        "set train.optimizer.name to sgd, or train.optimizer.momentum to 0.0",
    ),
    Conflict(
        ("train.model.vectors", "train.model.input"),
        lambda s: s["train"]["model"]["vectors"] != "none" and s["train"]["model"]["input"] == "one_hot",
        "one-hot tokens have no embedding that could begin with vectors",
        "set train.model.input to embedding, or train.model.vectors to none",
    ),
    Conflict(
        ("train.model.vectors", "train.model.vectors_frozen"),
        lambda s: s["train"]["model"]["vectors"] == "none" and s["train"]["model"]["vectors_frozen"],
        "there are no vectors to keep",
        "set train.model.vectors_frozen to false, or train.model.vectors to file or the name of a spaCy package",
    ),
    Conflict(
        ("baselines.characters", "tokens.by"),
        lambda s: s["baselines"]["characters"] is not None and s["tokens"]["by"] not in WORDLIKE,
        "such tokens have no characters within",
        f"set tokens.by to {' or '.join(WORDLIKE)}, or leave baselines.characters empty",
    ),
)


def _brings_validation(ingest: Mapping[str, Any]) -> bool:
    """Whether the corpus may say itself what is for validation."""
    keys = ingest[ingest["corpus"]]
    return bool(keys.get("split") or keys.get("validation"))


def first_conflict(sections: Sections) -> str | None:
    """The first senseless combination of otherwise legal params, as one line; None if there is none."""
    for conflict in CONFLICTS:
        if conflict.holds(sections):
            got = ", ".join(f"{key}={_value(sections, key)!r}" for key in conflict.keys)
            return f"{' and '.join(conflict.keys)}: got {got}; {conflict.reason}; {conflict.remedy}"
    return None


def _value(sections: Sections, key: str) -> object:
    return reduce(getitem, key.split("."), sections)
