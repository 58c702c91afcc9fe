"""N-grams of characters are those that scikit-learn counts in the text, which we do not read."""

import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.evaluation.baseline_options import BaselineOptions, LinearOptions, NgramOptions, TagModelOptions
from lengthwise.evaluation.baseline_task import BaselineTask
from lengthwise.evaluation.character_grams import BEGIN, END, FEWEST_ITEMS, character_grams, common_grams, gram_counts
from lengthwise.evaluation.input_columns import InputColumns
from lengthwise.evaluation.item_features import ItemFeatures, count_column
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.scoring.class_scoring import ClassScoring

# Of one character and of many, of several bytes, with marks that other tools take for the ends of words, and white
# space that is a token.
WORDS = ("a", "at", "that", "<s>", "\x02", "\n", "é", "👩‍🚀", "naïve", "$^", "THAT", "aaaa", "x" * 40)
TOKENS = ("<PAD>", "<UNK>", *WORDS)


def reference(longest, least=1):
    """scikit-learn on tokens, each between the marks, with n-grams of characters of single tokens."""
    by_size = [
        CountVectorizer(analyzer="char", ngram_range=(size, size), lowercase=False) for size in range(2, longest + 1)
    ]
    analyzers = [vectorizer.build_analyzer() for vectorizer in by_size]
    # Two blanks in a row would be one: white space gets another name.
    blank = str.maketrans({"\n": "\N{SYMBOL FOR NEWLINE}"})

    def analyzed(tokens):
        marked = [f"{BEGIN}{token.translate(blank)}{END}" for token in tokens if token not in ("<PAD>", "<UNK>")]
        return [gram for token in marked for analyze in analyzers for gram in analyze(token) if len(gram) > 1]

    return CountVectorizer(analyzer=analyzed, min_df=least)


def make_texts(seed, count=30):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, count)
    # The last tokens are rare.
    chances = 0.8 ** np.arange(len(TOKENS))
    ids = rng.choice(len(TOKENS), int(lengths.sum()), p=chances / chances.sum())
    group = rng.permutation(np.append(np.arange(12), rng.integers(0, 12, count - 12)))
    sequences = Sequences(offsets_of(lengths), {"tokens": ids})
    items = Items("author", group, np.zeros(12, np.int64), np.arange(12))
    texts = [
        [TOKENS[token] for row in np.flatnonzero(group == item) for token in sequences[row : row + 1]["tokens"]]
        for item in range(12)
    ]
    return sequences, items, texts


def by_column(matrix):
    """The columns of a matrix in an order that does not depend on what they are called."""
    dense = matrix.toarray()
    return dense[:, np.lexsort(dense[::-1])]


@pytest.mark.parametrize("longest", [2, 3, 5, 8])
def test_n_grams_of_items_are_those_that_scikit_learn_counts_in_their_tokens(longest):
    grams = character_grams(TOKENS, longest)
    for seed in range(4):
        sequences, items, texts = make_texts(seed)
        counts = count_column(sequences, items, "tokens", len(TOKENS))
        found = gram_counts(counts, grams)
        present = found[:, np.flatnonzero(found.getnnz(axis=0))]
        assert np.array_equal(by_column(present), by_column(reference(longest).fit_transform(texts)))
        common = common_grams([counts], grams).grams
        assert 0 < common.shape[1] < present.shape[1]
        kept = reference(longest, FEWEST_ITEMS).fit_transform(texts)
        assert np.array_equal(by_column(gram_counts(counts, common)), by_column(kept))


@given(words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=8, unique=True))
def test_each_token_has_as_many_n_grams_as_places_and_shares_none_by_chance(words):
    grams = character_grams(["<PAD>", "<UNK>", *words], 4)
    assert not grams[:2].nnz
    for row, word in enumerate(words, start=2):
        size = len(word) + 2
        assert grams[row].sum() == sum(max(0, size - gram + 1) for gram in (2, 3, 4))
    # A gram that begins with the mark is of all words that begin so, and of no other.
    for row, word in enumerate(words, start=2):
        for other_row, other in enumerate(words, start=2):
            shared = grams[row].multiply(grams[other_row] > 0).sum()
            assert word[0] == other[0] or word[-1] == other[-1] or {*word} & {*other} or not shared


