from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lengthwise.errors import FormatError
from lengthwise.evaluation.item_table import LevelScores, joined, read_item_scores, write_item_scores


@pytest.fixture
def levels():
    rng = np.random.default_rng(0)
    sentence = LevelScores("sentence", np.arange(9) // 2, {"accuracy": rng.random(9), "nll": rng.random(9)})
    return [sentence, LevelScores("author", np.arange(5), {"accuracy": rng.random(5)})]


def assert_same(found, expected):
    assert [level.name for level in found] == [level.name for level in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.group.dtype == np.int64
        assert one.group.tolist() == other.group.tolist()
        assert one.scores.keys() == other.scores.keys()
        for metric in other.scores:
            assert one.scores[metric].tolist() == other.scores[metric].tolist()


def test_item_scores_are_read_as_they_were_written_and_have_the_same_bytes_twice(levels, tmp_path):
    write_item_scores(tmp_path / "a", levels)
    write_item_scores(tmp_path / "b", levels)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert_same(read_item_scores(tmp_path / "a", "a"), levels)
    assert pq.read_table(tmp_path / "a").column_names == ["level", "group", "accuracy", "nll"]


def test_items_of_one_metric_that_is_not_finite_stay_that(tmp_path):
    level = LevelScores("x", np.array([1, 2]), {"nll": np.array([np.inf, np.nan])})
    write_item_scores(tmp_path / "a", [level])
    (read,) = read_item_scores(tmp_path / "a", "a")
    assert read.scores["nll"][0] == np.inf
    assert np.isnan(read.scores["nll"][1])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"PAR1 and nothing more"),
        lambda path: path.unlink(),
        lambda path: pq.write_table(pa.table({"group": [1], "accuracy": [1.0]}), path),
        lambda path: pq.write_table(pa.table({"level": ["x"], "group": [1], "accuracy": ["high"]}), path),
        lambda path: pq.write_table(pa.table({"level": ["x"], "group": ["one"], "accuracy": [1.0]}), path),
    ],
)
def test_what_is_no_table_of_items_is_refused_in_one_line(levels, tmp_path, damage):
    write_item_scores(tmp_path / "a", levels)
    damage(tmp_path / "a")
    with pytest.raises(FormatError, match=r"^items of fold 3: cannot be read \(.*\); expected a table of items"):
        read_item_scores(tmp_path / "a", "items of fold 3")


def test_joined_parts_are_the_items_of_all_whatever_the_parts(levels):
    rng = np.random.default_rng(1)
    (sentence, author) = levels
    order, cut = rng.permutation(9), [0, 2, 7, 9]
    parts = []
    for begin, end in pairwise(cut):
        rows = order[begin:end]
        scores = {metric: of[rows] for metric, of in sentence.scores.items()}
        parts.append([LevelScores("sentence", sentence.group[rows], scores), author])
    (found, thrice) = joined(parts)
    assert sorted(zip(found.group.tolist(), found.scores["nll"].tolist(), strict=True)) == sorted(
        zip(sentence.group.tolist(), sentence.scores["nll"].tolist(), strict=True)
    )
    assert len(thrice.group) == 15


def test_joined_parts_have_what_all_of_them_have(levels):
    (sentence, author) = levels
    fewer = LevelScores("sentence", sentence.group, {"accuracy": sentence.scores["accuracy"]})
    (found,) = joined([[sentence, author], [fewer]])
    assert list(found.scores) == ["accuracy"]
