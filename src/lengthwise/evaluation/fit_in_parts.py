"""Linear models of more items than memory holds the features of: fitted by passes over parts of them."""

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import log_expit, logsumexp
from sklearn.linear_model import SGDClassifier

from lengthwise.evaluation.baseline_options import LinearOptions
from lengthwise.evaluation.bounded_rows import RowsInParts
from lengthwise.evaluation.item_features import FeatureRows
from lengthwise.system.progress import Progress

# scikit-learn's advice on stochastic gradient descent: so many steps, an item each; and passes at least.
STEPS_IN_ALL, LEAST_PASSES = 1_000_000, 5
ORDER_SEED = 0
# Of conjugate gradients: what is left of the residual.
RESIDUAL = 1e-6


class OneAgainstOthers(SGDClassifier):
    """scikit-learn's `SGDClassifier` of log loss, whose chances are no zeros and no NaN however sure it is."""

    def predict_log_proba(self, rows: FeatureRows) -> np.ndarray:
        """Log-probabilities of Q rows, of each class against all others, made a distribution: float64 (Q, C)."""
        scores = self.decision_function(rows)
        chances: np.ndarray = log_expit(np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores)
        return chances - logsumexp(chances, axis=1, keepdims=True)


def logistic_in_parts(
    rows: RowsInParts, labels: np.ndarray, options: LinearOptions, progress: Progress
) -> OneAgainstOthers:
    """Logistic regression by stochastic gradient descent, one class against all others.

    A step is an item. Parts come in a random order, and so do the items of a part; the order is the same each time. The
    weights are means over the second half of all steps (Polyak and Juditsky, 1992), which is why few passes do.

    Args:
        rows: of N items.
        labels: (N,), of two classes or more.
        options: `alpha` is 1 / (C N), so that the loss is that of scikit-learn's `LogisticRegression`; as many passes
            as make a million steps, at least 5, at most `max_iterations`.
        progress: gets `max_iterations`.
    """
    count, most = len(labels), options.max_iterations
    passes = min(most, max(LEAST_PASSES, -(-STEPS_IN_ALL // count)))
    model = OneAgainstOthers(
        loss="log_loss",
        alpha=1 / (options.inverse_regularization * count),
        average=max(1, count * passes // 2),
        random_state=np.random.RandomState(ORDER_SEED),
    )
    classes, order = np.unique(labels), np.random.default_rng(ORDER_SEED)
    for done in range(passes):
        for members, part in rows.in_order(order.permutation(len(rows.parts))):
            model.partial_fit(part, labels[members], classes)
        progress.update(most * (done + 1) // passes - most * done // passes)
    return model


class RidgeInParts:
    """Ridge regression by conjugate gradients on the normal equations, of centred features and numbers.

    It is scikit-learn's `Ridge`, whose sparse solver does the same with all features in memory.

    Args:
        rows: of N items.
        numbers: float64 (N, K).
        options: `alpha` is 1 / (2 C); there are at most `max_iterations` passes for each number.
    """

    def __init__(self, rows: RowsInParts, numbers: np.ndarray, options: LinearOptions) -> None:
        count, alpha = len(numbers), 0.5 / options.inverse_regularization
        self._intercept = numbers.mean(axis=0)
        centred = numbers - self._intercept
        sums = [(np.asarray(part.sum(axis=0)).reshape(-1), part.T @ centred[members]) for members, part in rows]
        self._mean: np.ndarray = np.sum([of_part for of_part, _ in sums], axis=0) / count

        def gram(weights: np.ndarray) -> np.ndarray:
            product = alpha * weights - count * self._mean * (self._mean @ weights)
            for _, part in rows:
                product += part.T @ (part @ weights)
            return product

        of_all = LinearOperator((len(self._mean),) * 2, matvec=gram, dtype=np.float64)
        sides = np.sum([of_part for _, of_part in sums], axis=0).T
        most = options.max_iterations
        self._weights = np.stack([cg(of_all, side, rtol=RESIDUAL, maxiter=most)[0] for side in sides], axis=1)

    def predict(self, rows: FeatureRows) -> np.ndarray:
        """The numbers of rows: float64 (Q, K)."""
        predicted: np.ndarray = rows @ self._weights - self._mean @ self._weights + self._intercept
        return predicted
