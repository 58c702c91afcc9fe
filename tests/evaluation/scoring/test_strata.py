import numpy as np
import pandas as pd
import pytest
from closeness import EXACT, assert_close

from lengthwise.evaluation.ratios import Ratio
from lengthwise.evaluation.scoring.strata import SINGLE, by_key, class_table, confusion, group_table, in_ranges


@pytest.mark.parametrize("seed", range(5))
def test_by_key_is_a_group_by(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"key": rng.integers(3, 9, 50), "right": rng.random(50), "steps": rng.integers(1, 5, 50)})
    ratio = Ratio(frame["right"].to_numpy(), frame["steps"].to_numpy(float))
    found = by_key("key", frame["key"].to_numpy(), {"accuracy": ratio})
    sums = frame.groupby("key").agg(count=("right", "size"), right=("right", "sum"), steps=("steps", "sum"))
    assert found["key"].tolist() == sums.index.tolist()
    assert found["count"].tolist() == sums["count"].tolist()
    assert_close(found["accuracy"].to_numpy(), (sums["right"] / sums["steps"]).to_numpy(), EXACT)


def test_ranges_are_each_twice_as_wide_as_the_one_before_and_begin_where_that_ends():
    numbers = np.arange(0, 20 * SINGLE)
    first = in_ranges(numbers)
    assert first[: SINGLE + 1].tolist() == list(range(SINGLE + 1))
    begins = np.unique(first[SINGLE + 1 :])
    assert begins.tolist() == [SINGLE * 2**power + 1 for power in range(5)]
    assert (np.diff(first) >= 0).all()
    assert (first <= numbers).all()


def test_groups_have_a_table_only_where_they_say_more_than_the_sequences_or_the_whole():
    right = Ratio(np.array([1.0, 0, 1, 1]), np.ones(4))
    row = np.array([0, 1, 1, 2])
    (table,) = group_table(np.array([7, 7, 8]), row, {"accuracy": right}).values()
    assert table.to_dict("list") == {"group": [7, 8], "count": [3, 1], "accuracy": [2 / 3, 1]}
    assert group_table(np.array([7, 8, 9]), row, {"accuracy": right}) == {}
    assert group_table(np.array([7, 7, 7]), row, {"accuracy": right}) == {}


@pytest.mark.parametrize("classes", [4, 101])
def test_confusion_has_all_pairs_of_few_classes_and_those_that_occur_of_many(classes):
    rng = np.random.default_rng(1)
    names = [f"class {number}" for number in range(classes)]
    actual, predicted = rng.integers(0, 4, (2, 30))
    table = confusion(names, actual, predicted)
    assert table["count"].sum() == 30
    assert len(table) == (16 if classes == 4 else len({*zip(actual.tolist(), predicted.tolist(), strict=True)}))
    counts = table.set_index(["actual", "predicted"])["count"]
    for one, guess in zip(actual, predicted, strict=True):
        both = (actual == one) & (predicted == guess)
        assert counts[names[one], names[guess]] == both.sum()


def test_class_table_leaves_out_what_neither_is_nor_is_predicted():
    table = class_table(("a", "b", "c"), np.array([1, 0, 0]), np.array([2, 0, 0]), np.array([1, 0, 3]))
    assert table["class"].tolist() == ["a", "c"]
    assert table.loc[0, ["precision", "recall", "f1"]].tolist() == pytest.approx([1, 0.5, 2 / 3])
    assert np.isnan(table.loc[1, "recall"])
    assert table.loc[1, "precision"] == 0
