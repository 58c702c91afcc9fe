"""Writes the table of documents, see `lengthwise.prepare.documents`: one by one, or many at a time."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lengthwise.core.names import SPLITS
from lengthwise.core.ragged import offsets_of
from lengthwise.errors import CorpusError
from lengthwise.prepare.documents import CONTINUED_KEY, DOCUMENT_ID, GROUP, SPLIT, TEXT, documents_schema, step_type
from lengthwise.prepare.forms import text_pieces
from lengthwise.prepare.forms.document_form import ColumnForm, Document, DocumentForm, TextBatch
from lengthwise.system.seals import SEAL_KEY, UNSEALED, sealed_file

ROWS_PER_SLICE = 8192
# Of texts and steps: what a worker that maps over slices has in memory is a multiple of it.
BYTES_PER_SLICE = 32 << 20
# Parquet and Arrow count the steps of one document in 31 bits.
MOST_BYTES = 2**31 - 1


class DocumentWriter:
    """Writes documents in slices; the file appears only if the `with` block ends without an error.

    Documents of a group may come in any order; their numbers are counted here.

    Args:
        path: the Parquet file.
        form: of all documents.
    """

    def __init__(self, path: Path, form: DocumentForm) -> None:
        self._form, self._path = form, path
        self._schema = documents_schema(form)
        # What the next slice has: tables, and behind them single documents.
        self._tables: list[pa.Table] = []
        self._documents: list[Document] = []
        self._ids: list[str] = []
        self._rows = self._bytes = 0
        self._rows_before = 0
        self._continued: list[int] = []
        self._numbers: dict[str, int] = {}

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
            if self._continued:
                self._writer.add_key_value_metadata({CONTINUED_KEY: json.dumps(self._continued)})

    def write(self, document: Document) -> None:
        """Add one document, or a piece that goes on with the one before.

        Raises:
            CorpusError: its steps have 2 GiB or more.
        """
        number = self._numbers.get(document.group, 0) - document.goes_on
        self._numbers[document.group] = number + 1
        if len(document.text) <= text_pieces.MOST_CHARACTERS:
            self._write_row(document, number)
            return
        for place, text in enumerate(text_pieces.pieces_of([document.text])):
            self._write_row(replace(document, text=text, goes_on=document.goes_on or place > 0), number)

    def _write_row(self, document: Document, number: int) -> None:
        size = _size(document)
        if size > MOST_BYTES:
            raise CorpusError(
                f"ingest: document {number} of {document.group} has {size} bytes of steps; expected at most "
                f"{MOST_BYTES}; cut it in two"
            )
        # A slice that would grow too large ends before.
        if self._rows and self._bytes + size > BYTES_PER_SLICE:
            self._flush()
        if document.goes_on:
            self._continued.append(self._rows_before + self._rows)
        self._ids.append(f"{document.group}/{number}")
        self._documents.append(document)
        self._grow(1, size)

    def write_texts(self, batch: TextBatch) -> None:
        """Add documents that are texts; slices end where `write` would end them."""
        if len(batch) and pc.max(pc.utf8_length(batch.texts)).as_py() > text_pieces.MOST_CHARACTERS:
            for document in batch.documents():
                self.write(document)
            return
        columns = {
            DOCUMENT_ID: pc.binary_join_element_wise(batch.groups, self._numbers_of(batch), "/"),
            GROUP: batch.groups,
            **{factor.name: pa.array(batch.codes[:, i]) for i, factor in enumerate(self._form.factors)},
            **{name: pa.array(batch.numbers[:, i]) for i, name in enumerate(self._form.numbers)},
            TEXT: batch.texts,
        }
        if batch.split is not None:
            columns[SPLIT] = pa.array(batch.split)
        table = pa.table([columns[name] for name in self._schema.names], self._schema)
        ends = offsets_of(pc.binary_length(batch.texts).to_numpy())
        begin = 0
        while begin < len(batch):
            room = BYTES_PER_SLICE - self._bytes
            end = int(np.searchsorted(ends, ends[begin] + room, "right")) - 1
            if end <= begin and self._rows:
                self._flush()
                continue
            end = min(max(end, begin + 1), begin + ROWS_PER_SLICE - self._rows, len(batch))
            self._end_table()
            self._tables.append(table.slice(begin, end - begin))
            self._grow(end - begin, int(ends[end] - ends[begin]))
            begin = end

    def _numbers_of(self, batch: TextBatch) -> pa.StringArray:
        """The number of each document in its group, as text."""
        if batch.alone:
            return pa.repeat(pa.scalar("0"), len(batch))
        encoded = batch.groups.dictionary_encode()
        names, groups = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        counts = np.bincount(groups, minlength=len(names))
        before = np.array([self._numbers.get(name, 0) for name in names], np.int64)
        self._numbers.update(zip(names, (before + counts).tolist(), strict=True))
        order = np.argsort(groups, kind="stable")
        places = np.empty(len(groups), np.int64)
        places[order] = np.arange(len(groups)) - np.repeat(offsets_of(counts)[:-1], counts)
        return pa.array(before[groups] + places).cast(pa.string())

    def _grow(self, rows: int, size: int) -> None:
        self._rows += rows
        self._bytes += size
        if self._rows == ROWS_PER_SLICE:
            self._flush()

    def _end_table(self) -> None:
        """Make a table of the single documents."""
        rows, form = self._documents, self._form
        if not rows:
            return
        columns: dict[str, object] = {
            DOCUMENT_ID: self._ids,
            GROUP: [row.group for row in rows],
            **{factor.name: [row.codes[i] for row in rows] for i, factor in enumerate(form.factors)},
            **{name: [row.numbers[i] for row in rows] for i, name in enumerate(form.numbers)},
            **{fact.name: [row.facts[i] for row in rows] for i, fact in enumerate(form.facts)},
        }
        if form.has_split:
            columns[SPLIT] = [None if row.split is None else SPLITS.index(row.split) for row in rows]
        for i, column in enumerate(form.steps):
            columns[column.name] = _lists(column, [row.steps[i] for row in rows])
        if not form.steps:
            columns[TEXT] = [row.text for row in rows]
        self._tables.append(pa.table(columns, self._schema))
        self._documents, self._ids = [], []

    def _flush(self) -> None:
        self._end_table()
        # In one piece: pages of Parquet end where pieces do.
        table = pa.concat_tables(self._tables).combine_chunks() if len(self._tables) > 1 else self._tables[0]
        self._writer.write_table(table, row_group_size=self._rows)
        self._rows_before += self._rows
        self._tables, self._rows, self._bytes = [], 0, 0


def _size(document: Document) -> int:
    """The bytes of a document's text, and about those of its steps."""
    text = len(document.text) if document.text.isascii() else len(document.text.encode("utf-8", "surrogatepass"))
    return text + sum(column.nbytes if isinstance(column, np.ndarray) else 8 * len(column) for column in document.steps)


def _lists(column: ColumnForm, values: Sequence[Sequence[object] | np.ndarray]) -> pa.Array:
    offsets = offsets_of(np.array([len(steps) for steps in values], np.int64)).astype(np.int32)
    if column.kind == "features":
        flat = np.concatenate([np.asarray(steps, np.float32).reshape(-1) for steps in values])
        items = pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), column.size)
    else:
        items = pa.array([item for steps in values for item in steps], step_type(column))
    return pa.ListArray.from_arrays(pa.array(offsets), items)
