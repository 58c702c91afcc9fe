# Each contradiction of the table: what just triggers it, and what just does not.

import subprocess
import sys

import numpy as np
import pytest

from lengthwise.batching.contradictions import CONTRADICTIONS, LayerReading, RowLayout, contradictions
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.registry import STRATEGIES, make_strategy

PACKS, CUTS, NO_PADDING, PRE = {"packs": True}, {"cuts": True}, {"pads": False}, {"padding": "pre"}
STATE = {"recurrent": True, "told": True, "masked": True}
BARE = {"recurrent": True, "told": False, "masked": False}
BACKWARDS = {"backwards": True}
# Name, rows and layer where it holds, rows and layer where it does not.
CASES = [
    ("backwards over cuts", CUTS, STATE | BACKWARDS, PACKS, STATE | BACKWARDS),
    ("backwards over cuts", CUTS, STATE | BACKWARDS, CUTS, STATE),
    ("convolution over neighbours", PACKS, {"convolves": True}, {}, {"convolves": True}),
    ("convolution over neighbours", CUTS, {"convolves": True}, CUTS, {}),
    ("cuts behind padding", CUTS | PRE, {}, CUTS, {}),
    ("cuts behind padding", CUTS | PRE, {}, PACKS | PRE, {}),
    ("pooling over cuts", CUTS, {"pools": True}, PACKS, {"pools": True}),
    ("convolution behind padding", PRE, {"counts_from_row": True}, {}, {"counts_from_row": True}),
    ("convolution behind padding", PRE, {"counts_from_row": True}, PRE, {"convolves": True}),
    ("convolution behind padding", PRE, {"counts_from_row": True}, PRE | NO_PADDING, {"counts_from_row": True}),
    ("no bound over padding", {}, {"unbounded": True, "masked": False}, {}, {"unbounded": True, "masked": True}),
    ("no bound over padding", {}, {"unbounded": True, "masked": False}, {}, {"masked": False}),
    ("no bound over padding", {}, {"unbounded": True, "masked": False}, {}, {"unbounded": True, "masked": None}),
    ("neighbours in a row", PACKS, BARE, {}, BARE),
    ("neighbours in a row", CUTS, BARE, CUTS, STATE),
    ("neighbours in a row", PACKS, BARE, PACKS, BARE | {"told": None}),
    ("nothing carried over cuts", CUTS, STATE, CUTS, STATE | {"carries": True}),
    ("nothing carried over cuts", CUTS, STATE, PACKS, STATE),
    ("carried into another sequence", {}, BARE | {"carries": True}, {}, STATE | {"carries": True}),
    ("carried into another sequence", {}, BARE | {"carries": True}, {}, BARE),
    ("pooling over neighbours", PACKS, {"pools_rows": True}, {}, {"pools_rows": True}),
    ("pooling over neighbours", PACKS, {"pools_rows": True}, PACKS, {"pools": True}),
    ("padding pooled", {}, {"pools_rows": True, "masked": False}, {}, {"pools_rows": True, "masked": True}),
    ("padding pooled", {}, {"pools_rows": True, "masked": False}, NO_PADDING, {"pools_rows": True, "masked": False}),
    ("padding before a sequence", PRE, BARE, {}, BARE),
    ("padding before a sequence", {}, BARE | BACKWARDS, PRE, BARE | BACKWARDS),
    ("padding before a sequence", PRE, BARE, PRE, BARE | {"told": True}),
    ("padding before a sequence", PRE, BARE, PRE, BARE | {"masked": True}),
    ("padding before a sequence", PRE, BARE, PRE | NO_PADDING, BARE),
    ("padding behind a sequence", {}, BARE | {"last_only": True}, PRE, BARE | {"last_only": True}),
    ("padding behind a sequence", {}, BARE | {"last_only": True}, {}, BARE),
    ("padding behind a sequence", PRE, BARE | BACKWARDS | {"last_only": True}, PRE, STATE | {"last_only": True}),
]


@pytest.mark.parametrize(("name", "rows", "layer", "other_rows", "other_layer"), CASES)
def test_a_contradiction_holds_there_and_not_beside(name, rows, layer, other_rows, other_layer):
    contradiction = CONTRADICTIONS[name]
    assert contradiction in list(contradictions(RowLayout(**rows), LayerReading(**layer)))
    assert not contradiction.holds(RowLayout(**other_rows), LayerReading(**other_layer))


def test_every_contradiction_has_a_case():
    assert {name for name, *_ in CASES} == CONTRADICTIONS.keys()


def test_reasons_and_remedies_are_different_and_name_no_key_of_the_pipeline():
    assert len({found.reason for found in CONTRADICTIONS.values()}) == len(CONTRADICTIONS)
    for found in CONTRADICTIONS.values():
        for text in (found.reason, found.remedy):
            assert text
            assert "\n" not in text
            assert "train." not in text


def test_a_layer_that_is_told_everything_and_carries_goes_with_all_forward_rows():
    reading = LayerReading(recurrent=True, told=True, masked=True, carries=True)
    for packs, cuts, pads in np.ndindex(2, 2, 2):
        assert not list(contradictions(RowLayout(bool(packs), bool(cuts), bool(pads)), reading))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_strategy_that_does_not_pad_fills_no_row_up(name, batch_size):
    strategy = make_strategy(name, {"batch_size": batch_size, "buckets": 2, "tokens": 30, "window": 5})
    padded = 0
    for seed in range(20):
        plan = strategy.plan(np.random.default_rng(seed).integers(1, 20, size=30), epoch_rng(seed, 0))
        padded += int((plan.rows * plan.widths - plan.steps).sum())
    assert strategy.pads == bool(padded)


def test_the_table_needs_no_tensorflow():
    code = "import sys, lengthwise.batching.contradictions; assert not {'keras', 'tensorflow'} & sys.modules.keys()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
