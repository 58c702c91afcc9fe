"""Which pretrained vectors an embedding begins with: settings that check themselves, without TensorFlow."""

from dataclasses import dataclass
from typing import Annotated

from lengthwise.bounds import Letters, check_fields

NO_VECTORS, FROM_FILE = "none", "file"


@dataclass(frozen=True)
class VectorsWanted:
    """Pretrained vectors.

    Attributes:
        source: `none`, `file`, or the name of an installed spaCy package.
        file: a text file of vectors, see `lengthwise.models.vectors`; read where the source is `file`.
        frozen: whether tokens that have a vector keep it.

    Raises:
        ArgumentError: a name is empty; it is a `ValueError`.
    """

    source: Annotated[str, Letters(1)]
    file: Annotated[str, Letters(1)]
    frozen: bool

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def package(self) -> str | None:
        """The spaCy package, where it is one."""
        return None if self.source in (NO_VECTORS, FROM_FILE) else self.source
