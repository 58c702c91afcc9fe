import numpy as np
import pytest
from closeness import EXACT, assert_close
from sklearn.feature_extraction.text import TfidfTransformer

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.input_columns import InputColumns
from lengthwise.evaluation.item_features import ItemFeatures, count_column, statistics
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.weighting import items_having, tf_idf


def make_split(seed, count=40):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 7, count)
    steps = int(lengths.sum())
    per_step = {
        "tokens": rng.integers(0, 9, steps),
        "affixes": rng.integers(0, 5, (steps, 2)),
        "x": rng.normal(5, 3, (steps, 2)).astype(np.float32),
        "y": rng.random(steps).astype(np.float32),
    }
    # An item's sequences need not stand together, and not every item has a step.
    group = rng.permutation(np.append(np.arange(15), rng.integers(0, 15, count - 15)))
    items = Items("document", group, rng.integers(0, 2, 15), np.arange(15))
    return Sequences(offsets_of(lengths), per_step), items


def steps_of(sequences, items, item, column):
    pieces = [
        sequences[column][sequences.offsets[row] : sequences.offsets[row + 1]]
        for row in np.flatnonzero(items.group == item)
    ]
    return np.concatenate(pieces)


@pytest.mark.parametrize("seed", range(5))
def test_statistics_are_those_of_all_steps_of_an_item(seed):
    sequences, items = make_split(seed)
    found = statistics(sequences, items, "x")
    assert found.shape == (15, 12)
    for item, row in enumerate(found):
        values = steps_of(sequences, items, item, "x").astype(float)
        if not len(values):
            assert not row.any()
            continue
        expected = [values.mean(0), values.std(0), values.min(0), values.max(0), values[0], values[-1]]
        assert_close(row, np.concatenate(expected), EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_a_loop(seed):
    sequences, items = make_split(seed)
    found = count_column(sequences, items, "affixes", 5).toarray()
    for item, row in enumerate(found):
        assert row.tolist() == np.bincount(steps_of(sequences, items, item, "affixes").ravel(), minlength=5).tolist()


def test_rows_are_weighted_counts_and_standardized_numbers():
    (training, known), (asked, items) = make_split(1), make_split(2)
    inputs = InputColumns({"tokens": 9, "affixes": 5}, ("x", "y"))
    features = ItemFeatures(inputs, training, known)
    fitted = features.rows(training, known).toarray()
    assert fitted.shape == (15, 9 + 5 + 1 + 12 + 6)
    assert_close(fitted[:, 14:].mean(axis=0), 0, terms=1.0)
    assert_close(fitted[:, 14:].std(axis=0), 1.0)
    rows = features.rows(asked, items).toarray()
    for column, size, start in (("tokens", 9, 0), ("affixes", 5, 9)):
        weighting = TfidfTransformer(sublinear_tf=True).fit(count_column(training, known, column, size))
        expected = weighting.transform(count_column(asked, items, column, size)).toarray()
        assert_close(rows[:, start : start + size], expected, EXACT)
    lengths = [
        np.log1p(np.bincount(of.group, sequences.lengths)) for sequences, of in ((training, known), (asked, items))
    ]
    assert_close(rows[:, 14], (lengths[1] - lengths[0].mean()) / lengths[0].std(), EXACT)


def test_rows_of_plain_counts_are_counts_alone():
    sequences, items = make_split(1)
    features = ItemFeatures(InputColumns({"tokens": 9}), sequences, items, weighted=False, lengths=False)
    expected = count_column(sequences, items, "tokens", 9).toarray()
    assert features.rows(sequences, items).toarray().tolist() == expected.tolist()


def test_a_number_that_never_changes_is_no_feature():
    sequences, items = make_split(1)
    same = Sequences(sequences.offsets, {"x": np.full((int(sequences.offsets[-1]), 1), 7.0)})
    rows = ItemFeatures(InputColumns({}, ("x",)), same, items).rows(same, items)
    assert np.isfinite(rows).all()
    # Its spread is always none.
    assert not rows[:, 2].any()


@pytest.mark.parametrize("seed", range(3))
def test_weights_of_counts_in_parts_are_to_the_last_bit_those_of_scikit_learn(seed):
    sequences, items = make_split(seed)
    counts = count_column(sequences, items, "tokens", 9)
    expected = TfidfTransformer(sublinear_tf=True).fit(counts)
    for parts in ([counts], [counts[:4], counts[4:5], counts[5:]]):
        found = tf_idf(*items_having(parts))
        assert found.idf_.tobytes() == expected.idf_.tobytes()
        assert (found.transform(counts) != expected.transform(counts)).nnz == 0
