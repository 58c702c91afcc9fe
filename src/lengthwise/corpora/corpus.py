"""What a corpus is: a source of documents with labels, and the keys of `ingest` that say how to read it."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from lengthwise.prepare.forms.document_form import Document, DocumentForm, SequenceForm, TextBatch

# The kind of error that `senseless` makes.
SENSELESS = "senseless"


def senseless(reason: str, remedy: str) -> PydanticCustomError:
    """What a validator of a corpus raises where each of a key's values is legal and all of them make no sense."""
    return PydanticCustomError(SENSELESS, f"{reason}; {remedy}")


@dataclass(frozen=True)
class Extract:
    """Which part of what is at a place is read.

    Attributes:
        source: a file or a folder.
        max_bytes: what one member of an archive, one file or one field may hold.
        most_groups: if given, only so many groups are read, see `groups_of_part`.
        workers: processes that may read; what is read does not depend on it.
    """

    source: Path
    max_bytes: int
    most_groups: int | None = None
    workers: int = 1


class Corpus(BaseModel, ABC):
    """A form that corpora come in. Its fields are the keys of its own section, `ingest.NAME`.

    Attributes:
        looked_for: what documents look like there, for the message that there is none.
        counts: what `documents` counts, each of them in the stage's metrics even if it stays zero.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    looked_for: ClassVar[str] = "documents"
    counts: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def outline(self) -> SequenceForm:
        """What the keys say of documents, before anything is read: which columns there are, without their classes."""

    @abstractmethod
    def form(self, extract: Extract) -> DocumentForm:
        """What all documents are like. To find that out, such as the classes that occur, the source may be read.

        Args:
            extract: where they are, and which of them to read.

        Raises:
            CorpusError: what is there is no such corpus; the message names the place.
        """

    @abstractmethod
    def documents(self, extract: Extract, form: DocumentForm, counts: Counter[str]) -> Iterator[Document]:
        """Read documents; those of a group may come in any order.

        Args:
            extract: where they are, and which of them to read.
            form: what `form` has said of them.
            counts: of `counts` of the corpus; each repair is added to them.

        Raises:
            CorpusError: what is there is no such corpus; the message names the place.
        """

    def parts(self, extract: Extract, form: DocumentForm, counts: Counter[str]) -> Iterator[Document | TextBatch]:
        """The same documents, many at a time where a corpus is read faster so."""
        return self.documents(extract, form, counts)
