"""The stage shards: sequences between two lengths, encoded, sorted by length, in files of equal row counts.

Two passes over the tokens: the first sees lengths alone and places every sequence; the second hands each slice's
tokens on to the shards' scratch files. In memory are one slice, one shard, and a few numbers per sequence.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.errors import CorpusError
from lengthwise.names import SPLITS, Split
from lengthwise.prepare.documents import DocumentTable, read_document_table
from lengthwise.prepare.shards.lengths import LengthLimits, Pieces
from lengthwise.prepare.shards.schema import (
    INDEX_NAME,
    SHARD_SCHEMA,
    VERSION,
    VOCABULARY_NAME,
    ShardEntry,
    ShardIndex,
    SplitEntry,
)
from lengthwise.prepare.shards.units import read_units
from lengthwise.prepare.text.store import TokenStore
from lengthwise.prepare.vocabulary import read_vocabulary, write_vocabulary
from lengthwise.ragged import offsets_of, ranges, take_rows
from lengthwise.system.files import file_digest, replacing_folder, scratch_folder
from lengthwise.system.progress import Progress
from lengthwise.system.seals import write_sealed_json

TOKEN_BYTES = 4


@dataclass(frozen=True)
class ShardInputs:
    """What shards are made from: the outputs of the stages before."""

    documents: Path
    tokens: Path
    split: Path
    vocabulary: Path


@dataclass(frozen=True)
class _Placement:
    """All kept sequences in the corpus's order, one entry each, and where they go."""

    length: np.ndarray
    document: np.ndarray
    split: np.ndarray
    shard: np.ndarray  # over all splits
    sequence: np.ndarray  # rank in its split
    shard_splits: np.ndarray  # the split of each shard


def build_shards(
    inputs: ShardInputs, folder: Path, unit: str, limits: LengthLimits, rows_per_shard: int
) -> dict[str, int]:
    """Write all shards and their index.

    Args:
        inputs: the outputs of the stages before.
        folder: where the shards go (see `lengthwise.prepare.shards.schema`).
        unit: what one sequence is: `sentence`, `document` or `author`.
        limits: which lengths are kept.
        rows_per_shard: sequences in a file.

    Returns:
        The funnel, and the sequences and tokens of each split.

    Raises:
        FormatError: an input is absent or of another version.
        CorpusError: no training sequence is left.
    """
    table = read_document_table(inputs.documents)
    store = TokenStore(inputs.tokens)
    vocabulary = read_vocabulary(inputs.vocabulary)
    encoding = vocabulary.encode(store.lexicon())
    pieces, placed, funnel = _place(inputs, store, table, unit, limits, rows_per_shard)
    with replacing_folder(folder) as out, scratch_folder(folder) as scratch:
        paths = [scratch / f"{shard}.tokens" for shard in range(len(placed.shard_splits))]
        units = read_units(store, inputs.split, table, unit)
        with Progress("shards", store.tokens, "tokens") as progress:
            begin = 0
            for part, slice_pieces in zip(units, pieces, strict=True):
                end = begin + len(slice_pieces.unit)
                _distribute(encoding[part.tokens], part.offsets, slice_pieces, placed.shard[begin:end], paths)
                begin = end
                progress.update(len(part.tokens))
        splits = _write_splits(out, placed, table, paths)
        write_vocabulary(out / VOCABULARY_NAME, vocabulary)
        index = ShardIndex(
            version=VERSION,
            unit=unit,
            tokenizer=store.tokenizer,
            vocabulary_size=len(vocabulary),
            vocabulary_digest=file_digest(out / VOCABULARY_NAME),
            factors=table.factors,
            splits=splits,
        )
        write_sealed_json(out / INDEX_NAME, asdict(index))
    sizes = {f"{name}_{kind}": getattr(entry, kind) for name, entry in splits.items() for kind in ("rows", "tokens")}
    return {**funnel, **sizes}


