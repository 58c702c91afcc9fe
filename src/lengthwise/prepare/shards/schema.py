"""The only definition of the shard format.

    index.json                    written last; without it the folder is none
    vocabulary.tsv                a copy of the vocabulary that the tokens' ids are of
    train/00000.parquet           sequences of the split, sorted by length, ties in random order
    validation/00000.parquet
    test/00000.parquet

A row group of a file is a block: a run of sequences that have as many steps together as each other one. Training can
read blocks in any order, see `lengthwise.prepare.shards.shard_blocks`.

docs/formats.md shows an index and a shard. A change that an older reader would misread raises `VERSION`.
"""

from dataclasses import dataclass, fields
from typing import Literal, get_args

import pyarrow as pa

from lengthwise.core.affixes import PER_TOKEN
from lengthwise.core.labels import LabelFactor
from lengthwise.core.names import Split, Unit
from lengthwise.core.sequences import AFFIXES, LABELS, NUMBERS, TOKENS
from lengthwise.prepare.forms.document_form import SequenceForm
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions

VERSION: Literal[4] = 4
# Steps of a block, but for what the last of its sequences has more: 128 KiB of tokens.
BLOCK_STEPS = 1 << 15
INDEX_NAME, VOCABULARY_NAME = "index.json", "vocabulary.tsv"

# What every sequence has.
ALWAYS = pa.schema(
    [
        pa.field(
            "sequence",
            pa.int32(),
            nullable=False,
            metadata={"doc": "rank in the corpus's order, in its split"},
        ),
        pa.field("document", pa.int32(), nullable=False, metadata={"doc": "row of its (first) document"}),
        pa.field("group", pa.int32(), nullable=False, metadata={"doc": "rank of its group, such as its author"}),
        pa.field("label", pa.int32(), nullable=False, metadata={"doc": "joint class; 0 where there is none"}),
    ],
)


def shard_schema(form: SequenceForm, affixes: int | None) -> pa.Schema:
    """The Arrow schema of the shards of documents of this form."""
    fields = list(ALWAYS)
    if form.numbers:
        fields.append(_field(NUMBERS, pa.list_(pa.float64(), len(form.numbers)), ", ".join(form.numbers)))
    if form.several:
        fields.append(_field(LABELS, pa.list_(pa.int32(), len(form.factors)), "1 for yes, 0 for no"))
    if form.has_tokens:
        fields.append(_field(TOKENS, pa.list_(pa.int32()), "ids in the vocabulary"))
        if affixes is not None:
            fields.append(_field(AFFIXES, pa.list_(pa.list_(pa.int32(), PER_TOKEN)), "numbers of a token's letters"))
    for column in form.steps:
        if column.kind != "tokens":
            item = pa.list_(pa.float32(), column.size) if column.kind == "features" else pa.int32()
            fields.append(_field(column.name, pa.list_(item), column.kind))
    return pa.schema(fields, metadata={"lengthwise.shards": str(VERSION)})


def _field(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"doc": meaning})


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
    network trained on them can be asked about any text. `affixes` has the letters of an affix, where steps have some.
    """

    version: Literal[4]
    unit: Unit
    tokenizer: TokenizerOptions
    vocabulary_size: int
    vocabulary_digest: str
    affixes: int | None
    form: SequenceForm
    splits: dict[Split, SplitEntry]

    def __post_init__(self) -> None:
        super().__post_init__()
        if missing := set(get_args(Split)) - self.splits.keys():
            raise ValueError(f"splits: lacks {min(missing)}; expected all of {', '.join(get_args(Split))}")

    @property
    def factors(self) -> list[LabelFactor]:
        """The label factors of a sequence."""
        return [*self.form.factors]

    @property
    def schema(self) -> pa.Schema:
        """That of the shards."""
        return shard_schema(self.form, self.affixes)
