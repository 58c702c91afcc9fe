"""The stage shards: sequences between two lengths, encoded, sorted by length, in files of equal row counts.

Sequences of one length are in random order, and so a block, which is a run of sequences on disk, is a fair sample of
them: in the corpus's order it would be of few authors, or of one class where the corpus is sorted by class.

Two passes over the tokens: the first sees lengths alone and places every sequence; the second hands each slice's
tokens on to the shards' scratch files. In memory are one slice, one shard, and a few numbers per sequence.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.core.affixes import affixes_of
from lengthwise.core.names import SPLITS, Split, Unit
from lengthwise.core.ragged import offsets_of, take_ranges, take_rows
from lengthwise.core.sequences import AFFIXES, LABEL, LABELS, NUMBERS, TOKENS
from lengthwise.errors import CorpusError
from lengthwise.prepare.documents import DocumentTable, read_document_table
from lengthwise.prepare.shards.lengths import LengthLimits, Pieces
from lengthwise.prepare.shards.schema import (
    BLOCK_STEPS,
    INDEX_NAME,
    VERSION,
    VOCABULARY_NAME,
    ShardEntry,
    ShardIndex,
    SplitEntry,
    shard_schema,
)
from lengthwise.prepare.shards.units import read_units
from lengthwise.prepare.text.store import TokenStore, lists_of
from lengthwise.prepare.vocabulary import read_vocabulary, write_vocabulary
from lengthwise.system.files import file_digest, replacing_folder, scratch_folder
from lengthwise.system.progress import Progress
from lengthwise.system.seals import write_sealed_json

# What lists of Arrow count their values with.
MOST_STEPS = 2**31 - 1


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
    inputs: ShardInputs,
    folder: Path,
    unit: Unit,
    limits: LengthLimits,
    rows_per_shard: int,
    affixes: int | None = None,
) -> dict[str, int]:
    """Write all shards and their index.

    Args:
        inputs: the outputs of the stages before.
        folder: where the shards go (see `lengthwise.prepare.shards.schema`).
        unit: what one sequence is.
        limits: which lengths are kept.
        rows_per_shard: sequences in a file.
        affixes: letters of the affixes that steps have beside their tokens, see `affixes_of`; None for no affixes.

    Returns:
        The funnel, and the sequences and tokens of each split.

    Raises:
        FormatError: an input is absent or of another version.
        CorpusError: no training sequence is left.
    """
    table = read_document_table(inputs.documents)
    store = TokenStore(inputs.tokens)
    vocabulary = read_vocabulary(inputs.vocabulary)
    lexicon = store.lexicon()
    encoding = vocabulary.encode(lexicon)
    letters = None if affixes is None else affixes_of(lexicon, affixes)
    schema = shard_schema(table.form, affixes)
    pieces, placed, funnel = _place(inputs, store, table, unit, limits, rows_per_shard)
    with replacing_folder(folder) as out, scratch_folder(folder) as scratch:
        units = read_units(store, inputs.split, table, unit)
        with Progress("shards", store.tokens, "tokens") as progress:
            begin = 0
            for part, slice_pieces in zip(units, pieces, strict=True):
                end = begin + len(slice_pieces.unit)
                steps = dict(part.steps)
                if TOKENS in steps:
                    if letters is not None:
                        steps[AFFIXES] = letters[steps[TOKENS]]
                    steps[TOKENS] = encoding[steps[TOKENS]]
                _distribute(steps, part.offsets, slice_pieces, placed.shard[begin:end], scratch)
                begin = end
                progress.update(int(part.offsets[-1]))
        splits = _write_splits(out, placed, table, schema, scratch)
        write_vocabulary(out / VOCABULARY_NAME, vocabulary)
        index = ShardIndex(
            version=VERSION,
            unit=unit,
            tokenizer=store.tokenizer,
            vocabulary_size=len(vocabulary),
            vocabulary_digest=file_digest(out / VOCABULARY_NAME),
            affixes=affixes,
            form=table.form,
            splits=splits,
        )
        write_sealed_json(out / INDEX_NAME, asdict(index))
    sizes = {f"{name}_{kind}": getattr(entry, kind) for name, entry in splits.items() for kind in ("rows", "tokens")}
    return {**funnel, **sizes}


def _place(
    inputs: ShardInputs,
    store: TokenStore,
    table: DocumentTable,
    unit: Unit,
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
    steps = np.concatenate([kept.length for kept in pieces])
    _check_steps(steps)
    length = steps.astype(np.int32)
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
        by_length = members[_by_length(length[members], number)]
        shard[by_length] = np.arange(len(members)) // rows_per_shard + len(shard_splits)
        shard_splits += [number] * -(-len(members) // rows_per_shard)
    _check_steps(np.bincount(shard, steps))
    placed = _Placement(length, np.concatenate(documents), split, shard, sequence, np.array(shard_splits))
    return pieces, placed, funnel


def _check_steps(steps: np.ndarray) -> None:
    """Refuse shards of more steps than Arrow counts in one list."""
    if len(steps) and (most := int(steps.max())) > MOST_STEPS:
        raise CorpusError(
            f"shards: a file would have {most} steps; expected at most {MOST_STEPS}; lower shards.rows_per_shard, or "
            "set shards.max_length, and shards.too_long to split"
        )


def _distribute(
    steps: Mapping[str, np.ndarray], offsets: np.ndarray, pieces: Pieces, shard: np.ndarray, scratch: Path
) -> None:
    """Append a slice's steps to the scratch files of their shards, each shard's in the corpus's order."""
    order = np.argsort(shard, kind="stable")
    lengths = pieces.length[order]
    begins = offsets[pieces.unit[order]] + pieces.start[order]
    ends = offsets_of(lengths)
    parts = list(zip(*np.unique(shard[order], return_index=True, return_counts=True), strict=True))
    for name, column in steps.items():
        values = take_ranges(column, begins, lengths)
        for number, begin, count in parts:
            with _scratch_file(scratch, number, name).open("ab") as stream:
                values[ends[begin] : ends[begin + count]].tofile(stream)


