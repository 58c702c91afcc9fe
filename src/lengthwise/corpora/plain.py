"""Plain text: each file is a document, read as it is, without any label; for language models."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from lengthwise.corpora.corpus import Corpus, Extract
from lengthwise.corpora.membership import groups_of_part
from lengthwise.corpora.opened import SourceFile, files_of
from lengthwise.errors import CorpusError
from lengthwise.prepare.forms.document_form import Document, DocumentForm
from lengthwise.system.progress import Progress


class Plain(Corpus):
    """A file or a folder of text.

    Attributes:
        files: which files are read: a pattern such as `*.txt`.
        encoding: of all files.
    """

    files: Annotated[str, Field(min_length=1)]
    encoding: Annotated[str, Field(min_length=1)]

    looked_for: ClassVar[str] = "files of text"
    counts: ClassVar[tuple[str, ...]] = ("bytes", "files")

    @property
    def outline(self) -> DocumentForm:
        """All of it: there is nothing but text."""
        return DocumentForm()

    def form(self, extract: Extract) -> DocumentForm:
        """Documents that each stand for themselves."""
        return DocumentForm()

    def documents(self, extract: Extract, form: DocumentForm, counts: Counter[str]) -> Iterator[Document]:
        """The files, see `Corpus.documents`; they are documents by the names that they have.

        Raises:
            CorpusError: a file cannot be read, or is not in the encoding.
        """
        files = files_of(extract.source, extract.max_bytes, (self.files,))
        part = groups_of_part((file.name for file in files), extract.most_groups)
        with Progress("ingest", sum(file.size for file in files), "bytes") as progress:
            for file in files:
                if file.name in part:
                    text, size = self._text(file)
                    counts["files"] += 1
                    counts["bytes"] += size
                    yield Document(file.name, text=text)
                progress.update(file.size, f"{counts['documents']} documents")

    def _text(self, file: SourceFile) -> tuple[str, int]:
        """A file's text, and its bytes."""
        with file.open() as stream:
            data = stream.read()
        try:
            # A byte order mark is no character of the text.
            return data.decode(self.encoding).removeprefix("\ufeff"), len(data)
        except LookupError:
            raise CorpusError(
                f"ingest.plain.encoding: got {self.encoding!r}; expected a name that Python knows, such as utf-8"
            ) from None
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{file.place}: byte {error.start} is not {self.encoding}; set ingest.plain.encoding, or mend the file"
            ) from error
