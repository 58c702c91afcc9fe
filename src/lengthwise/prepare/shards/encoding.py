"""How the text of a folder of shards became the ids of tokens."""

from pathlib import Path

from lengthwise.errors import FormatError
from lengthwise.prepare.shards.schema import VOCABULARY_NAME, ShardIndex
from lengthwise.prepare.shards.text_encoding import TextEncoding
from lengthwise.prepare.vocabulary import read_vocabulary
from lengthwise.system.files import file_digest
from lengthwise.system.seals import rerun

STAGE = "shards"


def read_shard_encoding(folder: Path, index: ShardIndex) -> TextEncoding:
    """Read how the sequences of a folder of shards were made of text.

    Raises:
        FormatError: the vocabulary is absent or damaged, or not the one that the index was written for.
    """
    path = folder / VOCABULARY_NAME
    vocabulary = read_vocabulary(path, STAGE)
    if (digest := file_digest(path)) != index.vocabulary_digest:
        raise FormatError(f"{path}: has digest {digest:.12}; expected {index.vocabulary_digest:.12}; {rerun(STAGE)}")
    return TextEncoding(index.tokenizer, vocabulary)
