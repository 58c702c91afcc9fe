import copy
import itertools
from functools import reduce
from operator import getitem
from typing import get_args

import pytest
import yaml

from lengthwise.batching.contradictions import CONTRADICTIONS
from lengthwise.batching.registry import STRATEGIES
from lengthwise.core.names import ACTIVATIONS, FRONT_ENDS, KERNELS, NATIVE_CELLS, PADDINGS, READOUTS
from lengthwise.errors import ParamsError
from lengthwise.pipeline.settings import conflicts
from lengthwise.pipeline.settings.conflicts import CONFLICTS, first_conflict
from lengthwise.pipeline.settings.params import EvaluateParams, TrainParams, load_params


def of(*keys):
    """The place in the table of what some keys are made of."""
    return next(place for place, conflict in enumerate(CONFLICTS) if conflict.keys == keys)


# The place in the table, what triggers it, and what just does not.
CASES = [
    (0, {"split.validation": 0.5, "split.test": 0.5}, {"split.validation": 0.5, "split.test": 0.49}),
    (0, {"split.validation": 0.5, "split.test": 0.5}, {"split.validation": 0.5, "split.test": 0.9, "split.folds": 3}),
    (1, {"split.by": "sentence", "shards.unit": "document"}, {"split.by": "sentence", "shards.unit": "sentence"}),
    (1, {"split.by": "sentence", "shards.unit": "group"}, {"split.by": "group", "shards.unit": "group"}),
    (1, {"split.by": "document", "shards.unit": "group"}, {"split.by": "document", "shards.unit": "document"}),
    (2, {"split.by": "place", "shards.unit": "group"}, {"split.by": "place", "shards.unit": "document"}),
    (3, {"shards.min_length": 6, "shards.max_length": 5}, {"shards.min_length": 5, "shards.max_length": 5}),
    (
        4,
        {"shards.max_length": None, "shards.too_long": "split"},
        {"shards.max_length": None, "shards.too_long": "drop"},
    ),
    (4, {"shards.max_length": None, "shards.too_long": "truncate"}, {"shards.too_long": "truncate"}),
    (
        5,
        {"train.batching.strategy": "token_budget", "train.batching.tokens": 29, "shards.max_length": 30},
        {"train.batching.strategy": "token_budget", "train.batching.tokens": 30, "shards.max_length": 30},
    ),
    (
        5,
        {"train.batching.strategy": "token_budget", "train.batching.tokens": 29, "shards.max_length": 30},
        {"train.batching.strategy": "padded", "train.batching.tokens": 29, "shards.max_length": 30},
    ),
    (
        6,
        {"train.batching.strategy": "truncated", "train.model.bidirectional": True},
        {"train.batching.strategy": "packed", "train.model.bidirectional": True},
    ),
    (
        7,
        {"train.batching.strategy": "packed", "train.model.front_end": "conv1d"},
        {"train.batching.strategy": "packed", "train.model.front_end": "none"},
    ),
    (
        7,
        {"train.batching.strategy": "truncated", "train.model.front_end": "conv1d"},
        {"train.batching.strategy": "token_budget", "train.model.front_end": "conv1d"},
    ),
    (
        8,
        {"train.batching.strategy": "truncated", "train.batching.padding": "pre"},
        {"train.batching.strategy": "packed", "train.batching.padding": "pre"},
    ),
    (
        9,
        {"train.batching.strategy": "truncated", "train.model.readout": "mean"},
        {"train.batching.strategy": "truncated", "train.model.readout": "last"},
    ),
    (
        9,
        {"train.batching.strategy": "truncated", "train.model.readout": "max"},
        {"train.batching.strategy": "packed", "train.model.readout": "max"},
    ),
    (
        10,
        {"train.batching.padding": "pre", "train.model.front_end": "conv1d"},
        {"train.batching.padding": "post", "train.model.front_end": "conv1d"},
    ),
    (
        11,
        {"train.model.activation": "relu", "train.model.masking": False},
        {"train.model.activation": "relu", "train.model.masking": True},
    ),
    (
        11,
        {"train.model.activation": "elu", "train.model.masking": False},
        {"train.model.activation": "softsign", "train.model.masking": False},
    ),
    (12, {"tasks": ["language_model"], "train.model.bidirectional": True}, {"tasks": ["tagger"]}),
    (
        13,
        {"tasks": ["tagger"], "train.model.front_end": "conv1d"},
        {"tasks": ["classifier"], "train.model.front_end": "conv1d"},
    ),
    *(
        (
            place,
            {key: "native", "train.model.cell": cell, "train.model.activation": activation},
            {key: kernel, "train.model.cell": right_cell, "train.model.activation": "tanh"},
        )
        for place, key in ((14, "train.kernel"), (15, "evaluate.kernel"))
        for cell, activation, kernel, right_cell in (
            ("layer_norm_gru", "relu", "auto", "layer_norm_gru"),
            ("peephole_lstm", "relu", "keras", "peephole_lstm"),
            ("gru", "softsign", "native", "gru"),
            ("lstm", "sigmoid", "native", "lstm"),
            ("simple", "sigmoid", "native", "simple"),
        )
    ),
    (16, {"split.folds": 10, "split.fold": 10}, {"split.folds": 10, "split.fold": 9}),
    (16, {"split.folds": 2, "split.fold": 99}, {"split.folds": None, "split.fold": 99}),
    (17, {"split.by": "place", "split.folds": 2}, {"split.by": "place", "split.folds": None}),
    (18, {"split.validation": 0.5, "split.folds": 2}, {"split.validation": 0.49, "split.folds": 2}),
    (18, {"split.validation": 0.9, "split.folds": 10}, {"split.validation": 0.89, "split.folds": 10}),
    *(
        (
            of("train.best", "split.validation"),
            {"train.best": by, "split.validation": 0.0},
            {"train.best": right, "split.validation": share},
        )
        for by, right, share in (("loss", "loss", 0.1), ("accuracy", "none", 0.0))
    ),
    *(
        (
            of("train.best", "split.validation"),
            {"train.best": "loss", "split.validation": 0.0},
            {"train.best": "loss", "split.validation": 0.0, "ingest.corpus": corpus, **own},
        )
        for corpus, own in (
            ("table", {"ingest.table.split": "part"}),
            ("steps", {"ingest.steps.validation": "*dev*", "ingest.steps.test": "*test*"}),
        )
    ),
    (
        of("train.patience", "train.best"),
        {"train.patience": 3, "train.best": "none"},
        {"train.patience": 3, "train.best": "accuracy"},
    ),
    *(
        (
            of("tasks", "train.class_weights"),
            {"tasks": tasks, "train.class_weights": "balanced"},
            {"tasks": right, "train.class_weights": weights},
        )
        for tasks, right, weights in (
            (["classifier", "language_model"], ["classifier", "tagger"], "balanced"),
            (["regressor"], ["regressor"], "none"),
        )
    ),
    *(
        (
            of("train.optimizer.name", "train.optimizer.weight_decay"),
            {"train.optimizer.name": "adam", "train.optimizer.weight_decay": 0.01},
            {"train.optimizer.name": name, "train.optimizer.weight_decay": decay},
        )
        for name, decay in (("adamw", 0.01), ("sgd", 0.01), ("adam", 0.0))
    ),
    *(
        (
            of("train.optimizer.name", "train.optimizer.momentum"),
            {"train.optimizer.name": name, "train.optimizer.momentum": 0.9},
            {"train.optimizer.name": right, "train.optimizer.momentum": momentum},
        )
        for name, right, momentum in (("adam", "sgd", 0.9), ("adamw", "adamw", 0.0))
    ),
    *(
        (
            of("train.model.outer", key),
            {"train.model.outer": "attention", key: wrong},
            {"train.model.outer": outer, "tasks": ["classifier"], key: right},
        )
        for key, wrong, right, outer in (
            ("tasks", ["classifier", "seq2seq"], ["classifier"], "last"),
            ("shards.unit", "group", "document", "mean"),
            ("split.by", "document", "group", "gated"),
            ("train.batching.strategy", "packed", "token_budget", "max"),
            ("train.batching.strategy", "truncated", "truncated", "none"),
            ("train.batching.window_blocks", 8, None, "attention"),
            ("train.logical_shards", 2, None, "attention"),
            ("train.model.ensemble", 2, 2, "none"),
            ("train.class_weights", "balanced", "balanced", "none"),
        )
    ),
    *(
        (
            of("train.batching.group_limit", key),
            {"train.batching.group_limit": 8, key: wrong},
            {"train.batching.group_limit": limit, "tasks": ["classifier"], key: right},
        )
        for key, wrong, right, limit in (
            ("train.model.outer", "mean_max", "mean_max", None),
            ("train.batching.window_blocks", 8, 8, None),
            ("train.batching.window_blocks", 8, None, 8),
            ("train.class_weights", "balanced", "none", 1),
        )
    ),
    (
        of("train.model.vectors", "train.model.input"),
        {"train.model.vectors": "file", "train.model.input": "one_hot"},
        {"train.model.vectors": "none", "train.model.input": "one_hot"},
    ),
    (
        of("train.model.vectors", "train.model.input"),
        {"train.model.vectors": "en_core_web_md", "train.model.input": "one_hot"},
        {"train.model.vectors": "en_core_web_md", "train.model.input": "embedding"},
    ),
    (
        of("train.model.vectors", "train.model.vectors_frozen"),
        {"train.model.vectors_frozen": True, "train.model.vectors": "none"},
        {"train.model.vectors_frozen": True, "train.model.vectors": "file"},
    ),
    *(
        (
            of("baselines.characters", "tokens.by"),
            {"baselines.characters": 4, "tokens.by": by},
            {"baselines.characters": characters, "tokens.by": right},
        )
        for by, characters, right in (("bytes", 8, "words"), ("characters", 2, "blanks"), ("bytes", None, "bytes"))
    ),
]


