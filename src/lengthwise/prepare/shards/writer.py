"""The stage shards: sequences between two lengths, encoded, sorted by length, in files of equal row counts.

Sequences of one length are in random order, and so a block, which is a run of sequences on disk, is a fair sample of
them: in the corpus's order it would be of few authors, or of one class where the corpus is sorted by class.

Two passes over the sequences: the first reads them, puts down what is kept (`kept_units`), and places every one by its
length alone; the second hands each slice's sequences on to the shards' scratch files. In memory are one slice, one
shard, and what `place` has of each sequence.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.core.affixes import affixes_of
from lengthwise.core.names import Split, Unit
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import AFFIXES, LABEL, LABELS, NUMBERS, TOKENS
from lengthwise.errors import CorpusError
from lengthwise.prepare.documents import DocumentTable, read_document_table
from lengthwise.prepare.shards.kept_units import KeptUnits, pieces_of
from lengthwise.prepare.shards.lengths import LengthLimits
from lengthwise.prepare.shards.part_bytes import take_parts
from lengthwise.prepare.shards.placing import Placement, by_length, place
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
from lengthwise.prepare.shards.units import Units, read_units
from lengthwise.prepare.splits import TRAIN
from lengthwise.prepare.text.store import TokenStore, lists_of
from lengthwise.prepare.vocabulary import read_vocabulary, write_vocabulary
from lengthwise.system.files import file_digest, replacing_folder, scratch_folder
from lengthwise.system.progress import Progress
from lengthwise.system.seals import write_sealed_json


@dataclass(frozen=True)
class ShardInputs:
    """What shards are made from: the outputs of the stages before."""

    documents: Path
    tokens: Path
    split: Path
    vocabulary: Path


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
    encoding = vocabulary.encode_lexicon(store.lexicon_strings())
    letters = None if affixes is None else affixes_of(store.lexicon(), affixes)
    schema = shard_schema(table.form, affixes)
    funnel: Counter[str] = Counter()

    def lengths_and_splits(kept: KeptUnits, progress: Progress) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for part in read_units(store, inputs.split, table, unit):
            pieces = limits.pieces(np.diff(part.offsets))
            funnel.update(pieces.funnel)
            units = pieces_of(part, pieces)
            kept.add(units)
            progress.update(int(part.offsets[-1]))
            yield pieces.length, units.split

    with replacing_folder(folder) as out, scratch_folder(folder) as scratch:
        kept = KeptUnits(scratch)
        with Progress("shards", store.tokens, "tokens") as progress:
            placed = place(lengths_and_splits(kept, progress), rows_per_shard, scratch)
        if not placed.lengths[TRAIN]:
            raise CorpusError(
                "shards: no training sequence is left; expected some between shards.min_length and "
                "shards.max_length; widen them"
            )
        with placed.in_order() as places:
            for units in kept:
                steps = dict(units.steps)
                if TOKENS in steps:
                    if letters is not None:
                        steps[AFFIXES] = letters[steps[TOKENS]]
                    steps[TOKENS] = encoding[steps[TOKENS]]
                _distribute(replace(units, steps=steps), *places.take(units.split), scratch)
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


def _distribute(units: Units, shard: np.ndarray, sequence: np.ndarray, scratch: Path) -> None:
    """Append a slice's sequences to the scratch files of their shards, each shard's in the corpus's order."""
    order = np.argsort(shard, kind="stable")
    lengths = np.diff(units.offsets)
    ends = offsets_of(lengths[order])
    parts = list(zip(*np.unique(shard[order], return_index=True, return_counts=True), strict=True))
    rows = np.stack([lengths, units.document, sequence], axis=1, dtype=np.int32, casting="unsafe")[order]
    for number, begin, count in parts:
        _append(scratch / f"{number}", rows[begin : begin + count])
    for name, column in units.steps.items():
        values = take_parts(column, units.offsets[:-1], lengths, order)
        for number, begin, count in parts:
            _append(_step_file(scratch, number, name), values[ends[begin] : ends[begin + count]])


def _append(path: Path, values: np.ndarray) -> None:
    with path.open("ab") as stream:
        values.tofile(stream)


def _step_file(scratch: Path, shard: int, column: str) -> Path:
    # The names of columns come from outside: they are no names of files.
    return scratch / f"{shard}.{column.encode().hex()}"


def _write_splits(
    out: Path, placed: Placement, table: DocumentTable, schema: pa.Schema, scratch: Path
) -> dict[Split, SplitEntry]:
    entries: dict[Split, SplitEntry] = {}
    for name, shards, lengths in zip(get_args(Split), placed.shards, placed.lengths, strict=True):
        (out / name).mkdir()
        written = [
            _write_shard(out, f"{name}/{rank:05d}.parquet", shard, table, schema, scratch)
            for rank, shard in enumerate(shards)
        ]
        entries[name] = SplitEntry(
            rows=sum(entry.rows for entry in written),
            tokens=sum(entry.tokens for entry in written),
            lengths=list(lengths.items()),
            shards=written,
        )
    return entries


def _write_shard(
    out: Path, file: str, shard: int, table: DocumentTable, schema: pa.Schema, scratch: Path
) -> ShardEntry:
    length, document, sequence = np.fromfile(scratch / f"{shard}", np.int32).reshape(-1, 3).T
    length = length.astype(np.int64)
    order = by_length(length, shard)
    document = document[order]
    values = {
        "sequence": sequence[order],
        "document": document,
        "group": table.group[document],
        LABEL: table.label[document],
        NUMBERS: table.numbers[document],
        LABELS: table.codes[document],
    }
    columns = []
    for field in schema:
        if pa.types.is_list(field.type):
            columns.append(_lists(field, _step_file(scratch, shard, field.name), offsets_of(length), order))
        elif pa.types.is_fixed_size_list(field.type):
            flat = pa.array(values[field.name].reshape(-1), field.type.value_type)
            columns.append(pa.FixedSizeListArray.from_arrays(flat, field.type.list_size))
        else:
            columns.append(pa.array(values[field.name], field.type))
    content = pa.Table.from_arrays(columns, schema=schema)
    lengths = length[order]
    with pq.ParquetWriter(out / file, schema, compression="zstd") as writer:
        for block in blocks_of(lengths):
            writer.write_table(content[block], row_group_size=len(order))
    return ShardEntry(
        file=file,
        rows=len(order),
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


def _lists(field: pa.Field, scratch: Path, offsets: np.ndarray, order: np.ndarray) -> pa.Array:
    """A column per step of a shard, its sequences in this order."""
    item = field.type.value_type
    vectors = pa.types.is_fixed_size_list(item)
    values = np.fromfile(scratch, (item.value_type if vectors else item).to_pandas_dtype())
    if vectors:
        values = values.reshape(-1, item.list_size)
    lengths = np.diff(offsets)
    return lists_of(offsets_of(lengths[order]), take_parts(values, offsets[:-1], lengths, order))
