"""The stage ingest: a corpus to a table of documents and the counts of all that was repaired."""

from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from lengthwise.corpora.corpus import Corpus, Extract
from lengthwise.errors import CorpusError
from lengthwise.prepare.document_writer import DocumentWriter
from lengthwise.prepare.forms.document_form import Document, DocumentForm, TextBatch
from lengthwise.prepare.forms.text_bytes import bytes_of


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
        for part in corpus.parts(extract, form, counts):
            if isinstance(part, TextBatch):
                counts[items] += len(part)
                counts[empty] += duplicates.add_texts(part)
                writer.write_texts(part)
            else:
                counts[items] += not part.goes_on
                counts[empty] += not (len(part.steps[0]) if form.steps else part.text)
                duplicates.add(part)
                writer.write(part)
        if not counts[form.items]:
            raise CorpusError(f"ingest.source: {extract.source} has no document; expected {corpus.looked_for}")
    if form.group:
        counts[form.groups] = duplicates.groups
    return {**counts, **duplicates.counts()}


# Ways in which the first four bits of a hash are.
BEGINNINGS = 16


class _Duplicates:
    """Counts groups, and exact copies among documents that are not empty, in 12 bytes a document.

    A content is known by Python's hash of its bytes, 64 bits. Among a million texts two have one by chance once in
    thirty million corpora. It is keyed anew in each process, so that nobody can make two texts of one hash; but where
    PYTHONHASHSEED is set, who knows it may. These would count as copies, and nothing else: no document depends on a
    hash. A keyed hash of `hashlib` would take a sixth of the time to ingest posts of a CSV, and more of short rows.
    """

    def __init__(self, form: DocumentForm) -> None:
        self._form = form
        self._contents = array("q")
        self._groups = array("I")
        self._ranks: dict[str, int] = {}

    @property
    def groups(self) -> int:
        """Groups that a document was of."""
        return len(self._ranks)

    def add(self, document: Document) -> None:
        rank = self._rank(document.group)
        if content := _content(document):
            if document.goes_on:
                self._contents[-1] = hash((self._contents[-1], content))
                return
            self._contents.append(hash(content))
            self._groups.append(rank)

    def add_texts(self, batch: TextBatch) -> int:
        """Add many; how many of them are empty."""
        offsets, data = bytes_of(batch.texts)
        text = memoryview(data.to_pybytes())
        contents = [hash(text[begin:end]) for begin, end in pairwise(offsets.tolist()) if begin < end]
        self._contents.extend(contents)
        if self._form.group:
            filled = np.diff(offsets) > 0
            ranks = np.array([*map(self._rank, batch.groups.to_pylist())], np.uint32)
            self._groups.frombytes(ranks[filled].tobytes())
        else:
            self._groups.frombytes(bytes(self._groups.itemsize * len(contents)))
        return len(batch) - len(contents)

    def _rank(self, group: str) -> int:
        return self._ranks.setdefault(group, len(self._ranks)) if self._form.group else 0

    def counts(self) -> dict[str, int]:
        """Copies within a group, and further groups that have the same, each beyond the first."""
        contents, groups = np.frombuffer(self._contents, np.uint64), np.frombuffer(self._groups, np.uint32)
        within = across = 0
        # Copies have one hash, so those that begin alike are sorted by themselves, in less memory.
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
