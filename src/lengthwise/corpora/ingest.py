"""The stage ingest: a corpus to a table of documents and the counts of all that was repaired."""

from array import array
from collections import Counter
from hashlib import blake2b
from pathlib import Path

import numpy as np

from lengthwise.corpora.corpus import Corpus, Extract
from lengthwise.corpora.membership import refuse_second_appearance
from lengthwise.errors import CorpusError
from lengthwise.prepare.documents import Document, DocumentWriter

# Counted of every corpus, whatever else it counts itself.
COUNTS = ("authors", "documents", "documents_empty")


def ingest(corpus: Corpus, extract: Extract, documents: Path) -> dict[str, int]:
    """Read a corpus into a table of documents.

    Args:
        corpus: the form that it has.
        extract: where it is, and which part of it is read.
        documents: the Parquet file to write (see `documents_schema`).

    Returns:
        Counts of authors, documents, exact duplicates, and of all that the corpus counts.

    Raises:
        CorpusError: what is there is no such corpus, or an author comes twice.
    """
    counts: Counter[str] = Counter(dict.fromkeys((*COUNTS, *corpus.counts), 0))
    duplicates = _Duplicates()
    seen: set[str] = set()
    of_author = [number for number, fact in enumerate(corpus.facts) if fact.of_author]
    author: tuple[object, ...] = ()
    with DocumentWriter(documents, corpus.factors, corpus.facts) as writer:
        for document in corpus.documents(extract, counts):
            facts = (document.author_id, document.codes, *(document.facts[number] for number in of_author))
            if facts != author:
                author = facts
                refuse_second_appearance(document.author_id, seen, extract.source)
            counts["documents"] += 1
            counts["documents_empty"] += not document.text
            duplicates.add(document)
            writer.write(document)
        if not counts["documents"]:
            raise CorpusError(f"ingest.source: {extract.source} has no document; expected {corpus.looked_for}")
    counts["authors"] = len(seen)
    return {**counts, **duplicates.counts()}


class _Duplicates:
    """Counts exact copies among texts that are not empty, in 12 bytes a document."""

    def __init__(self) -> None:
        self._texts = array("Q")
        self._authors = array("I")
        self._ranks: dict[str, int] = {}

    def add(self, document: Document) -> None:
        if document.text:
            digest = blake2b(document.text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            self._texts.append(int.from_bytes(digest, "little"))
            self._authors.append(self._ranks.setdefault(document.author_id, len(self._ranks)))

    def counts(self) -> dict[str, int]:
        """Copies of a text by its own author, and further authors of a text, each beyond the first."""
        order = np.lexsort((np.frombuffer(self._authors, np.uint32), np.frombuffer(self._texts, np.uint64)))
        texts = np.frombuffer(self._texts, np.uint64)[order]
        authors = np.frombuffer(self._authors, np.uint32)[order]
        same_text = texts[1:] == texts[:-1]
        same_author = authors[1:] == authors[:-1]
        return {
            "duplicates_within_authors": int(np.sum(same_text & same_author)),
            "duplicates_across_authors": int(np.sum(same_text & ~same_author)),
        }
