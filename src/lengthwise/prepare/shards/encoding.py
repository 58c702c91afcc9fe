"""How text becomes the ids of tokens: it travels with the sequences, and on with a network trained on them."""

from dataclasses import asdict, dataclass
from pathlib import Path

from lengthwise.errors import FormatError
from lengthwise.prepare.shards.schema import VOCABULARY_NAME, ShardIndex
from lengthwise.prepare.text.options import TokenizerOptions
from lengthwise.prepare.vocabulary import Vocabulary, read_vocabulary, write_vocabulary
from lengthwise.system.files import file_digest
from lengthwise.system.seals import rerun

STAGE = "shards"


@dataclass(frozen=True)
class TextEncoding:
    """How text becomes tokens, and tokens ids."""

    tokenizer: TokenizerOptions
    vocabulary: Vocabulary

    @property
    def options(self) -> dict[str, str | bool]:
        """Those of the tokenizer by name, as they are kept beside a network."""
        return asdict(self.tokenizer)

    def write(self, path: Path) -> None:
        """Write the vocabulary."""
        write_vocabulary(path, self.vocabulary)


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
