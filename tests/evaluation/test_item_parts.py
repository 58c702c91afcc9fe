"""Features of items in parts are those of all items at once, and take what is estimated."""

import tracemalloc

import numpy as np
import pytest
from closeness import EXACT, assert_close
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import issparse

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.character_grams import character_grams
from lengthwise.evaluation.input_columns import InputColumns
from lengthwise.evaluation.item_features import ItemFeatures
from lengthwise.evaluation.item_parts import FeatureBytes, ItemParts, level_bytes
from lengthwise.evaluation.levels import Items

INPUTS = {
    "tokens": InputColumns({"tokens": 5000}),
    "several": InputColumns({"tokens": 5000, "affixes": 40}, ("x",)),
    "numbers": InputColumns({}, ("x",)),
    "characters": InputColumns({"tokens": 5000}),
}


def grams_of(kind):
    names = ["<PAD>", "<UNK>", *(f"{7919 * number % 99991:x}" for number in range(4998))]
    return character_grams(names, 4) if kind == "characters" else None


def invent(seed, count, longest, items, vocabulary=5000):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, longest + 1, count)
    steps = int(lengths.sum())
    per_step = {
        "tokens": rng.integers(0, vocabulary, steps).astype(np.int32),
        "affixes": rng.integers(0, 40, (steps, 2)).astype(np.int32),
        "x": rng.normal(3, 2, (steps, 3)).astype(np.float32),
        "unread": rng.normal(0, 1, (steps, 2)),
    }
    # Each item has a sequence; they do not stand together.
    group = rng.permutation(np.append(np.arange(items), rng.integers(0, items, count - items)))
    of_level = Items("document", group, rng.integers(0, 3, items), rng.integers(0, 5, items))
    return Sequences(offsets_of(lengths), per_step), of_level


def dense(rows):
    return rows.toarray() if issparse(rows) else rows


@settings(max_examples=up_to(80), deadline=None)
@given(st.integers(0, 99), st.integers(1, 30), st.integers(0, 40), st.integers(1, 60_000), st.booleans())
def test_parts_have_every_item_once_with_all_its_sequences(seed, items, more, most, shuffled):
    sequences, of_level = invent(seed, items + more, 6, items)
    parts = ItemParts.within(INPUTS["several"], sequences, of_level, most, shuffled=shuffled)
    assert sorted(np.concatenate(parts.members).tolist()) == list(range(items))
    assert len(parts) == len(list(parts)) >= 1
    takes = FeatureBytes.of(INPUTS["several"], sequences, of_level)
    for members, (of_part, known) in zip(parts.members, parts, strict=True):
        assert members.tolist() == sorted(members.tolist())
        assert set(of_part.per_step) == {"tokens", "affixes", "x"}
        assert known.labels.tolist() == of_level.labels[members].tolist()
        assert known.author.tolist() == of_level.author[members].tolist()
        # In the order in which they stand among all.
        rows = np.flatnonzero(np.isin(of_level.group, members))
        assert members[known.group].tolist() == of_level.group[rows].tolist()
        assert of_part["tokens"].tolist() == sequences.take(rows)["tokens"].tolist()
        own = (takes.held + takes.making)[members]
        assert own.sum() - own.max() <= most


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_parts_are_those_of_all_items(kind, weighted):
    inputs, grams = INPUTS[kind], grams_of(kind)
    (training, known), (asked, items) = invent(1, 90, 7, 40), invent(2, 50, 7, 20)
    parts = ItemParts.within(inputs, training, known, 3_000, shuffled=True, grams=grams)
    assert len(parts) > 3
    whole = ItemFeatures(inputs, training, known, weighted=weighted, grams=grams)
    of_parts = ItemFeatures(inputs, training, known, weighted=weighted, grams=grams, parts=parts)
    assert_close(dense(of_parts.rows(asked, items)), dense(whole.rows(asked, items)), EXACT)
    expected = dense(whole.rows(training, known))
    for members, part in zip(parts.members, parts, strict=True):
        assert_close(dense(of_parts.rows(*part)), expected[members], EXACT)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize(("longest", "items"), [(30, 6000), (30, 300), (4, 6000)])
def test_the_features_of_a_level_take_no_more_than_is_estimated_and_not_much_less(kind, longest, items):
    inputs, grams = INPUTS[kind], grams_of(kind)
    splits = [invent(seed, 6000, longest, items) for seed in (1, 2)]
    estimated = level_bytes([FeatureBytes.of(inputs, *split, grams) for split in splits])
    # What is imported or allocated once.
    ItemFeatures(inputs, *invent(1, 9, 5, 3), grams=grams).rows(*invent(1, 9, 5, 3))
    tracemalloc.start()
    features = ItemFeatures(inputs, *splits[0], grams=grams)
    held = [features.rows(*split) for split in splits]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(held) == 2
    assert estimated / 3 < peak < 1.1 * estimated + 200_000
