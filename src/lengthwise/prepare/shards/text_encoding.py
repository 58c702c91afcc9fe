"""How text becomes the ids of tokens: it travels with the sequences, and on with a network trained on them."""

from dataclasses import asdict, dataclass
from pathlib import Path

from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.prepare.vocabulary import Vocabulary, write_vocabulary


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