@pytest.fixture(scope="module")
def shipped(root):
    return load_params(root / "params.yaml").model_dump()


def changed(shipped, changes):
    content = copy.deepcopy(shipped)
    for dotted, value in changes.items():
        *sections, key = dotted.split(".")
        reduce(getitem, sections, content)[key] = value
    return content


def test_the_shipped_params_have_no_conflict(shipped):
    assert first_conflict(shipped) is None
    assert not any(conflict.holds(shipped) for conflict in CONFLICTS)


def test_every_conflict_has_a_case():
    assert {place for place, _, _ in CASES} == set(range(len(CONFLICTS)))


@pytest.mark.parametrize(("place", "wrong", "_right"), CASES)
def test_a_conflict_is_told_with_keys_values_reason_and_remedy(shipped, place, wrong, _right):
    conflict = CONFLICTS[place]
    assert set(conflict.keys) == set(wrong)
    assert conflict.holds(changed(shipped, wrong))
    message = first_conflict(changed(shipped, wrong))
    for part in (*conflict.keys, conflict.reason, conflict.remedy, *(f"{key}={wrong[key]!r}" for key in wrong)):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(("place", "_wrong", "right"), CASES)
def test_what_is_just_right_is_no_conflict(shipped, place, _wrong, right):
    assert first_conflict(changed(shipped, right)) is None


