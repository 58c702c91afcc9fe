import copy
import itertools
from functools import reduce
from operator import getitem
from typing import get_args

import pytest
import yaml

from lengthwise.batching.contradictions import CONTRADICTIONS
from lengthwise.batching.registry import STRATEGIES
from lengthwise.errors import ParamsError
from lengthwise.names import ACTIVATIONS, FRONT_ENDS, KERNELS, NATIVE_CELLS, PADDINGS, READOUTS
from lengthwise.pipeline.settings import conflicts
from lengthwise.pipeline.settings.conflicts import CONFLICTS, first_conflict
from lengthwise.pipeline.settings.params import EvaluateParams, TrainParams, load_params

# The place in the table, what triggers it, and what just does not.
CASES = [
    (0, {"split.validation": 0.5, "split.test": 0.5}, {"split.validation": 0.5, "split.test": 0.49}),
    (1, {"split.by": "sentence", "shards.unit": "document"}, {"split.by": "sentence", "shards.unit": "sentence"}),
    (1, {"split.by": "sentence", "shards.unit": "author"}, {"split.by": "author", "shards.unit": "author"}),
    (1, {"split.by": "document", "shards.unit": "author"}, {"split.by": "document", "shards.unit": "document"}),
    (2, {"shards.min_length": 6, "shards.max_length": 5}, {"shards.min_length": 5, "shards.max_length": 5}),
    (
        3,
        {"shards.max_length": None, "shards.too_long": "split"},
        {"shards.max_length": None, "shards.too_long": "drop"},
    ),
    (3, {"shards.max_length": None, "shards.too_long": "truncate"}, {"shards.too_long": "truncate"}),
    (
        4,
        {"train.batching.strategy": "token_budget", "train.batching.tokens": 29, "shards.max_length": 30},
        {"train.batching.strategy": "token_budget", "train.batching.tokens": 30, "shards.max_length": 30},
    ),
    (
        4,
        {"train.batching.strategy": "token_budget", "train.batching.tokens": 29, "shards.max_length": 30},
        {"train.batching.strategy": "padded", "train.batching.tokens": 29, "shards.max_length": 30},
    ),
    (
        5,
        {"train.batching.strategy": "truncated", "train.model.bidirectional": True},
        {"train.batching.strategy": "packed", "train.model.bidirectional": True},
    ),
    (
        6,
        {"train.batching.strategy": "packed", "train.model.front_end": "conv1d"},
        {"train.batching.strategy": "packed", "train.model.front_end": "none"},
    ),
    (
        6,
        {"train.batching.strategy": "truncated", "train.model.front_end": "conv1d"},
        {"train.batching.strategy": "token_budget", "train.model.front_end": "conv1d"},
    ),
    (
        7,
        {"train.batching.strategy": "truncated", "train.batching.padding": "pre"},
        {"train.batching.strategy": "packed", "train.batching.padding": "pre"},
    ),
    (
        8,
        {"train.batching.strategy": "truncated", "train.model.readout": "mean"},
        {"train.batching.strategy": "truncated", "train.model.readout": "last"},
    ),
    (
        8,
        {"train.batching.strategy": "truncated", "train.model.readout": "max"},
        {"train.batching.strategy": "packed", "train.model.readout": "max"},
    ),
    (
        9,
        {"train.batching.padding": "pre", "train.model.front_end": "conv1d"},
        {"train.batching.padding": "post", "train.model.front_end": "conv1d"},
    ),
    (
        10,
        {"train.model.activation": "relu", "train.model.masking": False},
        {"train.model.activation": "relu", "train.model.masking": True},
    ),
    (
        10,
        {"train.model.activation": "elu", "train.model.masking": False},
        {"train.model.activation": "softsign", "train.model.masking": False},
    ),
    *(
        (
            place,
            {key: "native", "train.model.cell": cell, "train.model.activation": activation},
            {key: kernel, "train.model.cell": right_cell, "train.model.activation": "tanh"},
        )
        for place, key in ((11, "train.kernel"), (12, "evaluate.kernel"))
        for cell, activation, kernel, right_cell in (
            ("layer_norm_gru", "tanh", "auto", "layer_norm_gru"),
            ("peephole_lstm", "tanh", "keras", "peephole_lstm"),
            ("gru", "softsign", "native", "gru"),
            ("lstm", "sigmoid", "native", "lstm"),
            ("simple", "sigmoid", "native", "simple"),
        )
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
