"""The folder of tokens: the only definition of its format, its writer and its readers.

lexicon.parquet         all distinct tokens, in byte order; a token's id is its row
sentences/00000.parquet the sentences of slice 0 of the documents, in order, and so on; of documents that come as steps,
                        the documents themselves, with all their columns
index.json              version, counts, how text became tokens, and the digest of every file, written last
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import TOKENS
from lengthwise.errors import FormatError
from lengthwise.prepare.forms.document_form import ColumnForm
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.system.files import clear_parts, file_digest, part_file
from lengthwise.system.seals import read_sealed_json, rerun, write_sealed_json

VERSION: Literal[4] = 4
INDEX_NAME, LEXICON_NAME = "index.json", "lexicon.parquet"
REMEDY = rerun("tokens")
DOCUMENT = "document"
LEXICON_SCHEMA = pa.schema([pa.field("token", pa.string(), nullable=False)])


def sentences_schema(columns: Sequence[ColumnForm] = (), *, tokens: bool = True) -> pa.Schema:
    """The Arrow schema of sentences: their tokens, if there are any, and what else their steps have."""
    fields = [pa.field(DOCUMENT, pa.int32(), nullable=False, metadata={"doc": "row in the table of documents"})]
    if tokens:
        fields.append(pa.field(TOKENS, pa.list_(pa.int32()), nullable=False, metadata={"doc": "ids in the lexicon"}))
    for column in columns:
        item = pa.list_(pa.float32(), column.size) if column.kind == "features" else pa.int32()
        fields.append(pa.field(column.name, pa.list_(item), nullable=False, metadata={"doc": column.kind}))
    return pa.schema(fields)


@dataclass(frozen=True)
class _TokenIndex:
    """What `index.json` holds; `digests` has the SHA-256 of every other file by its path in the folder."""

    version: Literal[4]
    slices: int
    sentences: int
    tokens: int
    tokenizer: TokenizerOptions
    columns: list[ColumnForm]
    has_tokens: bool
    digests: dict[str, str]


@dataclass(frozen=True)
class Sentences:
    """The sentences of one slice.

    Attributes:
        document: int32 (S,), the number of the document in the corpus; never falls.
        tokens: int32 (N,), ids in the lexicon, one sentence after another; None where steps have no tokens.
        offsets: int64 (S + 1,), the step at which each sentence begins.
        columns: by name, what else steps have: codes of tags, int32 (N,), or features, float32 (N, D).
    """

    document: np.ndarray
    tokens: np.ndarray | None
    offsets: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def steps(self) -> dict[str, np.ndarray]:
        """All columns per step by name, `tokens` among them."""
        return {**({} if self.tokens is None else {TOKENS: self.tokens}), **self.columns}


def slice_path(folder: Path, number: int) -> Path:
    """Where the sentences of a slice stand."""
    return folder / "sentences" / f"{number:05d}.parquet"


def write_slice(folder: Path, number: int, sentences: Sentences, columns: Sequence[ColumnForm] = ()) -> None:
    """Write the sentences of one slice.

    Args:
        folder: of tokens.
        number: of the slice.
        sentences: of the slice.
        columns: what else than tokens their steps have.
    """
    lists = {name: lists_of(sentences.offsets, values) for name, values in sentences.steps.items()}
    schema = sentences_schema(columns, tokens=sentences.tokens is not None)
    table = pa.table({DOCUMENT: pa.array(sentences.document), **lists}).select(schema.names).cast(schema)
    with part_file(slice_path(folder, number)) as beside:
        pq.write_table(table, beside, compression="zstd", row_group_size=max(1, table.num_rows))


def write_lexicon(folder: Path, tokens: pa.Array) -> None:
    """Write the lexicon."""
    table = pa.Table.from_arrays([tokens], schema=LEXICON_SCHEMA)
    pq.write_table(table, folder / LEXICON_NAME, compression="zstd")


def lists_of(offsets: np.ndarray, values: np.ndarray) -> pa.ListArray:
    """A ragged array (N,) or (N, D) as lists of Arrow."""
    items = pa.array(values.reshape(-1))
    if values.ndim > 1:
        items = pa.FixedSizeListArray.from_arrays(items, values.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), items)


def write_index(
    folder: Path,
    slices: int,
    tokenizer: TokenizerOptions,
    columns: Sequence[ColumnForm] = (),
    *,
    has_tokens: bool = True,
) -> None:
    """Count what was written and write the index, after all else: without it the folder is none.

    Args:
        folder: of tokens.
        slices: that have been written.
        tokenizer: how text became tokens.
        columns: what else steps have.
        has_tokens: whether they have tokens.
    """
    clear_parts(slice_path(folder, 0).parent)
    sentences = tokens = 0
    for number in range(slices):
        metadata = pq.read_metadata(slice_path(folder, number))
        sentences += metadata.num_rows
        # Leaf values of the second column; a sentence has one step at least, so each is of a step.
        of_step = 1 if has_tokens else columns[0].size or 1
        groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
        tokens += sum(group.column(1).num_values for group in groups) // of_step
    paths = [folder / LEXICON_NAME, *(slice_path(folder, number) for number in range(slices))]
    digests = {str(path.relative_to(folder)): file_digest(path) for path in paths}
    index = _TokenIndex(
        version=VERSION,
        slices=slices,
        sentences=sentences,
        tokens=tokens,
        tokenizer=tokenizer,
        columns=[*columns],
        has_tokens=has_tokens,
        digests=digests,
    )
    write_sealed_json(folder / INDEX_NAME, asdict(index))


class TokenStore:
    """Reads a folder of tokens.

    Raises:
        FormatError: the folder is absent, incomplete, or of another version; reading from it: a file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        index = read_sealed_json(folder / INDEX_NAME, _TokenIndex, "tokens")
        self.slices, self.sentences, self.tokens = index.slices, index.sentences, index.tokens
        self.tokenizer, self.columns, self.has_tokens = index.tokenizer, index.columns, index.has_tokens
        self._schema = sentences_schema(self.columns, tokens=self.has_tokens)
        self._digests = index.digests

    def lexicon(self) -> list[str]:
        """All distinct tokens; a token's id is its place."""
        tokens: list[str] = self.lexicon_strings().to_pylist()
        return tokens

    def lexicon_strings(self) -> pa.StringArray:
        """The lexicon as Arrow has it: an eighth of a list's memory."""
        return self._read(self._folder / LEXICON_NAME, LEXICON_SCHEMA)["token"].combine_chunks()

    def __iter__(self) -> Iterator[Sentences]:
        """The slices in order, one in memory at a time."""
        for number in range(self.slices):
            yield self.read_slice(number)

    def read_slice(self, number: int) -> Sentences:
        """The sentences of one slice."""
        table = self._read(slice_path(self._folder, number), self._schema)
        document, *lists = (table[name].combine_chunks() for name in self._schema.names)
        values = [column.flatten() for column in lists]
        steps = {
            name: column.flatten().to_numpy().reshape(-1, column.type.list_size)
            if pa.types.is_fixed_size_list(column.type)
            else column.to_numpy()
            for name, column in zip(self._schema.names[1:], values, strict=True)
        }
        offsets = offsets_of(lists[0].value_lengths().to_numpy())
        return Sentences(document.to_numpy(), steps.pop(TOKENS, None), offsets, steps)

    def sentence_lengths(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The column `document` and the length of each sentence, slice by slice."""
        for number in range(self.slices):
            name = self._schema.names[1]
            table = self._read(slice_path(self._folder, number), self._schema, [DOCUMENT, name])
            yield table[DOCUMENT].to_numpy(), table[name].combine_chunks().value_lengths().to_numpy().astype(np.int64)

    def sentence_documents(self) -> Iterator[np.ndarray]:
        """The column `document` of each slice, without reading a token."""
        for number in range(self.slices):
            yield self._read(slice_path(self._folder, number), self._schema, [DOCUMENT])[DOCUMENT].to_numpy()

    def _read(self, path: Path, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
        try:
            if file_digest(path) != self._digests.get(str(path.relative_to(self._folder))):
                raise FormatError(f"{path}: is not the file that {INDEX_NAME} was written for; {REMEDY}")
            with pq.ParquetFile(path) as file:
                if not file.schema_arrow.equals(schema):
                    found = [*map(str, file.schema_arrow)]
                    raise FormatError(f"{path}: has columns {found}; expected {[*map(str, schema)]}; {REMEDY}")
                # Each thread would keep memory for itself: a fifth of what a stage takes, to read one long column.
                return file.read(columns, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise FormatError(f"{path}: cannot be read ({error}); {REMEDY}") from error
