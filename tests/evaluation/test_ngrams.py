from collections import Counter, defaultdict

import numpy as np
import pytest
from closeness import EXACT, assert_close

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import Sequences
from lengthwise.evaluation.ngrams import LEAST, NO_ONES, NgramModel, discounts

BEGIN = "begin"


def make_sequences(rng, count, vocabulary, longest=12):
    """Sequences in which a token depends on the two before it, so that contexts are of use."""
    lists = []
    for _ in range(count):
        tokens = []
        for _ in range(int(rng.integers(0, longest))):
            likely = (sum(tokens[-2:]) * 3 + 1) % vocabulary
            tokens.append(likely if rng.random() < 0.5 else int(rng.integers(0, vocabulary)))
        lists.append(tokens)
    return lists


def as_sequences(lists):
    flat = np.array([token for tokens in lists for token in tokens], np.int32)
    return Sequences(offsets_of(np.array([len(tokens) for tokens in lists])), {"tokens": flat})


class ByDefinition:
    """The same model word by word, from dictionaries: equations 24 to 26 of Chen and Goodman (1999)."""

    def __init__(self, lists, vocabulary, order):
        self.vocabulary = vocabulary
        raw, before = Counter(), defaultdict(set)
        for tokens in lists:
            row = (BEGIN, *tokens)
            for stop in range(1, len(row) + 1):
                for start in range(max(0, stop - order), stop):
                    raw[row[start:stop]] += 1
                    if start:
                        before[row[start:stop]].add(row[start - 1])
        self.order = max(map(len, raw), default=1)
        self.counts = {
            gram: count if len(gram) == self.order or gram[0] == BEGIN else len(before[gram])
            for gram, count in raw.items()
            if gram != (BEGIN,)
        }
        self.discounts = {}
        for length in range(1, self.order + 1):
            n = Counter(count for gram, count in self.counts.items() if len(gram) == length)
            share = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] else NO_ONES
            two = max(2 - 3 * share * n[3] / n[2], LEAST) if n[2] and n[3] else share
            three = max(3 - 4 * share * n[4] / n[3], LEAST) if n[3] and n[4] else two
            self.discounts[length] = (0.0, share, two, three)
        self.follow = defaultdict(dict)
        for gram, count in self.counts.items():
            self.follow[gram[:-1]][gram[-1]] = count
        self.known = {*raw, ()}

    def probability(self, token, context):
        context = tuple(context)[max(0, len(context) - self.order + 1) :]
        behind = self.probability(token, context[1:]) if context else 1 / self.vocabulary
        after = self.follow.get(context)
        if context not in self.known or not after:
            return behind
        taken = self.discounts[len(context) + 1]
        total = sum(after.values())
        left = sum(taken[min(count, 3)] for count in after.values()) / total
        count = after.get(token, 0)
        return (count - taken[min(count, 3)]) / total + left * behind


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(6))
def test_ngrams_are_those_of_the_definition(seed, order):
    rng = np.random.default_rng(seed)
    vocabulary = int(rng.integers(3, 8))
    known, asked = (make_sequences(rng, count, vocabulary) for count in (30, 8))
    model = NgramModel.fit(as_sequences(known), vocabulary, order)
    found = model.predict(as_sequences(asked))
    definition = ByDefinition(known, vocabulary, order)
    probabilities, likeliest = [], []
    for tokens in asked:
        for place, token in enumerate(tokens):
            after = [definition.probability(other, (BEGIN, *tokens[:place])) for other in range(vocabulary)]
            assert sum(after) == pytest.approx(1)
            probabilities.append(after[token])
            likeliest.append(after)
    assert_close(np.exp(found.log_probability), np.array(probabilities), EXACT)
    chosen = [after[token] for after, token in zip(likeliest, found.predicted, strict=True)]
    assert_close(np.array(chosen), np.array([max(after) for after in likeliest]), EXACT)


def test_probabilities_of_all_tokens_add_up_to_one_also_where_nothing_was_seen():
    model = NgramModel.fit(as_sequences([[0, 1, 2], [2, 2, 2, 2]]), 5, 3)
    for context in ([], [0], [4], [0, 1], [4, 3], [2, 2], [1, 4]):
        asked = as_sequences([[*context, token] for token in range(5)])
        found = np.exp(model.predict(asked).log_probability)[asked.offsets[1:] - 1]
        assert found.sum() == pytest.approx(1)
        assert (found > 0).all()


def test_what_follows_changes_no_prediction():
    rng = np.random.default_rng(4)
    model = NgramModel.fit(as_sequences(make_sequences(rng, 40, 5)), 5, 4)
    tokens = rng.integers(0, 5, 10).tolist()
    whole = model.predict(as_sequences([[3, 1], tokens]))
    for length in range(1, 10):
        part = model.predict(as_sequences([tokens[:length]]))
        assert np.array_equal(part.log_probability, whole.log_probability[2 : 2 + length])
        assert np.array_equal(part.predicted, whole.predicted[2 : 2 + length])


def test_an_order_beyond_the_longest_sequence_is_the_longest():
    sequences = as_sequences([[1, 2], [2, 1, 1]])
    models = [NgramModel.fit(sequences, 3, order) for order in (4, 9)]
    assert [len(model.tables) for model in models] == [4, 4]
    first, second = (model.predict(sequences) for model in models)
    assert np.array_equal(first.log_probability, second.log_probability)


def test_a_model_of_nothing_takes_all_tokens_for_equally_likely():
    model = NgramModel.fit(as_sequences([[], []]), 4, 3)
    assert np.exp(model.predict(as_sequences([[0, 3]])).log_probability) == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize("counts", [[5, 5, 5], [2, 2, 3, 3, 3], [1], [1, 2, 2, 2, 2, 3], [0]])
def test_something_is_always_left_for_what_was_not_seen(counts):
    found = discounts(np.array(counts))
    assert found[0] == 0
    assert (found[1:] >= LEAST).all()
    assert (found <= np.arange(4)).all()
