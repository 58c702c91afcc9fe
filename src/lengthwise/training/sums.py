"""What predictions come to: sums, and means of them."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Sums:
    """Loss in nats and right predictions, summed, and the count of predictions."""

    loss: float = 0.0
    correct: float = 0.0
    count: float = 0.0

    def add(self, sums: np.ndarray) -> None:
        """Add a step's (loss, correct, count)."""
        self.loss += float(sums[0])
        self.correct += float(sums[1])
        self.count += float(sums[2])

    @property
    def mean_loss(self) -> float:
        """Nats per prediction."""
        return self.loss / max(1.0, self.count)

    @property
    def accuracy(self) -> float:
        """Share of right predictions."""
        return self.correct / max(1.0, self.count)
