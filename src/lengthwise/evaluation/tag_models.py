"""Taggers without a network: the commonest tag of each token, and a linear model of windows of steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import log_softmax, softmax

from lengthwise.core.sequences import AFFIXES, TOKENS, UNK_ID, Sequences
from lengthwise.evaluation.baseline_options import TagModelOptions
from lengthwise.evaluation.step_windows import StepWindows
from lengthwise.system.progress import Progress

# Of a token's affixes, those by which the tag of an unknown token is guessed, the best first: its suffix and its shape,
# a shorter suffix and the shape, the shape.
GUESSED_BY = ((1, 3), (2, 3), (3,))
# A token that is rarer in training says what unknown tokens are like.
RARE = 6
# Of the order of steps.
SEED = 0
# Of AdaGrad, chosen on the development set of the English Web Treebank, and steps of a batch.
STEP_SIZE, BATCH, ALMOST_ZERO = 0.1, 256, 1e-3
AT_ONCE = 65_536


def commonest_tags(training: Sequences, asked: Sequences, tags: str, classes: int) -> np.ndarray:
    """How likely each tag is at each step, whatever its neighbours: log-probabilities, float64 (N, C).

    A token has the tags that it has in training, to whose counts one is added, in the shares of all tags. An unknown
    one has those of rare tokens with its suffix and shape, its shorter suffix and shape, or its shape, whichever is
    known first, or else of all. Without tokens every step has the tags of all.

    Args:
        training: with the column `tags`; `tokens`, int (N,), and `affixes`, int (N, K), are optional.
        asked: with the same columns.
        tags: the column that is predicted.
        classes: C.
    """
    actual = training[tags].astype(np.int64)
    counts = np.tile(np.bincount(actual, minlength=classes), (int(asked.offsets[-1]), 1))
    if TOKENS in training.per_step:
        tokens, of_asked = training[TOKENS], asked[TOKENS]
        often = np.bincount(tokens, minlength=int(max(tokens.max(initial=0), of_asked.max(initial=0))) + 1)
        rare = (often[tokens] < RARE) | (tokens == UNK_ID)
        unknown = (often[of_asked] == 0) | (of_asked == UNK_ID)
        if rare.any():
            counts[unknown] = np.bincount(actual[rare], minlength=classes)
        if AFFIXES in training.per_step:
            for places in reversed(GUESSED_BY):
                affixes, of_unknown = (
                    _joined(of[AFFIXES][which][:, places]) for of, which in ((training, rare), (asked, unknown))
                )
                found, known = _counts_of(affixes, actual[rare], of_unknown, classes)
                counts[np.flatnonzero(unknown)[known]] = found[known]
        found, known = _counts_of(tokens, actual, of_asked, classes)
        # An unknown token that has a sign of its own is as its letters are, where they are there.
        by_letters = unknown if AFFIXES in training.per_step else often[of_asked] == 0
        counts[known & ~by_letters] = found[known & ~by_letters]
    frequent = np.bincount(actual, minlength=classes) + 1
    smoothed: np.ndarray = np.log((counts + frequent / frequent.sum()) / (counts.sum(axis=1, keepdims=True) + 1))
    return smoothed


def _joined(affixes: np.ndarray) -> np.ndarray:
    """Some affixes of each token as one number: int64 (N,)."""
    first, *rest = affixes.T.astype(np.int64)
    return first if not rest else (first << 32) | rest[0]


def _counts_of(keys: np.ndarray, tags: np.ndarray, asked: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The counts of tags that each asked key has among the keys, int64 (Q, C), and whether it is there."""
    distinct, code = np.unique(keys, return_inverse=True)
    counts = np.bincount(code * classes + tags, minlength=len(distinct) * classes).reshape(-1, classes)
    if not len(distinct):
        return np.zeros((len(asked), classes), np.int64), np.zeros(len(asked), bool)
    place = np.minimum(np.searchsorted(distinct, asked), len(distinct) - 1)
    return counts[place], distinct[place] == asked


