"""The only definition of the shard format.

    index.json                    written last; without it the folder is none
    vocabulary.tsv                a copy of the vocabulary that the tokens' ids are of
    train/00000.parquet           sequences of the split, sorted by length, ties in the corpus's order
    validation/00000.parquet
    test/00000.parquet

docs/formats.md shows an index and a shard. A change that an older reader would misread raises `VERSION`.
"""

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from lengthwise.labels import LabelFactor
from lengthwise.prepare.text.options import TokenizerOptions

VERSION: Literal[2] = 2
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
    metadata={"lengthwise.prepare.shards": str(VERSION)},
)

SplitName = Literal["train", "validation", "test"]
Count = Annotated[int, Field(ge=0)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShardEntry(_Entry):
    """One file of a split: `digest` is SHA-256 of its bytes, lengths are in tokens."""

    file: str
    rows: Count
    tokens: Count
    shortest: Count
    longest: Count
    digest: str


class SplitEntry(_Entry):
    """One split; `lengths` counts its sequences as [length, count], by rising length."""

    rows: Count
    tokens: Count
    lengths: list[tuple[int, int]]
    shards: list[ShardEntry]


class ShardIndex(_Entry):
    """What `index.json` holds; its digests and its own seal tell every change of a byte of the folder.

    How text becomes the ids of tokens, which is `tokenizer` and the vocabulary, goes with the sequences, so that a
    network trained on them can be asked about any text.
    """

    version: Literal[2]
    unit: str
    tokenizer: TokenizerOptions
    vocabulary_size: Count
    vocabulary_digest: str
    factors: list[LabelFactor]
    splits: Annotated[dict[SplitName, SplitEntry], Field(min_length=3)]
    seal: str = ""