@pytest.mark.parametrize(("place", "wrong", "right"), CASES)
def test_loading_params_refuses_a_conflict(shipped, tmp_path, place, wrong, right):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(changed(shipped, right), sort_keys=False))
    load_params(path)
    path.write_text(yaml.safe_dump(changed(shipped, wrong), sort_keys=False))
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    assert str(caught.value) == f"{path}: {first_conflict(changed(shipped, wrong))}"


def test_params_have_no_contradiction_of_the_library_that_is_not_mapped_to_keys(shipped):
    legal = {
        "train.batching.strategy": list(STRATEGIES),
        "train.batching.padding": PADDINGS,
        "train.model.bidirectional": (False, True),
        "train.model.front_end": FRONT_ENDS,
        "train.model.readout": READOUTS,
        "train.model.activation": ACTIVATIONS,
        "train.model.masking": (False, True),
    }
    seen = set()
    for values in itertools.product(*legal.values()):
        sections = changed(shipped, dict(zip(legal, values, strict=True)))
        found = {name for name, one in CONTRADICTIONS.items() if one.holds(*conflicts.reading(sections))}
        assert found <= conflicts.OF_THE_LIBRARY.keys()
        assert bool(found) == (first_conflict(sections) is not None)
        seen |= found
    assert seen == conflicts.OF_THE_LIBRARY.keys()


def test_cells_and_kernels_have_the_names_that_the_native_kernel_knows():
    # It imports TensorFlow, for which a refusal of params does not wait.
    assert conflicts.NATIVE_CELLS == NATIVE_CELLS
    for section in (TrainParams, EvaluateParams):
        assert get_args(section.model_fields["kernel"].annotation) == KERNELS
