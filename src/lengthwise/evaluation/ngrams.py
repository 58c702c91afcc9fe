"""An n-gram language model with interpolated modified Kneser-Ney smoothing, in arrays.

A probability is the discounted count of a gram over that of its context, plus what the discounts left over times the
probability after a context that is a token shorter (Chen and Goodman, 1999, with the counts of Heafield, Pouzyrevsky,
Clark and Koehn, 2013). The shortest context is none; behind it all tokens are equally likely. Before each sequence
stands a sign of its own, which nothing predicts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import TOKENS, Sequences

# Of a count of one, where no gram of the corpus has one or two.
NO_ONES = 0.5
# What is taken at least, so that something is left for what was never seen.
LEAST = 0.05


@dataclass(frozen=True)
class NextTokens:
    """What is predicted at each of N steps, from the steps before it in its sequence.

    Attributes:
        predicted: int32 (N,), the likeliest token.
        log_probability: float64 (N,), of the token that is there, in nats.
    """

    predicted: np.ndarray
    log_probability: np.ndarray


@dataclass(frozen=True)
class GramTable:
    """The grams of n tokens that occur: G of them, by rising key. Contexts are the C grams of n - 1 tokens.

    Attributes:
        keys: int64 (G,), the number of the context among its own grams times the number of tokens, plus the last token.
        probability: float64 (G,), of the last token after the others.
        left: float64 (C,), the share that discounts leave of a context; one if nothing follows it.
        likeliest: int64 (C,), the likeliest token after a context.
        highest: float64 (C,), its probability.
    """

    keys: np.ndarray
    probability: np.ndarray
    left: np.ndarray
    likeliest: np.ndarray
    highest: np.ndarray


@dataclass(frozen=True)
class NgramModel:
    """Grams of one token, of two, and so on.

    >>> import lengthwise as lw
    >>> model = NgramModel.fit(lw.from_arrays(tokens=[[2, 3, 2, 3], [2, 3]]), vocabulary_size=4, order=2)
    >>> model.predict(lw.from_arrays(tokens=[[2, 3]])).predicted.tolist()
    [2, 3]

    Attributes:
        vocabulary_size: V, how many tokens there are.
        tables: by the length of grams less one.
    """

    vocabulary_size: int
    tables: tuple[GramTable, ...]

    @classmethod
    def fit(cls, sequences: Sequences, vocabulary_size: int, order: int) -> "NgramModel":
        """Count the grams of sequences.

        Args:
            sequences: with the column `tokens`.
            vocabulary_size: V, above every token.
            order: tokens of the longest grams.
        """
        counted = [*_GramStream.of(sequences, vocabulary_size).counted(order)]
        tables: list[GramTable] = []
        for grams, longer in zip_longest(counted, counted[1:]):
            context_of = _Shorter(tables[-1], counted[len(tables) - 1].shorter) if tables else None
            tables.append(_table(grams, grams.counts(longer), context_of, vocabulary_size))
        return cls(vocabulary_size, tuple(tables))

    def predict(self, sequences: Sequences) -> NextTokens:
        """What is predicted at every step; at the first one of a sequence from its beginning alone.

        Args:
            sequences: with the column `tokens`, all below V.
        """
        stream = _GramStream.of(sequences, self.vocabulary_size)
        size = self.vocabulary_size + 1
        # The context of no token is one, and everywhere.
        context = np.zeros(len(stream.tokens), np.int64)
        probability = np.full(len(context), 1 / self.vocabulary_size)
        predicted = np.zeros(len(context), np.int64)
        for number, table in enumerate(self.tables):
            known = (context >= 0) & (stream.place >= number)
            predicted[known] = table.likeliest[context[known]]
            keys = context * size + stream.tokens
            found = np.minimum(np.searchsorted(table.keys, keys), len(table.keys) - 1)
            seen = known & (table.keys[found] == keys)
            probability[known] *= table.left[context[known]]
            probability[seen] = table.probability[found[seen]]
            # The gram that ends at a step is the context of the next step.
            context = np.concatenate([[-1], np.where(seen, found, -1)[:-1]])
        inside = stream.place > 0
        return NextTokens(predicted[inside].astype(np.int32), np.log(probability[inside]))


@dataclass(frozen=True)
class _Grams:
    """The grams of one length in a stream.

    Attributes:
        keys: int64 (G,), as of `GramTable`.
        raw: int64 (G,), how often each occurs.
        shorter: int64 (G,), the number of the gram without its first token, among its own.
        begins: bool (G,), whether it has the beginning of a sequence.
        contexts: how many grams are shorter by one.
    """

    keys: np.ndarray
    raw: np.ndarray
    shorter: np.ndarray
    begins: np.ndarray
    contexts: int

    def counts(self, longer: "_Grams | None") -> np.ndarray:
        """How often each gram counts: of the longest as often as it occurs, of others once for each token before it."""
        if longer is None:
            return self.raw
        before = np.bincount(longer.shorter, minlength=len(self.keys))
        return np.where(self.begins, self.raw, before)


@dataclass(frozen=True)
class _GramStream:
    """Sequences, each behind the sign for its beginning, which is the token V.

    Attributes:
        tokens: int64 (N + S,).
        place: int64 (N + S,), steps of its sequence before each, the sign being one.
        size: V + 1.
    """

    tokens: np.ndarray
    place: np.ndarray
    size: int

    @classmethod
    def of(cls, sequences: Sequences, vocabulary_size: int) -> "_GramStream":
        offsets = offsets_of(sequences.lengths + 1)
        tokens = np.full(offsets[-1], vocabulary_size, np.int64)
        place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sequences.lengths + 1)
        tokens[place > 0] = sequences[TOKENS]
        return cls(tokens, place, vocabulary_size + 1)

    def counted(self, order: int) -> Iterator[_Grams]:
        """The grams of one token, of two, up to the order or the longest sequence."""
        ending, shorter, contexts = np.zeros(len(self.tokens), np.int64), np.zeros(len(self.tokens), np.int64), 1
        for number in range(order):
            valid = np.flatnonzero(self.place >= number)
            if not len(valid):
                return
            before = ending[valid - 1] if number else ending
            keys, first, inverse, raw = np.unique(
                before * self.size + self.tokens[valid], return_index=True, return_inverse=True, return_counts=True
            )
            yield _Grams(keys, raw, shorter[valid[first]], self.place[valid[first]] == number, contexts)
            ending = np.full(len(self.tokens), -1)
            ending[valid] = inverse
            shorter, contexts = ending, len(keys)


def _table(grams: _Grams, counts: np.ndarray, context_of: "_Shorter | None", vocabulary_size: int) -> GramTable:
    """Probabilities of grams, from their counts and from what shorter grams say."""
    context, token = np.divmod(grams.keys, vocabulary_size + 1)
    # Nothing predicts the beginning of a sequence.
    counts = np.where(token == vocabulary_size, 0, counts)
    discount = discounts(counts)[np.minimum(counts, 3)]
    total, taken = (np.bincount(context, of, minlength=grams.contexts) for of in (counts, discount))
    left = np.divide(taken, total, out=np.ones(grams.contexts), where=total > 0)
    if context_of is None:
        behind, likeliest, highest = np.array(1 / vocabulary_size), np.zeros(1, np.int64), left / vocabulary_size
    else:
        behind = context_of.table.probability[grams.shorter]
        likeliest = context_of.table.likeliest[context_of.shorter]
        highest = left * context_of.table.highest[context_of.shorter]
    probability = (counts - discount) / np.maximum(total, 1)[context] + left[context] * behind
    probability[token == vocabulary_size] = 0
    # Keys rise, so the grams of a context stand together.
    contexts, starts, sizes = np.unique(context, return_index=True, return_counts=True)
    best = np.maximum.reduceat(probability, starts)
    is_best = np.flatnonzero(probability == np.repeat(best, sizes))
    _, first = np.unique(context[is_best], return_index=True)
    better = best > highest[contexts]
    highest[contexts[better]], likeliest[contexts[better]] = best[better], token[is_best[first[better]]]
    return GramTable(grams.keys, probability, left, likeliest, highest)


@dataclass(frozen=True)
class _Shorter:
    """The table of grams that are a token shorter, and of each of these the number of its context without the first."""

    table: GramTable
    shorter: np.ndarray


def discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from a count of none, one, two, and three or more: float64 (4,) (Chen and Goodman, 1999, eq. 26).

    Args:
        counts: int (G,), of grams of one length. Where none is one, or none two, as of single characters, half of one
            is taken, and of the others as little as of the last that is known.

    >>> discounts(np.array([1, 1, 1, 1, 2, 2, 3, 4])).tolist()
    [0.0, 0.5, 1.25, 1.0]
    """
    ones, twos, threes, fours = (int((counts == number).sum()) for number in (1, 2, 3, 4))
    share = ones / (ones + 2 * twos) if ones and twos else NO_ONES
    # Of a count of one the equation gives the share itself.
    taken = [0.0, share]
    for number, fewer, more in ((2, twos, threes), (3, threes, fours)):
        found = number - (number + 1) * share * more / fewer if fewer and more else taken[-1]
        taken.append(min(max(found, LEAST), float(number)))
    return np.array(taken)
