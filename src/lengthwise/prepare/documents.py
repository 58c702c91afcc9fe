"""The table of documents: the only definition of its format, its writer and its readers.

One row a document, in the order of authors and of their documents. Row groups hold `ROWS_PER_SLICE` documents; a later
stage that maps over slices takes one row group at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import FormatError
from lengthwise.labels import LabelFactor, factors_from_json, factors_to_json, joint_class
from lengthwise.system.seals import SEAL_KEY, UNSEALED, check_seal, rerun, sealed_file

VERSION = "1"
ROWS_PER_SLICE = 8192
VERSION_KEY, FACTORS_KEY = b"lengthwise.documents", b"lengthwise.factors"

# name, type, meaning; the label factors, an int8 column each, and the facts that a corpus knows stand between them.
BEFORE_FACTORS = (
    ("document_id", pa.string(), "author_id, a slash, and the document's number with its author from 0"),
    ("author_id", pa.string(), "who wrote it"),
)
AFTER_FACTS = (("text", pa.string(), "repaired text, without white space at its ends; may be empty"),)


@dataclass(frozen=True)
class Fact:
    """What a corpus knows of a document beside its labels and its text: a column that no later stage reads.

    Attributes:
        name: of the column.
        kind: its Arrow type.
        meaning: in a few words.
        of_author: whether it is the same in all of an author's documents.
    """

    name: str
    kind: pa.DataType
    meaning: str
    of_author: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        author_id: who wrote it.
        codes: the class of each label factor.
        text: repaired.
        facts: a value for each of the corpus's facts.
    """

    author_id: str
    codes: tuple[int, ...]
    text: str
    facts: tuple[object, ...] = ()


def documents_schema(factors: Sequence[LabelFactor], facts: Iterable[Fact] = ()) -> pa.Schema:
    """The Arrow schema for these factors and facts, every field with its meaning in its metadata."""
    columns = [*BEFORE_FACTORS, *((fact.name, fact.kind, fact.meaning) for fact in facts), *AFTER_FACTS]
    fields = [pa.field(name, kind, metadata={"doc": doc}) for name, kind, doc in columns]
    fields[len(BEFORE_FACTORS) : len(BEFORE_FACTORS)] = [
        pa.field(
            factor.name,
            pa.int8(),
            nullable=False,
            metadata={
                "doc": f"class of the factor {factor.name}: "
                + ", ".join(f"{code} {name}" for code, name in enumerate(factor.classes))
            },
        )
        for factor in factors
    ]
    return pa.schema(fields, metadata={VERSION_KEY: VERSION, FACTORS_KEY: factors_to_json(list(factors))})


class DocumentWriter:
    """Writes documents in slices; the file appears only if the `with` block ends without an error.

    An author's documents come one after another; their numbers are counted here.
    """

    def __init__(self, path: Path, factors: Sequence[LabelFactor], facts: Sequence[Fact] = ()) -> None:
        self._factors, self._facts = factors, facts
        self._schema = documents_schema(factors, facts)
        self._path = path
        self._rows: list[Document] = []
        self._ids: list[str] = []
        self._author: str | None = None
        self._number = 0

    def __enter__(self) -> "DocumentWriter":
        with ExitStack() as stack:
            beside = stack.enter_context(sealed_file(self._path))
            self._writer = stack.enter_context(pq.ParquetWriter(beside, self._schema, compression="zstd"))
            self._writer.add_key_value_metadata({SEAL_KEY: UNSEALED})
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._open.__exit__(kind, error, trace)
            return
        with self._open:  # An error of the last slice is an error of the file.
            if self._rows:
                self._flush()

    def write(self, document: Document) -> None:
        """Add one document."""
        if document.author_id != self._author:
            self._author, self._number = document.author_id, 0
        self._ids.append(f"{document.author_id}/{self._number}")
        self._number += 1
        self._rows.append(document)
        if len(self._rows) == ROWS_PER_SLICE:
            self._flush()

    def _flush(self) -> None:
        rows = self._rows
        columns = {
            "document_id": self._ids,
            "author_id": [row.author_id for row in rows],
            **{factor.name: [row.codes[i] for row in rows] for i, factor in enumerate(self._factors)},
            **{fact.name: [row.facts[i] for row in rows] for i, fact in enumerate(self._facts)},
            "text": [row.text for row in rows],
        }
        self._writer.write_table(pa.table(columns, self._schema), row_group_size=ROWS_PER_SLICE)
        self._rows, self._ids = [], []


def open_documents(path: Path) -> pq.ParquetFile:
    """Open a table of documents, once every byte of it is known to be as it was written.

    Raises:
        FormatError: the file is absent, damaged, not Parquet, or of another version.
    """
    check_seal(path, "ingest")
    with _readable(path):
        file = pq.ParquetFile(path)
        found = (file.schema_arrow.metadata or {}).get(VERSION_KEY, b"none").decode()
        if found != VERSION:
            raise FormatError(f"{path}: has version {found}; expected {VERSION}; {rerun('ingest')}")
        schema, factors = file.schema_arrow, document_factors(file)
        known = [*schema.names[: len(BEFORE_FACTORS) + len(factors)], *schema.names[-len(AFTER_FACTS) :]]
        same = pa.schema([schema.field(name) for name in known]).equals(documents_schema(factors))
    if not same:
        found = [*map(str, file.schema_arrow)]
        raise FormatError(f"{path}: has columns {found}; expected those of documents; {rerun('ingest')}")
    return file


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, LookupError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {rerun('ingest')}") from error


def document_factors(file: pq.ParquetFile) -> list[LabelFactor]:
    """The label factors that the documents are tagged with."""
    return factors_from_json(file.schema_arrow.metadata[FACTORS_KEY].decode())


@dataclass(frozen=True)
class DocumentTable:
    """What later stages need of all documents, one entry a document, without their text.

    Attributes:
        author: int32 (N,), the author's rank by first appearance.
        label: int16 (N,), the joint class.
        author_ids: the authors' ids in the order of their ranks.
    """

    author: np.ndarray
    label: np.ndarray
    author_ids: list[str]
    factors: list[LabelFactor]


def read_document_table(path: Path) -> DocumentTable:
    """Read authors and labels of all documents.

    Raises:
        FormatError: see `open_documents`.
    """
    file = open_documents(path)
    factors = document_factors(file)
    table = file.read(["author_id", *(factor.name for factor in factors)])
    encoded = table["author_id"].combine_chunks().dictionary_encode()
    return DocumentTable(
        author=encoded.indices.to_numpy().astype(np.int32),
        label=joint_class(factors, [table[factor.name].to_numpy() for factor in factors]),
        author_ids=encoded.dictionary.to_pylist(),
        factors=factors,
    )


def read_document_ids(path: Path) -> Iterator[str]:
    """All document ids in order, a slice in memory at a time."""
    for batch in open_documents(path).iter_batches(ROWS_PER_SLICE, columns=["document_id"]):
        yield from batch["document_id"].to_pylist()


def read_texts(path: Path, number: int) -> pa.Array:
    """The texts of one slice.

    Every worker reads some, so the seal is not checked here: who maps over slices has opened the documents before.

    Raises:
        FormatError: the file is gone since, or cannot be read.
    """
    with _readable(path):
        return pq.ParquetFile(path).read_row_group(number, columns=["text"])["text"].combine_chunks()
