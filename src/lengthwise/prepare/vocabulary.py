r"""The vocabulary: the most frequent tokens of the training split, in a table that a person can read.

    id  token  count
    0   <PAD>  0
    1   <UNK>  51234
    2   .      40213
    lengthwise-sha256:...

`<PAD>` is 0 and `<UNK>` is 1. (In the source article `<UNK>` is 0 and also what short rows are filled with, so
that a mask made from ids would delete words; our masks come from lengths all the same.) White space that is a token by
itself, and a backslash, are written as Python writes them: `\n`, `\t`, `\\`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lengthwise.core.sequences import UNK_ID
from lengthwise.errors import FormatError
from lengthwise.system.seals import MARK, UNSEALED, check_seal, rerun, sealed_file

if TYPE_CHECKING:
    import pyarrow as pa

PAD, UNK = "<PAD>", "<UNK>"
HEADER = "id\ttoken\tcount"
# What would end a cell or a line.
UNESCAPES = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
ESCAPES = str.maketrans({token: cell for cell, token in UNESCAPES.items()})
ESCAPED = re.compile(r"\\[\\tnr]")


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that models know, by id, and how often each was counted; `<UNK>` has all other tokens' count."""

    tokens: tuple[str, ...]
    counts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """Ids of tokens, `<UNK>` for those that are not kept: int32 (N,)."""
        return np.fromiter(map(self._ids.get, tokens, repeat(UNK_ID)), np.int32)

    def encode_lexicon(self, lexicon: "pa.StringArray") -> np.ndarray:
        """The same of a lexicon as Arrow has it, none of whose tokens becomes an object of Python."""
        # Arrow takes long to import, and a text can do without.
        import pyarrow as pa
        import pyarrow.compute as pc

        places = pc.index_in(lexicon, value_set=pa.array(self.tokens, pa.string())).fill_null(UNK_ID)
        # The first are `<PAD>` and `<UNK>`: tokens of these names are unknown.
        codes: np.ndarray = np.maximum(places.to_numpy(), UNK_ID)
        return codes

    @cached_property
    def _ids(self) -> dict[str, int]:
        # A text's own `<PAD>` is a word like any other, and unknown.
        return {token: number for number, token in enumerate(self.tokens) if number > UNK_ID}


def count_vocabulary(lexicon: "pa.StringArray", counts: np.ndarray, size: int) -> Vocabulary:
    """The `size - 2` most frequent tokens, by falling count, ties by token.

    Args:
        lexicon: all tokens, in byte order.
        counts: int64 (len(lexicon),), in the training split; a token that is not in it has no place here.
        size: entries in all, `<PAD>` and `<UNK>` among them.
    """
    seen = np.flatnonzero(counts)
    # A text may hold the very names of the two reserved entries: such a token is unknown.
    frequent = seen[np.argsort(-counts[seen], kind="stable")][:size]
    named = zip(lexicon.take(frequent).to_pylist(), counts[frequent].tolist(), strict=True)
    kept = [(token, count) for token, count in named if token not in (PAD, UNK)][: size - 2]
    unknown = int(counts.sum()) - sum(count for _, count in kept)
    return Vocabulary((PAD, UNK, *(token for token, _ in kept)), (0, unknown, *(count for _, count in kept)))


def write_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """Write the table: tab-separated UTF-8 with a header and a seal."""
    rows = zip(range(len(vocabulary)), map(escaped, vocabulary.tokens), vocabulary.counts, strict=True)
    with sealed_file(path) as beside:
        text = "\n".join([HEADER, *("\t".join(map(str, row)) for row in rows), UNSEALED])
        beside.write_text(text + "\n", encoding="utf-8")


def read_vocabulary(path: Path, stage: str = "vocabulary") -> Vocabulary:
    """Read the table.

    Args:
        path: the file.
        stage: who writes it there, to say what to run again.

    Raises:
        FormatError: it is absent or damaged, or a line is not as the header says; the message names the line.
    """
    check_seal(path, stage)
    remedy = rerun(stage)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {remedy}") from error
    if lines[0] != HEADER or lines[-1] or not lines[-2].startswith(MARK.decode()):
        raise FormatError(f"{path}: is no vocabulary; expected {HEADER!r} and whole lines; {remedy}")
    rows = [line.split("\t") for line in lines[1:-2]]
    for number, row in enumerate(rows):
        if len(row) != 3 or row[0] != str(number) or not (row[2].isascii() and row[2].isdigit()):
            raise FormatError(f"{path} line {number + 2}: got {row!r}; expected id, token, count; {remedy}")
    tokens = tuple(_unescaped(row[1]) for row in rows)
    if tokens[:2] != (PAD, UNK) or _has_copies(tokens):
        raise FormatError(f"{path}: expected {PAD} and {UNK} first and no token twice; {remedy}")
    return Vocabulary(tokens, tuple(int(row[2]) for row in rows))


def escaped(token: str) -> str:
    r"""A token as a cell of a table in text.

    >>> print(escaped("\n"), escaped("a\\b"), escaped("x"))
    \n a\\b x
    """
    return token.translate(ESCAPES)


def _unescaped(cell: str) -> str:
    return ESCAPED.sub(lambda found: UNESCAPES[found[0]], cell) if "\\" in cell else cell


def _has_copies(tokens: Iterable[str]) -> bool:
    listed = list(tokens)
    return len(set(listed)) < len(listed)
