"""Scores of a language model: the next token, given those before it in its sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.evaluation.levels import Items
from lengthwise.evaluation.metric import Metric
from lengthwise.evaluation.ratios import POWER_OF_TWO, Ratio, sums_by
from lengthwise.evaluation.scoring.strata import by_key, group_table, in_ranges
from lengthwise.evaluation.scoring.task_scoring import (
    PredictedColumns,
    RatioLevel,
    TaskScoring,
    group_of_sequences,
    kept_columns,
)

PREDICTED, LOG_PROBABILITY = "predicted", "log_probability"
Word = Literal["token", "character", "byte"]
# Steps of a block: where there are too few groups to resample, blocks of a text are (Carlstein, 1986).
BLOCK, FEWEST_GROUPS = 1_000, 20


@dataclass(frozen=True)
class PredictedTokens:
    """What is predicted in each of N blocks of sequences: every token of a sequence but its first.

    Attributes:
        tokens: float64 (N,), how many.
        right: float64 (N,), how many were the likeliest.
        bits: float64 (N,), negative binary logarithms of their probabilities.
    """

    tokens: np.ndarray
    right: np.ndarray
    bits: np.ndarray


def _bits(of: PredictedTokens, _: object) -> dict[str, Ratio]:
    return {"bits": Ratio(of.bits, of.tokens)}


def _right(of: PredictedTokens, _: object) -> dict[str, Ratio]:
    return {"accuracy": Ratio(of.right, of.tokens)}


@dataclass(frozen=True)
class NextTokenScoring(TaskScoring):
    """Of the next token.

    Sequences have the column `tokens`, int (N,). Predictions have two arrays over the same N steps: `predicted`, int,
    the token that is likeliest there, given those before it in its sequence; and `log_probability`, float, of the token
    that is there. Nothing comes before the first token of a sequence: what stands there is not read.

    One level, that of `word`: bits (of a token; of a character, where tokens are characters), accuracy, and perplexity,
    which is two to the power of bits. The items of intervals are blocks of 1,000 tokens. Groups are resampled whole;
    where there are fewer than 20 groups, as in the text of one book, blocks are.

    Attributes:
        word: what a token is.
    """

    word: Word = "token"

    metrics = (Metric("bits", _bits, -1, 0.01), Metric("accuracy", _right, 1, 0.01))

    def levels(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> Sequence[RatioLevel]:
        """That of tokens."""
        place = _places(sequences)
        counted = place > 0
        lengths = -(-np.maximum(sequences.lengths - 1, 0) // BLOCK)
        first = np.repeat(np.cumsum(lengths) - lengths, sequences.lengths)
        block = (first + (place - 1) // BLOCK)[counted]
        sums = sums_by(block, _of_tokens(sequences, predictions)[counted])
        group = np.repeat(group_of_sequences(items), lengths)
        if len(np.unique(group)) < FEWEST_GROUPS:
            group = np.arange(len(group))
        of = PredictedTokens(*sums.T)
        perplexity = {"perplexity": Ratio(of.bits, of.tokens, POWER_OF_TWO)}
        return [RatioLevel(self.word, group, self.judged(of, self, self.word), perplexity)]

    def tables(
        self, sequences: Sequences, predictions: PredictedColumns, items: Sequence[Items]
    ) -> dict[str, pd.DataFrame]:
        """`by_step.csv`, `by_length.csv` and `by_group.csv`; `by_class.csv`, bits of the hundred commonest tokens."""
        place = _places(sequences)
        counted = place > 0
        of = PredictedTokens(*_of_tokens(sequences, predictions)[counted].T)
        figures = {"bits": Ratio(of.bits, of.tokens), "accuracy": Ratio(of.right, of.tokens)}
        row = np.repeat(np.arange(len(sequences)), sequences.lengths)[counted]
        by_token = by_key("token", sequences[TOKENS][counted], figures)
        commonest = by_token.sort_values(["count", "token"], ascending=[False, True]).head(COMMONEST)
        return {
            "by_step.csv": by_key("step", in_ranges(place[counted] + 1), figures),
            "by_length.csv": by_key("length", in_ranges(sequences.lengths[row]), figures),
            **group_table(group_of_sequences(items), row, figures),
            "by_class.csv": commonest.reset_index(drop=True),
        }

    def kept(self, sequences: Sequences, predictions: PredictedColumns) -> Sequences:
        """The tokens, the likeliest ones, and the log-probabilities of those that are there."""
        return kept_columns(
            sequences,
            {
                TOKENS: sequences[TOKENS],
                PREDICTED: predictions[PREDICTED].astype(np.int32),
                LOG_PROBABILITY: np.where(_places(sequences) > 0, predictions[LOG_PROBABILITY], 0).astype(np.float32),
            },
        )

    def from_kept(self, kept: Sequences) -> PredictedColumns:
        """Both arrays."""
        return {name: kept[name] for name in (PREDICTED, LOG_PROBABILITY)}


COMMONEST = 100


def _places(sequences: Sequences) -> np.ndarray:
    """Steps of its sequence before each step: int64 (N,)."""
    return np.arange(sequences.offsets[-1]) - np.repeat(sequences.offsets[:-1], sequences.lengths)


def _of_tokens(sequences: Sequences, predictions: PredictedColumns) -> np.ndarray:
    """Of every step one, whether it is right, and its bits: float64 (N, 3)."""
    right = sequences[TOKENS] == predictions[PREDICTED]
    bits = -predictions[LOG_PROBABILITY].astype(np.float64) / np.log(2)
    return np.stack([np.ones(len(right)), right, bits], axis=1)