def test_common_n_grams_are_counted_alike_in_blocks(monkeypatch):
    sequences, items, _ = make_texts(1)
    counts, grams = count_column(sequences, items, "tokens", len(TOKENS)), character_grams(TOKENS, 4)
    whole = common_grams([counts], grams)
    assert whole.having.min() >= FEWEST_ITEMS
    for block in (1, 5, 12):
        monkeypatch.setattr("lengthwise.evaluation.character_grams.BLOCK", block)
        found = common_grams([counts], grams)
        assert (found.grams != whole.grams).nnz == 0
        assert found.items == whole.items == counts.shape[0]
        assert found.having.tolist() == whole.having.tolist()


def test_rows_have_n_grams_with_a_weighting_of_their_own_behind_the_tokens():
    (training, known, texts), (asked, items, others) = make_texts(1), make_texts(2)
    inputs = InputColumns({"tokens": len(TOKENS)})
    plain = ItemFeatures(inputs, training, known, lengths=False).rows(asked, items).toarray()
    features = ItemFeatures(inputs, training, known, lengths=False, grams=character_grams(TOKENS, 3))
    before = asked["tokens"].copy()
    rows = features.rows(asked, items)
    assert rows.dtype == np.float64
    assert np.array_equal(rows[:, : len(TOKENS)].toarray(), plain)
    vectorizer = reference(3, FEWEST_ITEMS).fit(texts)
    weighting = TfidfTransformer(sublinear_tf=True).fit(vectorizer.transform(texts))
    expected = weighting.transform(vectorizer.transform(others)).toarray()
    found = rows[:, len(TOKENS) :].toarray()
    assert found.shape == expected.shape
    # Weights are of single precision; the order of columns is the only other difference.
    assert_close(np.sort(found, axis=1), np.sort(expected, axis=1))
    assert_close(found @ found.T, expected @ expected.T)
    assert_close(np.linalg.norm(found, axis=1), np.linalg.norm(expected, axis=1))
    # Asked twice, the same: nothing is changed in place that is kept.
    assert np.array_equal(features.rows(asked, items).toarray(), rows.toarray())
    assert np.array_equal(asked["tokens"], before)


def test_n_grams_that_no_five_items_share_leave_the_tokens_alone():
    sequences, items, _ = make_texts(1)
    few = Items("author", items.group % (FEWEST_ITEMS - 1), np.zeros(4, np.int64), np.arange(4))
    inputs = InputColumns({"tokens": len(TOKENS)})
    rows = ItemFeatures(inputs, sequences, few, lengths=False, grams=character_grams(TOKENS, 3)).rows(sequences, few)
    alone = ItemFeatures(inputs, sequences, few, lengths=False).rows(sequences, few)
    assert np.array_equal(rows.toarray(), alone.toarray())


@pytest.mark.parametrize(("inputs", "tokens"), [({"tokens": 3}, ()), ({"tokens": 3}, ("a", "b")), ({}, ())])
def test_characters_of_tokens_that_are_not_given_are_refused(inputs, tokens):
    options = BaselineOptions(LinearOptions(1.0, 5, characters=3), TagModelOptions(1, 8, 1), NgramOptions(2))
    with pytest.raises(ArgumentError, match=r"^tokens: got "):
        BaselineTask(ClassScoring(()), InputColumns(inputs), options, tokens=tokens)
    BaselineTask(ClassScoring(()), InputColumns({"tokens": 1}), options, tokens=("a",))


@pytest.mark.parametrize("characters", [0, 1, 9, 2.5, True, "3"])
def test_characters_out_of_range_are_refused(characters):
    with pytest.raises(ArgumentError, match=r"^characters: got "):
        LinearOptions(1.0, 5, characters=characters)
