"""The stage ingest: a corpus to a table of documents and the counts of all that was repaired."""

from array import array
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from lengthwise.corpora.corpus import Corpus, Extract
from lengthwise.errors import CorpusError
from lengthwise.prepare.documents import DocumentWriter
from lengthwise.prepare.forms.document_form import Document, DocumentForm


def ingest(corpus: Corpus, extract: Extract, documents: Path) -> dict[str, int]:
    """Read a corpus into a table of documents.

    Args:
        corpus: the form that it has.
        extract: where it is, and which part of it is read.
        documents: the Parquet file to write (see `documents_schema`).

    Returns:
        Counts of groups, documents, exact duplicates, and of all that the corpus counts: groups and documents under the
        corpus's own words for them.

    Raises:
        CorpusError: what is there is no such corpus.
    """
    form = corpus.form(extract)
    counts: Counter[str] = Counter(dict.fromkeys((form.groups, form.items, f"{form.items}_empty", *corpus.counts), 0))
    duplicates = _Duplicates(form)
    items, empty = form.items, f"{form.items}_empty"
    with DocumentWriter(documents, form) as writer:
        for document in corpus.documents(extract, form, counts):
            counts[items] += 1
            counts[empty] += not (len(document.steps[0]) if form.steps else document.text)
            duplicates.add(document)
            writer.write(document)
        if not counts[form.items]:
            raise CorpusError(f"ingest.source: {extract.source} has no document; expected {corpus.looked_for}")
    if form.group:
        counts[form.groups] = duplicates.groups
    return {**counts, **duplicates.counts()}


# Ways in which the first four bits of a digest are.
BEGINNINGS = 16


class _Duplicates:
    """Counts groups, and exact copies among documents that are not empty, in 12 bytes a document."""

    def __init__(self, form: DocumentForm) -> None:
        self._form = form
        self._contents = array("Q")
        self._groups = array("I")
        self._ranks: dict[str, int] = {}

    @property
    def groups(self) -> int:
        """Groups that a document was of."""
        return len(self._ranks)

    def add(self, document: Document) -> None:
        rank = self._ranks.setdefault(document.group, len(self._ranks))
        if content := _content(document):
            digest = blake2b(content, digest_size=8).digest()
            self._contents.append(int.from_bytes(digest, "little"))
            self._groups.append(rank)

    def counts(self) -> dict[str, int]:
        """Copies within a group, and further groups that have the same, each beyond the first."""
        contents, groups = np.frombuffer(self._contents, np.uint64), np.frombuffer(self._groups, np.uint32)
        within = across = 0
        # Copies have one digest, so those that begin alike are sorted by themselves, in less memory.
        for beginning in range(BEGINNINGS):
            here = np.flatnonzero(contents >> 60 == beginning)
            order = here[np.lexsort((groups[here], contents[here]))]
            same = contents[order[1:]] == contents[order[:-1]]
            same_group = groups[order[1:]] == groups[order[:-1]]
            within += int(np.sum(same & same_group))
            across += int(np.sum(same & ~same_group))
        if not self._form.group:
            return {"duplicates": within + across}
        return {f"duplicates_within_{self._form.groups}": within, f"duplicates_across_{self._form.groups}": across}


def _content(document: Document) -> bytes:
    """The bytes of a document's text, or of its steps; none, if it is empty."""
    if not document.steps:
        return document.text.encode("utf-8", "surrogatepass")
    return b"\1".join(map(_column_content, document.steps)) if len(document.steps[0]) else b""


def _column_content(column: Sequence[object] | np.ndarray) -> bytes:
    if isinstance(column, np.ndarray):
        return column.tobytes()
    return "\0".join(map(str, column)).encode("utf-8", "surrogatepass")
