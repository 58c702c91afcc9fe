"""The only definition of the shard format.

    index.json                    written last; without it the folder is none
    vocabulary.tsv                a copy of the vocabulary that the tokens' ids are of
    train/00000.parquet           sequences of the split, sorted by length, ties in the corpus's order
    validation/00000.parquet
    test/00000.parquet

docs/formats.md shows an index and a shard. A change that an older reader would misread raises `VERSION`.
"""

from dataclasses import dataclass, fields
from typing import Literal, get_args

import pyarrow as pa

from lengthwise.labels import LabelFactor
from lengthwise.names import Split
from lengthwise.prepare.text.options import TokenizerOptions

VERSION: Literal[3] = 3
INDEX_NAME, VOCABULARY_NAME = "index.json", "vocabulary.tsv"

SHARD_SCHEMA = pa.schema(
    [
        pa.field(
            "sequence",
            pa.int32(),
            nullable=False,
            metadata={"doc": "rank in the corpus's order, in its split"},
        ),
        pa.field("document", pa.int32(), nullable=False, metadata={"doc": "row of its (first) document"}),
        pa.field("author", pa.int32(), nullable=False, metadata={"doc": "rank of its author"}),
        pa.field("label", pa.int16(), nullable=False, metadata={"doc": "joint class"}),
        pa.field("tokens", pa.list_(pa.int32()), nullable=False, metadata={"doc": "ids in the vocabulary"}),
    ],
    metadata={"lengthwise.shards": str(VERSION)},
)


@dataclass(frozen=True)
class _Entry:
    """Counts are not negative."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 0:
                raise ValueError(f"{field.name}: got {value}; expected 0 or more")


@dataclass(frozen=True)
class ShardEntry(_Entry):
    """One file of a split: `digest` is SHA-256 of its bytes, lengths are in tokens."""

    file: str
    rows: int
    tokens: int
    shortest: int
    longest: int
    digest: str


@dataclass(frozen=True)
class SplitEntry(_Entry):
    """One split; `lengths` counts its sequences as [length, count], by rising length."""

    rows: int
    tokens: int
    lengths: list[tuple[int, int]]
    shards: list[ShardEntry]


@dataclass(frozen=True)
class ShardIndex(_Entry):
    """What `index.json` holds; its digests and its own seal tell every change of a byte of the folder.

    How text becomes the ids of tokens, which is `tokenizer` and the vocabulary, goes with the sequences, so that a
    network trained on them can be asked about any text.
    """

    version: Literal[3]
    unit: str
    tokenizer: TokenizerOptions
    vocabulary_size: int
    vocabulary_digest: str
    factors: list[LabelFactor]
    splits: dict[Split, SplitEntry]

    def __post_init__(self) -> None:
        super().__post_init__()
        if missing := set(get_args(Split)) - self.splits.keys():
            raise ValueError(f"splits: lacks {min(missing)}; expected all of {', '.join(get_args(Split))}")
