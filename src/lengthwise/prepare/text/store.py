"""The folder of tokens: the only definition of its format, its writer and its readers.

lexicon.parquet         all distinct tokens, in byte order; a token's id is its row
sentences/00000.parquet the sentences of slice 0 of the documents, in order, and so on
index.json              version, counts, how text became tokens, and the digest of every file, written last
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import FormatError
from lengthwise.prepare.text.options import TokenizerOptions
from lengthwise.system.files import file_digest
from lengthwise.system.seals import read_sealed_json, rerun, write_sealed_json

VERSION: Literal[3] = 3
INDEX_NAME, LEXICON_NAME = "index.json", "lexicon.parquet"
REMEDY = rerun("tokens")
LEXICON_SCHEMA = pa.schema([pa.field("token", pa.string(), nullable=False)])
SENTENCES_SCHEMA = pa.schema(
    [
        pa.field("document", pa.int32(), nullable=False, metadata={"doc": "row in the table of documents"}),
        pa.field("tokens", pa.list_(pa.int32()), nullable=False, metadata={"doc": "ids in the lexicon"}),
    ]
)


@dataclass(frozen=True)
class _TokenIndex:
    """What `index.json` holds; `digests` has the SHA-256 of every other file by its path in the folder."""

    version: Literal[3]
    slices: int
    sentences: int
    tokens: int
    tokenizer: TokenizerOptions
    digests: dict[str, str]


@dataclass(frozen=True)
class Sentences:
    """The sentences of one slice.

    Attributes:
        document: int32 (S,), the row in the table of documents; never falls.
        tokens: int32 (N,), ids in the lexicon, one sentence after another.
        offsets: int64 (S + 1,), where each sentence begins in `tokens`.
    """

    document: np.ndarray
    tokens: np.ndarray
    offsets: np.ndarray


def slice_path(folder: Path, number: int) -> Path:
    """Where the sentences of a slice stand."""
    return folder / "sentences" / f"{number:05d}.parquet"


def write_slice(folder: Path, number: int, sentences: Sentences) -> None:
    """Write the sentences of one slice."""
    tokens = pa.ListArray.from_arrays(sentences.offsets.astype(np.int32), pa.array(sentences.tokens))
    columns = [pa.array(sentences.document), tokens]
    table = pa.Table.from_arrays(columns, schema=SENTENCES_SCHEMA)
    pq.write_table(table, slice_path(folder, number), compression="zstd", row_group_size=max(1, table.num_rows))


def write_lexicon(folder: Path, tokens: pa.Array) -> None:
    """Write the lexicon."""
    table = pa.Table.from_arrays([tokens], schema=LEXICON_SCHEMA)
    pq.write_table(table, folder / LEXICON_NAME, compression="zstd")


def write_index(folder: Path, slices: int, tokenizer: TokenizerOptions) -> None:
    """Count what was written and write the index, after all else: without it the folder is none.

    Args:
        folder: of tokens.
        slices: that have been written.
        tokenizer: how text became tokens.
    """
    sentences = tokens = 0
    for number in range(slices):
        metadata = pq.read_metadata(slice_path(folder, number))
        sentences += metadata.num_rows
        # Leaf values of the second column; a sentence has one token at least, so each is a token.
        tokens += sum(metadata.row_group(i).column(1).num_values for i in range(metadata.num_row_groups))
    paths = [folder / LEXICON_NAME, *(slice_path(folder, number) for number in range(slices))]
    digests = {str(path.relative_to(folder)): file_digest(path) for path in paths}
    index = _TokenIndex(
        version=VERSION, slices=slices, sentences=sentences, tokens=tokens, tokenizer=tokenizer, digests=digests
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
        self.tokenizer = index.tokenizer
        self._digests = index.digests

    def lexicon(self) -> list[str]:
        """All distinct tokens; a token's id is its place."""
        tokens: list[str] = self._read(self._folder / LEXICON_NAME, LEXICON_SCHEMA)["token"].to_pylist()
        return tokens

    def __iter__(self) -> Iterator[Sentences]:
        """The slices in order, one in memory at a time."""
        for number in range(self.slices):
            yield self.read_slice(number)

    def read_slice(self, number: int) -> Sentences:
        """The sentences of one slice."""
        table = self._read(slice_path(self._folder, number), SENTENCES_SCHEMA)
        lists = table["tokens"].combine_chunks()
        return Sentences(
            document=table["document"].to_numpy(),
            tokens=lists.values.to_numpy(),
            offsets=lists.offsets.to_numpy().astype(np.int64),
        )

    def sentence_documents(self) -> Iterator[np.ndarray]:
        """The column `document` of each slice, without reading a token."""
        for number in range(self.slices):
            yield self._read(slice_path(self._folder, number), SENTENCES_SCHEMA, ["document"])["document"].to_numpy()

    def _read(self, path: Path, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
        try:
            if file_digest(path) != self._digests.get(str(path.relative_to(self._folder))):
                raise FormatError(f"{path}: is not the file that {INDEX_NAME} was written for; {REMEDY}")
            return pq.read_table(path, columns=columns, schema=schema)
        except (OSError, pa.ArrowException) as error:
            raise FormatError(f"{path}: cannot be read ({error}); {REMEDY}") from error
