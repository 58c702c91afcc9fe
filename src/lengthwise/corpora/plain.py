"""Plain text: each file is a document, read as it is, without any label; for language models."""

import codecs
import io
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from lengthwise.corpora.corpus import Corpus, Extract
from lengthwise.corpora.membership import groups_of_part
from lengthwise.corpora.opened import SourceFile, files_of
from lengthwise.errors import CorpusError
from lengthwise.prepare.forms.document_form import Document, DocumentForm
from lengthwise.prepare.forms.text_pieces import pieces_of
from lengthwise.system.progress import Progress

# Of a file, that are read at a time.
PART_BYTES = 1 << 24


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
                    counts["files"] += 1
                    for place, text in enumerate(pieces_of(self._parts(file, counts))):
                        yield Document(file.name, text=text, goes_on=place > 0)
                progress.update(file.size, f"{counts['documents']} documents")

    def _parts(self, file: SourceFile, counts: Counter[str]) -> Iterator[str]:
        """A file's text, a part at a time."""
        try:
            # It refuses codecs that make no text of bytes, too.
            io.TextIOWrapper(io.BytesIO(), self.encoding)
        except LookupError:
            raise CorpusError(
                f"ingest.plain.encoding: got {self.encoding!r}; expected a name that Python knows, such as utf-8"
            ) from None
        decoder, size, is_first = codecs.getincrementaldecoder(self.encoding)(), 0, True
        with file.open() as stream:
            data = b"-"
            while data:
                data = stream.read(PART_BYTES)
                try:
                    text = decoder.decode(data, final=not data)
                except UnicodeDecodeError as error:
                    # What it kept of the part before stands first in what it could not decode.
                    place = size + len(data) - len(error.object) + error.start
                    raise CorpusError(
                        f"{file.place}: byte {place} is not {self.encoding}; set ingest.plain.encoding, or mend the "
                        "file"
                    ) from error
                size += len(data)
                # A byte order mark is no character of the text.
                yield text.removeprefix("\ufeff") if is_first else text
                is_first = is_first and not text
        counts["bytes"] += size
