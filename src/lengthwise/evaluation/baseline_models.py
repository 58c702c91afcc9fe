"""What a recurrent network has to beat, on the same split, levels and tokens.

majority   the class frequencies of the training split, whatever the text
linear     multinomial logistic regression: on word counts for sequences, on TF-IDF for documents and authors
"""

import warnings

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from lengthwise.core.sequences import TOKENS, Sequences
from lengthwise.evaluation.baseline_options import LinearOptions
from lengthwise.evaluation.levels import Items
from lengthwise.system.progress import Progress


def majority(known: Items, queries: int, classes: int) -> np.ndarray:
    """The log-frequencies of the training items' classes, one added to each count: float64 (queries, C)."""
    counts = np.bincount(known.labels, minlength=classes) + 1
    return np.tile(np.log(counts / counts.sum()), (queries, 1))


def linear(
    counts: csr_matrix | np.ndarray,
    labels: np.ndarray,
    queries: csr_matrix | np.ndarray,
    classes: int,
    options: LinearOptions,
    progress: Progress,
) -> np.ndarray:
    """Logistic regression: log-probabilities of the queries, float64 (Q, C).

    A class without a training item gets a probability of zero, to double precision.
    """
    return predict_linear(fit_linear(counts, labels, options, progress), queries, classes)


def fit_linear(
    counts: csr_matrix | np.ndarray, labels: np.ndarray, options: LinearOptions, progress: Progress
) -> LogisticRegression:
    """Multinomial logistic regression of scikit-learn.

    Fitted in one go: L-BFGS is good for what it remembers of earlier steps, and forgets it from one call to the next.
    """
    model = LogisticRegression(C=options.inverse_regularization, max_iter=options.max_iterations)
    with warnings.catch_warnings(), progress.beating():
        # The number of iterations is a parameter; the figures say what it was good for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(counts, labels)
    progress.update(options.max_iterations)
    return model


def predict_linear(model: LogisticRegression, queries: csr_matrix | np.ndarray, classes: int) -> np.ndarray:
    """Log-probabilities of Q queries, float64 (Q, C): see `linear`."""
    scores = np.full((queries.shape[0], classes), np.log(np.finfo(float).tiny))
    scores[:, model.classes_] = model.predict_log_proba(queries)
    return scores


def count_tokens(sequences: Sequences, items: Items, vocabulary_size: int) -> csr_matrix:
    """How often each token occurs in each item: float64 (N, V), sparse."""
    rows = np.repeat(items.group, sequences.lengths)
    shape = (len(items.labels), vocabulary_size)
    matrix = csr_matrix((np.ones(len(rows)), (rows, sequences[TOKENS])), shape)
    matrix.sum_duplicates()
    return matrix
