"""The table of documents: the only definition of its format, and its readers.

One row a document, in the order of the corpus. A document is a text, or comes as steps: tokens, tags or features. A
text that is very long stands in several rows, one after another: in pieces, which bound what later stages have in
memory. Row groups are slices, of bounded rows and bytes (`lengthwise.prepare.document_writer`); a later stage that maps
over slices takes one row group at a time.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.core.labels import LabelFactor, joint_class
from lengthwise.core.names import SPLITS
from lengthwise.errors import FormatError
from lengthwise.prepare.forms.document_form import ColumnForm, DocumentForm, SequenceForm
from lengthwise.system.records import read_record
from lengthwise.system.seals import check_seal, rerun

VERSION = "2"
VERSION_KEY, FORM_KEY = b"lengthwise.documents", b"lengthwise.form"
# The rows that go on with the text of the row before, as a list of numbers; absent where there are none.
CONTINUED_KEY = b"lengthwise.continued"

# The columns of a text, of its split where documents say it, and of what stands before the labels.
DOCUMENT_ID, GROUP, TEXT, SPLIT = "document_id", "group", "text", "split"


def documents_schema(form: SequenceForm) -> pa.Schema:
    """The Arrow schema of documents of this form, every field with its meaning in its metadata."""
    columns = [
        (DOCUMENT_ID, pa.string(), "the group, a slash, and the document's number in it from 0"),
        (GROUP, pa.string(), f"what is held out together: the {form.group or form.item}"),
        *((factor.name, pa.int32(), f"class of the factor {factor.name}: {_codes(factor)}") for factor in form.factors),
        *((name, pa.float64(), "a number to predict") for name in form.numbers),
        *((fact.name, fact.kind, fact.meaning) for fact in (form.facts if isinstance(form, DocumentForm) else ())),
    ]
    if form.has_split:
        columns.append((SPLIT, pa.int8(), "which split it is in: " + _codes(LabelFactor(SPLIT, SPLITS))))
    if form.steps:
        columns += [(column.name, pa.list_(step_type(column)), column.kind) for column in form.steps]
    else:
        columns.append((TEXT, pa.string(), "repaired text, without white space at its ends; may be empty"))
    never_null = {factor.name for factor in form.factors} | set(form.numbers)
    fields = [pa.field(name, kind, name not in never_null, {"doc": doc}) for name, kind, doc in columns]
    return pa.schema(fields, metadata={VERSION_KEY: VERSION, FORM_KEY: form.to_json()})


def step_type(column: ColumnForm) -> pa.DataType:
    """What a step holds in Arrow."""
    if column.kind == "features":
        return pa.list_(pa.float32(), column.size)
    return pa.string() if column.kind == "tokens" else pa.int32()


def _codes(factor: LabelFactor) -> str:
    shown = [f"{code} {name}" for code, name in enumerate(factor.classes[:100])]
    return ", ".join(shown) + (", ..." if len(factor.classes) > len(shown) else "")


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
        schema, expected = file.schema_arrow, documents_schema(document_form(file))
        same = all(name in schema.names and schema.field(name).equals(expected.field(name)) for name in expected.names)
    if not same:
        raise FormatError(f"{path}: has columns {[*map(str, schema)]}; expected those of documents; {rerun('ingest')}")
    return file


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, LookupError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {rerun('ingest')}") from error


def document_form(file: pq.ParquetFile) -> SequenceForm:
    """What the documents of an opened table are like, but for their facts."""
    return read_record(file.schema_arrow.metadata[FORM_KEY], SequenceForm)


def continued_rows(file: pq.ParquetFile) -> np.ndarray:
    """The rows that go on with the text of the row before, in rising order: int64 (K,)."""
    return np.array(json.loads((file.metadata.metadata or {}).get(CONTINUED_KEY, b"[]")), np.int64)


def document_count(file: pq.ParquetFile) -> int:
    """How many documents there are."""
    return file.metadata.num_rows - len(continued_rows(file))


@dataclass(frozen=True)
class SliceRows:
    """Which documents the R rows of a slice are.

    Attributes:
        document: int32 (R,), their numbers in the corpus, which never fall.
        begins: bool (R,), whether a document begins with a row, or goes on from the one before.
    """

    document: np.ndarray
    begins: np.ndarray


@dataclass(frozen=True)
class DocumentTable:
    """What later stages need of all documents, one entry a document, without their texts and steps.

    Attributes:
        group: int32 (N,), the group's rank by first appearance.
        label: int32 (N,), the joint class; 0 where there are no factors, or several labels of their own.
        codes: int32 (N, F), the class of each factor.
        numbers: float64 (N, K), what is to be predicted.
        split: int8 (N,), an index into `SPLITS`, -1 where a document does not say; None where none does.
        group_ids: the groups' ids in the order of their ranks.
        form: of the documents.
    """

    group: np.ndarray
    label: np.ndarray
    codes: np.ndarray
    numbers: np.ndarray
    split: np.ndarray | None
    group_ids: list[str]
    form: SequenceForm


def read_document_table(path: Path) -> DocumentTable:
    """Read groups, labels and numbers of all documents.

    Raises:
        FormatError: see `open_documents`.
    """
    file = open_documents(path)
    form = document_form(file)
    names = [GROUP, *(factor.name for factor in form.factors), *form.numbers, *([SPLIT] * form.has_split)]
    table = file.read(names)
    if len(continued := continued_rows(file)):
        table = table.take(np.delete(np.arange(table.num_rows), continued))
    encoded = table[GROUP].combine_chunks().dictionary_encode()
    rows = table.num_rows
    codes = [table[factor.name].to_numpy() for factor in form.factors]
    one_class = form.factors and not form.several
    return DocumentTable(
        group=encoded.indices.to_numpy().astype(np.int32),
        label=joint_class(form.factors, codes) if one_class else np.zeros(rows, np.int32),
        codes=np.stack(codes, axis=1) if codes else np.zeros((rows, 0), np.int32),
        numbers=np.stack([table[name].to_numpy() for name in form.numbers], axis=1)
        if form.numbers
        else np.zeros((rows, 0)),
        split=table[SPLIT].combine_chunks().fill_null(-1).to_numpy() if form.has_split else None,
        group_ids=encoded.dictionary.to_pylist(),
        form=form,
    )


def slice_rows(path: Path, number: int) -> SliceRows:
    """Which documents the rows of a slice are; as `read_texts`, for workers.

    Raises:
        FormatError: the file is gone since, or cannot be read.
    """
    with _readable(path):
        file = pq.ParquetFile(path)
        sizes = [file.metadata.row_group(place).num_rows for place in range(number + 1)]
        rows, continued = np.arange(sum(sizes[:-1]), sum(sizes)), continued_rows(file)
        document = rows - np.searchsorted(continued, rows, side="right")
        return SliceRows(document.astype(np.int32), ~np.isin(rows, continued))


def read_document_ids(path: Path) -> Iterator[str]:
    """All document ids in order, a slice in memory at a time."""
    file = open_documents(path)
    continued, row = frozenset(continued_rows(file).tolist()), 0
    for batch in file.iter_batches(columns=[DOCUMENT_ID]):
        for name in batch[DOCUMENT_ID].to_pylist():
            if row not in continued:
                yield name
            row += 1


def document_id(path: Path, document: int) -> str:
    """The id of one document, by its number in the corpus.

    Raises:
        FormatError: see `open_documents`.
    """
    return next(islice(read_document_ids(path), document, None))


def read_texts(path: Path, number: int) -> pa.Array:
    """The texts of one slice.

    Every worker reads some, so the seal is not checked here: who maps over slices has opened the documents before.

    Raises:
        FormatError: the file is gone since, or cannot be read.
    """
    return read_steps(path, number, [TEXT])[0]


def read_steps(path: Path, number: int, names: Sequence[str]) -> list[pa.Array]:
    """Columns of one slice, see `read_texts`: lists, if they are columns per step."""
    with _readable(path):
        table = pq.ParquetFile(path).read_row_group(number, columns=list(names))
        return [table[name].combine_chunks() for name in names]