@dataclass(frozen=True)
class WindowTagger:
    """Multinomial logistic regression on windows of steps.

    Attributes:
        columns: per step, that it reads.
        options: how it was fitted.
        weights: float32 (2 ** bits, C), of hashed categories.
        of_numbers: float32 (D, C), of standardized floats.
        mean: float32 (D,), of the floats of training windows.
        spread: float32 (D,), their standard deviation; one where there is none.
    """

    columns: tuple[str, ...]
    options: TagModelOptions
    weights: np.ndarray
    of_numbers: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(
        cls,
        training: Sequences,
        tags: str,
        classes: int,
        columns: Sequence[str],
        options: TagModelOptions,
        progress: Progress,
    ) -> "WindowTagger":
        """Fit by AdaGrad (Duchi, Hazan and Singer, 2011): what is rare takes larger steps.

        Args:
            training: of N steps.
            tags: the column that is predicted.
            classes: C.
            columns: per step, that are read: see `StepWindows`.
            options: of the model.
            progress: gets N steps an epoch.
        """
        windows = StepWindows(training, tuple(columns), options.window, options.bits)
        steps = int(training.offsets[-1])
        mean, spread = _moments(windows, steps)
        made = cls(
            tuple(columns),
            options,
            np.zeros((1 << options.bits, classes), np.float32),
            np.zeros((len(mean), classes), np.float32),
            mean,
            spread,
        )
        squares = [np.full_like(of, ALMOST_ZERO) for of in (made.weights, made.of_numbers)]
        right = np.eye(classes, dtype=np.float32)
        rng = np.random.default_rng(SEED)
        for _ in range(options.epochs):
            order = rng.permutation(steps)
            for start in range(0, steps, BATCH):
                chosen = order[start : start + BATCH]
                features, rows, numbers = made._read(windows, chosen)
                logits = rows @ made.weights[features] + numbers @ made.of_numbers
                off = softmax(logits, axis=1) - right[training[tags][chosen]]
                _descend(made.weights, squares[0], features, rows.T @ off)
                _descend(made.of_numbers, squares[1], slice(None), numbers.T @ off)
                progress.update(len(chosen))
        return made

    def predict(self, sequences: Sequences) -> np.ndarray:
        """Log-probabilities of all tags at each step: float32 (N, C)."""
        windows = StepWindows(sequences, self.columns, self.options.window, self.options.bits)
        scores = np.empty((int(sequences.offsets[-1]), self.weights.shape[1]), np.float32)
        for start in range(0, len(scores), AT_ONCE):
            steps = np.arange(start, min(start + AT_ONCE, len(scores)))
            features, rows, numbers = self._read(windows, steps)
            scores[steps] = log_softmax(rows @ self.weights[features] + numbers @ self.of_numbers, axis=1)
        return scores

    def _read(self, windows: StepWindows, steps: np.ndarray) -> tuple[np.ndarray, csr_matrix, np.ndarray]:
        """Of some steps the features that occur, which of these each has (B, features), and floats (B, D)."""
        found = windows.features(steps)
        features, codes = np.unique(found, return_inverse=True)
        ends = np.arange(len(steps) + 1) * found.shape[1]
        rows = csr_matrix((np.ones(found.size, np.float32), codes.reshape(-1), ends), (len(steps), len(features)))
        return features, rows, (windows.numbers(steps) - self.mean) / self.spread


def _moments(windows: StepWindows, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the windows' floats, float32 (D,) each, in pieces."""
    sums = np.zeros((2, windows.numbers(np.zeros(0, np.int64)).shape[1]))
    for start in range(0, steps, AT_ONCE):
        numbers = windows.numbers(np.arange(start, min(start + AT_ONCE, steps))).astype(np.float64)
        sums += numbers.sum(axis=0), (numbers**2).sum(axis=0)
    mean, squares = sums / steps
    spread = np.sqrt(np.maximum(squares - mean**2, 0))
    return mean.astype(np.float32), np.where(spread > 0, spread, 1).astype(np.float32)


def _descend(weights: np.ndarray, squares: np.ndarray, where: np.ndarray | slice, gradient: np.ndarray) -> None:
    """A step of AdaGrad for some rows."""
    squares[where] += gradient**2
    weights[where] -= STEP_SIZE * gradient / np.sqrt(squares[where])
