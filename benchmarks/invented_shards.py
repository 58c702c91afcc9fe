"""Shards of invented sequences, as many as a disk holds: what the benchmarks of scale are run on."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lengthwise.core.labels import LabelFactor
from lengthwise.core.names import Split
from lengthwise.core.ragged import offsets_of
from lengthwise.prepare.forms.document_form import SequenceForm
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.prepare.shards.schema import (
    INDEX_NAME,
    VERSION,
    VOCABULARY_NAME,
    ShardEntry,
    ShardIndex,
    SplitEntry,
    shard_schema,
)
from lengthwise.prepare.shards.writer import blocks_of
from lengthwise.prepare.vocabulary import Vocabulary, write_vocabulary
from lengthwise.system.files import file_digest
from lengthwise.system.seals import write_sealed_json

SHORTEST, LONGEST, VOCABULARY, CLASSES = 5, 30, 10_000, 6
ROWS_PER_SHARD, HELD_OUT = 65_536, 10_000
FORM = SequenceForm(factors=(LabelFactor("kind", tuple(f"k{number}" for number in range(CLASSES))),))
# Of tokens, those that say which class a sequence is of.
OWN_SHARE = 0.1


def write_invented(folder: Path, sequences: int) -> None:
    """Write a folder of shards with so many training sequences, and some held out; one shard is in memory."""
    folder.mkdir(parents=True)
    words = tuple(f"w{number}" for number in range(VOCABULARY - 2))
    write_vocabulary(folder / VOCABULARY_NAME, Vocabulary(("<PAD>", "<UNK>", *words), (0, 0, *(1 for _ in words))))
    counts: dict[Split, int] = {"train": sequences, "validation": HELD_OUT, "test": HELD_OUT}
    splits = {name: _write_split(folder, name, count) for name, count in counts.items()}
    index = ShardIndex(
        version=VERSION,
        unit="sentence",
        tokenizer=TokenizerOptions("blanks", "en", "sentencizer", False, False, None),
        vocabulary_size=VOCABULARY,
        vocabulary_digest=file_digest(folder / VOCABULARY_NAME),
        affixes=None,
        form=FORM,
        splits=splits,
    )
    write_sealed_json(folder / INDEX_NAME, asdict(index))


def _write_split(folder: Path, name: Split, rows: int) -> SplitEntry:
    (folder / name).mkdir()
    rng = np.random.default_rng([rows, len(name)])
    lengths = np.arange(SHORTEST, LONGEST + 1)
    counts = rng.multinomial(rows, np.full(len(lengths), 1 / len(lengths)))
    ends = np.cumsum(counts)
    shards = []
    for number, begin in enumerate(range(0, rows, ROWS_PER_SHARD)):
        rank = np.arange(begin, min(begin + ROWS_PER_SHARD, rows))
        length = lengths[np.searchsorted(ends, rank, side="right")]
        shards.append(_write_shard(folder, f"{name}/{number:05d}.parquet", rank, length, rng))
    tokens = int((lengths * counts).sum())
    pairs = zip(lengths.tolist(), counts.tolist(), strict=True)
    return SplitEntry(rows, tokens, [(length, count) for length, count in pairs if count], shards)


def _write_shard(folder: Path, file: str, rank: np.ndarray, length: np.ndarray, rng: np.random.Generator) -> ShardEntry:
    label = rng.integers(0, CLASSES, len(rank))
    offsets = offsets_of(length)
    # Few tokens are frequent; a class's own ones are its frequent ones.
    tokens = 2 + CLASSES + ((VOCABULARY - 2 - CLASSES) * rng.random(offsets[-1]) ** 4).astype(np.int32)
    own = rng.random(len(tokens)) < OWN_SHARE
    tokens[own] = 2 + np.repeat(label, length)[own]
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(tokens, pa.int32()))
    schema = shard_schema(FORM, None)
    content = pa.table([*(pa.array(column, pa.int32()) for column in (rank, rank, rank, label)), lists], schema=schema)
    with pq.ParquetWriter(folder / file, schema, compression="zstd") as writer:
        for block in blocks_of(length):
            writer.write_table(content[block], row_group_size=len(rank))
    digest = file_digest(folder / file)
    return ShardEntry(file, len(rank), len(tokens), int(length[0]), int(length[-1]), digest)
