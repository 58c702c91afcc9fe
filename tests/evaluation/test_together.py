"""Network and linear model together are the mean of what they say of the same items, and of nothing else."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from closeness import EXACT, assert_close
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.core.labels import LabelFactor
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.errors import FormatError
from lengthwise.evaluation.baseline_task import SplitItems
from lengthwise.evaluation.item_predictions import item_numbers, read_item_predictions, write_item_predictions
from lengthwise.evaluation.levels import items_of
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.together import log_linear_pool, score_together

WORDS = {"sentence": "sentence", "document": "post", "group": "author"}
SCORING = ClassScoring((LabelFactor("mood", ("calm", "loud", "sad")),))
BOOTSTRAP = Bootstrap(20, 0.9, 1)
SHARDS = "5" * 64


def make_split(seed, count=60):
    """Sentences in no order, as shards have them, of posts and authors whose numbers have gaps."""
    rng = np.random.default_rng(seed)
    author = np.sort(rng.choice(np.arange(3, 90, 7), count))
    columns = {
        "sequence": np.arange(count),
        "document": 5 + 3 * (np.arange(count) // 2 + author),
        "group": author,
        "label": author % 3,
    }
    order = rng.permutation(count)
    columns = {name: values[order] for name, values in columns.items()}
    lengths = rng.integers(1, 5, count)
    sequences = Sequences(offsets_of(lengths), {"tokens": np.zeros(int(lengths.sum()), np.int32)}, columns)
    return SplitItems(sequences, items_of(columns, "sentence", WORDS))


def say(rng, rows):
    scores = rng.normal(0, 2, (rows, 3))
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def of_levels(rng, split):
    return {items.name: {"log_probabilities": say(rng, len(items.labels))} for items in split.items}


@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(1, 6),
    shift=st.floats(-300, 300),
)
def test_a_pool_is_the_normalized_geometric_mean_whichever_comes_first(seed, classes, shift):
    rng = np.random.default_rng(seed)
    one, other = (rng.dirichlet(np.ones(classes), 4) for _ in range(2))
    with np.errstate(divide="ignore"):
        one, other = np.log(one + 1e-12), np.log(other + 1e-12)
    found = log_linear_pool(one, other)
    mean = np.sqrt(np.exp(one) * np.exp(other))
    assert_close(np.exp(found), mean / mean.sum(axis=1, keepdims=True))
    assert np.array_equal(found, log_linear_pool(other, one))
    assert_close(np.exp(log_linear_pool(one + shift, other)), np.exp(found), 1e4)
    assert_close(np.exp(log_linear_pool(one, one)), np.exp(one) / np.exp(one).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("seed", range(3))
def test_together_is_what_a_loop_over_items_says(seed):
    split, rng = make_split(seed), np.random.default_rng(seed)
    network = say(rng, 60)
    others = {name: of["log_probabilities"] for name, of in of_levels(rng, split).items()}
    scores = score_together("both", SCORING, split, {"log_probabilities": network}, others, BOOTSTRAP)
    assert not scores.tables
    assert [level.name for level in scores.levels] == [*WORDS.values()]
    for items, level in zip(split.items, scores.levels, strict=True):
        losses, right = [], []
        for item, label in enumerate(items.labels):
            mean = network[items.group == item].mean(axis=0)
            mean -= np.log(np.exp(mean).sum())
            chances = np.exp((mean + others[items.name][item]) / 2)
            losses.append(-np.log(chances[label] / chances.sum()))
            right.append(chances.argmax() == label)
        assert_close(level.item_scores()["nll"], np.array(losses))
        figures = scores.figures.set_index(["level", "metric"])["value"]
        assert figures[items.name, "accuracy"] == pytest.approx(np.mean(right))
        assert figures[items.name, "nll"] == pytest.approx(np.mean(losses))
    assert set(scores.figures["model"]) == {"both"}


def test_only_levels_that_both_say_something_of_are_scored():
    split, rng = make_split(1), np.random.default_rng(1)
    others = of_levels(rng, split)["author"]["log_probabilities"]
    scores = score_together("both", SCORING, split, {"log_probabilities": say(rng, 60)}, {"author": others}, BOOTSTRAP)
    assert [level.name for level in scores.levels] == ["author"]
    assert score_together("both", SCORING, split, {"log_probabilities": say(rng, 60)}, {}, BOOTSTRAP) is None


@pytest.mark.parametrize("seed", range(5))
def test_items_are_found_again_by_what_they_are_and_not_by_their_place(tmp_path, seed):
    split, rng = make_split(seed), np.random.default_rng(seed)
    said = of_levels(rng, split)
    write_item_predictions(tmp_path / "said.parquet", split, said, WORDS, SHARDS)
    for level, column in (("sentence", "sequence"), ("post", "document"), ("author", "group")):
        items = next(items for items in split.items if items.name == level)
        numbers = item_numbers(split.sequences, items, WORDS)
        assert np.array_equal(numbers[items.group], split.sequences[column])
    table = pq.read_table(tmp_path / "said.parquet")
    pq.write_table(table.take(rng.permutation(len(table))), tmp_path / "shuffled.parquet")
    for name in ("said", "shuffled"):
        found = read_item_predictions(tmp_path / f"{name}.parquet", split, WORDS, SHARDS, 3)
        assert {*found} == {*said}
        for level, values in found.items():
            assert_close(values, said[level]["log_probabilities"], EXACT)
    # A network over groups is asked about groups alone.
    of_groups = SplitItems(split.sequences, split.items[2:])
    assert [*read_item_predictions(tmp_path / "said.parquet", of_groups, WORDS, SHARDS, 3)] == ["author"]


def test_a_level_that_the_linear_model_does_not_know_is_not_there(tmp_path):
    split = make_split(1)
    said = of_levels(np.random.default_rng(1), split)
    del said["post"]
    write_item_predictions(tmp_path / "said.parquet", split, said, WORDS, SHARDS)
    assert {*read_item_predictions(tmp_path / "said.parquet", split, WORDS, SHARDS, 3)} == {"sentence", "author"}


def changed(path, change):
    table = pq.read_table(path)
    pq.write_table(change(table), path)


def first_again(table):
    """The first item stands in the place of the second: as many, but not the same."""
    return pa.concat_tables([table.slice(0, 1), table.slice(0, 1), table.slice(2)])


WRONG = {
    "other shards": (lambda table: table.replace_schema_metadata({}), "is of shards ; expected 555555555555; "),
    "fewer items": (lambda table: table.slice(1), "has 59 items of the level sentence, not the 60 that are tested; "),
    "one twice": (first_again, "has 60 items of the level sentence, not the 60 that are tested; "),
    "a class less": (lambda table: table.drop_columns("log_probability_2"), "cannot be read ("),
    "a class more": (lambda table: table.append_column("log_probability_3", table["log_probability_0"]), "has 4 "),
    "another column": (lambda table: table.drop_columns("item"), "cannot be read ("),
    "no number": (
        lambda table: table.set_column(2, "log_probability_0", pa.array([float("nan")] * len(table), pa.float64())),
        "has 3 columns of log-probabilities; expected 3 of finite numbers; ",
    ),
    "a gap": (
        lambda table: table.set_column(1, "item", pa.array([None] * len(table), pa.int64())),
        "has 60 items of the level sentence, not the 60 that are tested; ",
    ),
    "text": (
        lambda table: table.set_column(1, "item", pa.array(["x"] * len(table))),
        "has 60 items of the level sentence, not the 60 that are tested; ",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_of_other_shards_or_items_is_refused_in_one_line(tmp_path, name):
    change, told = WRONG[name]
    split, path = make_split(1), tmp_path / "said.parquet"
    write_item_predictions(path, split, of_levels(np.random.default_rng(1), split), WORDS, SHARDS)
    changed(path, change)
    with pytest.raises(FormatError) as caught:
        read_item_predictions(path, split, WORDS, SHARDS, 3)
    assert str(caught.value).startswith(f"{path}: {told}")
    assert "\n" not in str(caught.value)
    assert "dvc repro -f baselines" in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more", b"x" * 1000])
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "said.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=r"said\.parquet: cannot be read \(") as caught:
        read_item_predictions(path, make_split(1), WORDS, SHARDS, 3)
    assert "\n" not in str(caught.value)


def test_predictions_of_another_split_of_the_same_corpus_are_refused(tmp_path):
    split, path = make_split(1), tmp_path / "said.parquet"
    write_item_predictions(path, split, of_levels(np.random.default_rng(1), split), WORDS, SHARDS)
    columns = {**split.sequences.per_sequence, "sequence": split.sequences["sequence"] + 1}
    other = SplitItems(replace(split.sequences, per_sequence=columns), items_of(columns, "sentence", WORDS))
    with pytest.raises(FormatError, match="expected the same"):
        read_item_predictions(path, other, WORDS, SHARDS, 3)