def _place(
    inputs: ShardInputs,
    store: TokenStore,
    table: DocumentTable,
    unit: str,
    limits: LengthLimits,
    rows_per_shard: int,
) -> tuple[list[Pieces], _Placement, Counter[str]]:
    """First pass: what is kept of each slice, and where it goes."""
    pieces, documents, splits = [], [], []
    funnel: Counter[str] = Counter()
    for part in read_units(store, inputs.split, table, unit):
        kept = limits.pieces(np.diff(part.offsets))
        pieces.append(kept)
        documents.append(part.document[kept.unit])
        splits.append(part.split[kept.unit])
        funnel.update(kept.funnel)
    length = np.concatenate([kept.length for kept in pieces]).astype(np.int32)
    split = np.concatenate(splits)
    shard = np.empty(len(length), np.int32)
    sequence = np.empty(len(length), np.int32)
    shard_splits: list[int] = []
    for number, name in enumerate(SPLITS):
        members = np.flatnonzero(split == number)
        if name == "train" and not len(members):
            raise CorpusError(
                "shards: no training sequence is left; expected some between shards.min_length and "
                "shards.max_length; widen them"
            )
        sequence[members] = np.arange(len(members))
        by_length = members[np.argsort(length[members], kind="stable")]
        shard[by_length] = np.arange(len(members)) // rows_per_shard + len(shard_splits)
        shard_splits += [number] * -(-len(members) // rows_per_shard)
    placed = _Placement(length, np.concatenate(documents), split, shard, sequence, np.array(shard_splits))
    return pieces, placed, funnel


def _distribute(tokens: np.ndarray, offsets: np.ndarray, pieces: Pieces, shard: np.ndarray, paths: list[Path]) -> None:
    """Append a slice's tokens to the scratch files of their shards, each shard's in the corpus's order."""
    order = np.argsort(shard, kind="stable")
    lengths = pieces.length[order]
    values = tokens[ranges(offsets[pieces.unit[order]] + pieces.start[order], lengths)]
    ends = offsets_of(lengths)
    for number, begin, count in zip(*np.unique(shard[order], return_index=True, return_counts=True), strict=True):
        with paths[number].open("ab") as stream:
            _append(stream, values[ends[begin] : ends[begin + count]])


def _append(stream: BinaryIO, values: np.ndarray) -> None:
    stream.write(values.astype("<i4").tobytes())


def _write_splits(out: Path, placed: _Placement, table: DocumentTable, paths: list[Path]) -> dict[Split, SplitEntry]:
    entries: dict[Split, SplitEntry] = {}
    for number, name in enumerate(get_args(Split)):
        (out / name).mkdir()
        shards = np.flatnonzero(placed.shard_splits == number)
        written = [
            _write_shard(out, f"{name}/{rank:05d}.parquet", shard, placed, table, paths[shard])
            for rank, shard in enumerate(shards.tolist())
        ]
        lengths, counts = np.unique(placed.length[placed.split == number], return_counts=True)
        entries[name] = SplitEntry(
            rows=sum(entry.rows for entry in written),
            tokens=sum(entry.tokens for entry in written),
            lengths=list(zip(lengths.tolist(), counts.tolist(), strict=True)),
            shards=written,
        )
    return entries


def _write_shard(
    out: Path, file: str, shard: int, placed: _Placement, table: DocumentTable, scratch: Path
) -> ShardEntry:
    rows = np.flatnonzero(placed.shard == shard)
    length = placed.length[rows].astype(np.int64)
    order = np.argsort(length, kind="stable")
    tokens, lengths = take_rows(np.fromfile(scratch, "<i4"), offsets_of(length), order)
    document = placed.document[rows][order]
    columns = [
        pa.array(placed.sequence[rows][order]),
        pa.array(document),
        pa.array(table.author[document]),
        pa.array(table.label[document]),
        pa.ListArray.from_arrays(pa.array(offsets_of(lengths), pa.int32()), pa.array(tokens)),
    ]
    content = pa.Table.from_arrays(columns, schema=SHARD_SCHEMA)
    pq.write_table(content, out / file, compression="zstd", row_group_size=len(rows))
    return ShardEntry(
        file=file,
        rows=len(rows),
        tokens=len(tokens),
        shortest=int(lengths[0]),
        longest=int(lengths[-1]),
        digest=file_digest(out / file),
    )
