import numpy as np
import pytest
from blog_words import WORDS
from closeness import EXACT, assert_close

from lengthwise.core.names import UNITS
from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.levels import items_of, pool


@pytest.fixture
def sequences():
    # Sorted by length, so out of the corpus's order; documents 4 and 7 are author 2's, document 9 author 5's.
    columns = {
        "label": np.array([3, 1, 3, 3, 1], np.int16),
        "sequence": np.array([2, 4, 0, 1, 3], np.int32),
        "document": np.array([7, 9, 4, 4, 9], np.int32),
        "group": np.array([2, 5, 2, 2, 5], np.int32),
    }
    return Sequences(np.array([0, 1, 3, 6, 10, 15]), {"tokens": np.zeros(15, np.int32)}, columns)


def test_items_of_sentences_are_in_the_corpus_order_at_every_level(sequences):
    sentence, document, author = items_of(sequences.per_sequence, "sentence", WORDS)
    assert [level.name for level in (sentence, document, author)] == list(WORDS.values())
    assert sentence.group.tolist() == [2, 4, 0, 1, 3]
    assert sentence.labels.tolist() == [3, 3, 3, 1, 1]
    assert sentence.author.tolist() == [2, 2, 2, 5, 5]
    assert document.group.tolist() == [1, 2, 0, 0, 2]
    assert document.labels.tolist() == [3, 3, 1]
    assert document.author.tolist() == [2, 2, 5]
    assert author.group.tolist() == [0, 1, 0, 0, 1]
    assert author.labels.tolist() == [3, 1]
    assert author.author.tolist() == [2, 5]


@pytest.mark.parametrize("unit", ["document", "group"])
def test_items_of_a_coarser_unit_are_whole_though_they_are_split_into_pieces(sequences, unit):
    # By pieces or by sentences: a document is the same item, and so is an author.
    levels, same = (
        items_of(sequences.per_sequence, unit, WORDS),
        items_of(sequences.per_sequence, "sentence", WORDS)[UNITS.index(unit) :],
    )
    assert [level.name for level in levels] == list(WORDS.values())[UNITS.index(unit) :]
    for level, expected in zip(levels, same, strict=True):
        assert level.name == expected.name
        for name in ("group", "labels", "author"):
            assert getattr(level, name).tolist() == getattr(expected, name).tolist()


def test_items_of_nothing_are_refused():
    empty = np.array([], np.int32)
    columns = dict.fromkeys(("label", "sequence", "document", "group"), empty)
    with pytest.raises(ValueError, match=r"columns: got no sequence; expected one or more"):
        items_of(columns, "sentence", WORDS)


def test_pool_is_the_mean_of_log_probabilities_made_a_distribution_again(sequences):
    rng = np.random.default_rng(1)
    scores = np.log(rng.dirichlet(np.ones(6), 5)).astype(np.float32)
    for items in items_of(sequences.per_sequence, "sentence", WORDS):
        level = pool(items, scores)
        assert level.log_probabilities.dtype == np.float64
        assert (level.name, level.labels is items.labels) == (items.name, True)
        for item in range(len(items.labels)):
            members = [scores[place].astype(np.float64) for place in range(5) if items.group[place] == item]
            product = np.exp(sum(members) / len(members))
            assert_close(np.exp(level.log_probabilities[item]), product / product.sum(), EXACT)


def test_pool_at_the_level_of_sequences_only_puts_them_in_order(sequences):
    scores = np.log(np.random.default_rng(2).dirichlet(np.ones(6), 5))
    level = pool(items_of(sequences.per_sequence, "sentence", WORDS)[0], scores)
    assert_close(level.log_probabilities[sequences["sequence"]], scores, EXACT)
