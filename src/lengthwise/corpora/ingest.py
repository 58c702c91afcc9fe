"""The stage ingest: a corpus to a table of documents and the counts of all that was repaired."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np

from lengthwise.corpora.blogs.authors import AgeBrackets
from lengthwise.corpora.blogs.csv_rows import read_csv_rows
from lengthwise.corpora.blogs.posts import is_utf8, is_well_formed, read_posts, repair_bytes
from lengthwise.corpora.blogs.sources import open_source, parse_member_name, read_member
from lengthwise.errors import CorpusError
from lengthwise.prepare.documents import Document, DocumentWriter
from lengthwise.system.progress import Progress

# Every count is reported, also the ones that stay zero.
COUNTS = (
    "authors",
    "bytes",
    "bytes_outside_posts",
    "documents",
    "documents_cp1252",
    "documents_empty",
    "documents_latin1",
    "documents_strict_parser",
    "documents_utf8",
    "files",
    "files_malformed",
    "files_not_utf8",
    "repaired_control_characters",
    "repaired_entities",
    "repaired_line_ends",
    "repaired_missing_dates",
    "repaired_unclosed_posts",
)


def ingest(
    source: Path, documents: Path, brackets: AgeBrackets, max_member_bytes: int, most_authors: int | None = None
) -> dict[str, int]:
    """Read a zip, a folder or a CSV file into a table of documents.

    Args:
        source: the corpus.
        documents: the Parquet file to write (see `documents_schema`).
        brackets: the age brackets.
        max_member_bytes: what one file or CSV field may hold.
        most_authors: if given, only so many authors are read, see `authors_of_part`; of a zip or a folder, only
            their files.

    Returns:
        Counts of files, documents, bytes, encodings, repairs and exact duplicates.

    Raises:
        CorpusError: the corpus is not as described in `lengthwise.corpora.blogs.sources`.
    """
    counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
    is_csv = source.suffix.lower() == ".csv" and source.is_file()
    read = _read_csv if is_csv else _read_members
    duplicates = _Duplicates()
    seen: set[str] = set()
    author: tuple[object, ...] = ()
    with DocumentWriter(documents, brackets.factors) as writer:
        for document in read(source, brackets, max_member_bytes, most_authors, counts):
            facts = (document.author_id, document.codes, document.age, document.industry, document.sign)
            if facts != author:
                author = facts
                _refuse_second_appearance(document.author_id, seen, source)
            counts["documents"] += 1
            counts["documents_empty"] += not document.text
            duplicates.add(document)
            writer.write(document)
        if not counts["documents"]:
            raise CorpusError(f"ingest.source: {source} has no document; expected <post> elements or rows")
    counts["authors"] = len(seen)
    return {**counts, **duplicates.counts()}


def authors_of_part(ids: Iterable[str], most: int | None) -> set[str]:
    """The authors of a part of a corpus: those whose ids have the smallest digests.

    So a part is the same wherever it is drawn, and lies within every larger part. The digest has nothing to do with
    that of `lengthwise.prepare.splits`: a part of the authors is split like all of them.

    Args:
        ids: of all authors; one that comes again counts once.
        most: how many there may be; None for all.
    """

    def place(name: str) -> tuple[bytes, str]:
        return blake2b(name.encode(), digest_size=8, person=b"part").digest(), name

    return set(sorted(set(ids), key=place)[:most])


def _refuse_second_appearance(author: str, seen: set[str], source: Path) -> None:
    if author in seen:
        raise CorpusError(
            f"{source}: author {author} comes twice, with others between or with another gender, age, industry or "
            "sign; expected one file per author, or CSV rows sorted by id; merge or sort them"
        )
    seen.add(author)


def _read_members(
    path: Path, brackets: AgeBrackets, max_bytes: int, most: int | None, counts: Counter[str]
) -> Iterator[Document]:
    source = open_source(path)
    # All names are checked before the first file is read: a wrong one costs no half-done run.
    authors = [parse_member_name(member, brackets) for member in source.members]
    seen: set[str] = set()
    for author in authors:
        _refuse_second_appearance(author.author_id, seen, path)
    part = authors_of_part(seen, most)
    files = [(m, author) for m, author in zip(source.members, authors, strict=True) if author.author_id in part]
    with Progress("ingest", sum(member.size for member, _ in files), "bytes") as progress:
        for member, author in files:
            data = read_member(source, member, max_bytes)
            well_formed, reached = is_well_formed(data)
            counts["files"] += 1
            counts["bytes"] += len(data)
            counts["files_malformed"] += not well_formed
            counts["files_not_utf8"] += not is_utf8(data)
            counts["documents_strict_parser"] += reached
            for post in read_posts(data, counts):
                yield author.document(post.date, post.text)
            progress.update(len(data), f"{counts['documents']} documents")


def _read_csv(
    path: Path, brackets: AgeBrackets, max_bytes: int, most: int | None, counts: Counter[str]
) -> Iterator[Document]:
    size = path.stat().st_size
    # Who is in a part is known once all ids are: then the file is read twice.
    ids = () if most is None else (row.author.author_id for row in read_csv_rows(path, brackets, max_bytes))
    part = authors_of_part(ids, most)
    counts["files"], counts["bytes"] = 1, size
    before = 0
    with Progress("ingest", size, "bytes") as progress:
        for row in read_csv_rows(path, brackets, max_bytes):
            if most is not None and row.author.author_id not in part:
                continue
            counts["repaired_missing_dates"] += row.date is None
            yield row.author.document(row.date, repair_bytes(row.text, counts))
            progress.update(row.offset - before, f"{counts['documents']} documents")
            before = row.offset
        # What is no text: ids, dates, quotes.
        progress.update(size - before, f"{counts['documents']} documents")


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
