"""Which columns a baseline reads; apart, for whoever names them needs no scikit-learn, which takes long to import."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class InputColumns:
    """The columns per step that a model may read.

    Attributes:
        counted: whole numbers, (N,) or (N, K), by name with how many there are: tokens, affixes, tags.
        numbers: names of columns of floats, (N,) or (N, D).
    """

    counted: Mapping[str, int] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns."""
        return (*self.counted, *self.numbers)