def _scratch_file(scratch: Path, shard: int, column: str) -> Path:
    # The names of columns come from outside: they are no names of files.
    return scratch / f"{shard}.{column.encode().hex()}"


def _write_splits(
    out: Path, placed: _Placement, table: DocumentTable, schema: pa.Schema, scratch: Path
) -> dict[Split, SplitEntry]:
    entries: dict[Split, SplitEntry] = {}
    for number, name in enumerate(get_args(Split)):
        (out / name).mkdir()
        shards = np.flatnonzero(placed.shard_splits == number)
        written = [
            _write_shard(out, f"{name}/{rank:05d}.parquet", shard, placed, table, schema, scratch)
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
    out: Path, file: str, shard: int, placed: _Placement, table: DocumentTable, schema: pa.Schema, scratch: Path
) -> ShardEntry:
    rows = np.flatnonzero(placed.shard == shard)
    length = placed.length[rows].astype(np.int64)
    order = _by_length(length, shard)
    document = placed.document[rows][order]
    values = {
        "sequence": placed.sequence[rows][order],
        "document": document,
        "group": table.group[document],
        LABEL: table.label[document],
        NUMBERS: table.numbers[document],
        LABELS: table.codes[document],
    }
    columns = []
    for field in schema:
        if pa.types.is_list(field.type):
            columns.append(_lists(field, _scratch_file(scratch, shard, field.name), offsets_of(length), order))
        elif pa.types.is_fixed_size_list(field.type):
            flat = pa.array(values[field.name].reshape(-1), field.type.value_type)
            columns.append(pa.FixedSizeListArray.from_arrays(flat, field.type.list_size))
        else:
            columns.append(pa.array(values[field.name], field.type))
    content = pa.Table.from_arrays(columns, schema=schema)
    lengths = length[order]
    with pq.ParquetWriter(out / file, schema, compression="zstd") as writer:
        for block in blocks_of(lengths):
            writer.write_table(content[block], row_group_size=len(rows))
    return ShardEntry(
        file=file,
        rows=len(rows),
        tokens=int(lengths.sum()),
        shortest=int(lengths[0]),
        longest=int(lengths[-1]),
        digest=file_digest(out / file),
    )


def blocks_of(lengths: np.ndarray) -> list[slice]:
    """Which rows of a shard are a block: those that begin within the same `BLOCK_STEPS` steps.

    Args:
        lengths: int (R,), steps of the sequences of a shard, at least one of them.
    """
    number = offsets_of(lengths)[:-1] // BLOCK_STEPS
    ends = [*np.flatnonzero(np.diff(number)) + 1, len(lengths)]
    return [slice(begin, end) for begin, end in pairwise([0, *ends])]


def _by_length(length: np.ndarray, seed: int) -> np.ndarray:
    """The order by rising length, ties in random order: int64 (R,)."""
    shuffled = np.random.default_rng(seed).permutation(len(length))
    return shuffled[np.argsort(length[shuffled], kind="stable")]


def _lists(field: pa.Field, scratch: Path, offsets: np.ndarray, order: np.ndarray) -> pa.Array:
    """A column per step of a shard, its sequences in this order."""
    item = field.type.value_type
    vectors = pa.types.is_fixed_size_list(item)
    values = np.fromfile(scratch, (item.value_type if vectors else item).to_pandas_dtype())
    if vectors:
        values = values.reshape(-1, item.list_size)
    taken, lengths = take_rows(values, offsets, order)
    return lists_of(offsets_of(lengths), taken)
