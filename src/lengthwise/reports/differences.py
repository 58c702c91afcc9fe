"""The difference of two models that scored the same test items, paired by what was held out together.

What is hard for both cancels out. Two intervals that overlap say little: that of the difference says whether
one model is better.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One model's figure less another's at a level.

    Attributes:
        level: the corpus's word for its items.
        metric: which figure.
        one: of the one model.
        other: of the other.
        low: where the interval of the difference begins; too few authors leave it without ends.
        high: where it ends.
        items: how many were scored.
    """

    level: str
    metric: str
    one: float
    other: float
    low: float
    high: float
    items: int

    @property
    def value(self) -> float:
        """One less the other."""
        return self.one - self.other

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0
