"""What is odd about texts before they are tokenized: scripts without blanks, and chunks without an end."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lengthwise.prepare.documents import SliceRows
from lengthwise.prepare.text.normalization import Normalization

# Scripts that put no blanks between words, as RE2 names them.
SPACELESS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
# Of fewer such characters a text may be one word.
CLAUSE = 4
# Characters at the beginning of a text that its script is told from.
BEGINNING = 2000
# spaCy takes a blink of time for a chunk of fewer characters.
NOTABLE = 2000
NOTABLE_CHUNK = re.compile(rf"(?<!\S)\S{{{NOTABLE + 1},}}")


@dataclass(frozen=True)
class TextNotices:
    """What is odd about some texts.

    Attributes:
        spaceless: texts most of whose characters belong to scripts that put no blanks between words.
        cut: chunks that were longer than allowed, and are cut into several.
        longest: characters of the longest chunk; 0 if none has more than `NOTABLE`.
        document: number of the document that has the longest chunk.
    """

    spaceless: int = 0
    cut: int = 0
    longest: int = 0
    document: int = 0

    def warn(self, language: str, most: int | None, document: str) -> None:
        """Say on standard error what a user should know.

        Args:
            language: whose rules find the words.
            most: characters of the longest chunk that is allowed; None for no limit.
            document: id of the document that has the longest chunk; empty if that is not long.
        """
        if self.spaceless:
            print(
                "warning: tokens: documents without blanks between words (Chinese, Japanese, Thai, Lao, Khmer or "
                f"Burmese): {self.spaceless}; the rules of {language!r} take a clause of them for one token; set "
                "tokens.language to ja, th or zh to be told what finds their words",
                file=sys.stderr,
            )
        if self.cut:
            longest = f" (the longest has {self.longest} characters, in document {document})" if document else ""
            print(
                f"warning: tokens: chunks of more than {most} characters without white space: {self.cut}, cut into "
                f"several{longest}; take them out of the text, or raise tokens.longest_chunk",
                file=sys.stderr,
            )


def notice(texts: pa.Array, rows: SliceRows, normalization: Normalization, by_rule: bool = True) -> TextNotices:
    """What is odd about texts.

    >>> import pyarrow as pa
    >>> from lengthwise.prepare.text.normalization import Normalization
    >>> rows = SliceRows(np.array([40, 41]), np.array([True, True]))
    >>> notice(pa.array(["rain " * 9, "今天下雨了。"]), rows, Normalization(False, False))
    TextNotices(spaceless=1, cut=0, longest=0, document=0)

    Args:
        texts: of neighbouring documents.
        rows: which documents they are.
        normalization: how their chunks become shorter, and how long one may be.
        by_rule: whether their words are found between blanks.
    """
    cut = longest = document = 0
    for row in np.flatnonzero(pc.utf8_length(texts).to_numpy(zero_copy_only=False) > _shortest(normalization)).tolist():
        for chunk in _long_chunks(normalization).findall(texts[row].as_py()):
            size = len(normalization(chunk))
            cut += normalization.longest is not None and size > normalization.longest
            if size > max(longest, NOTABLE):
                longest, document = size, int(rows.document[row])
    # A document counts once, by its beginning.
    begins = texts if rows.begins.all() else texts.filter(pa.array(rows.begins))
    return TextNotices(_spaceless(begins) if by_rule else 0, cut, longest, document)


def all_notices(parts: Iterable[TextNotices]) -> TextNotices:
    """Those of all texts, from those of their parts."""
    parts = [*parts]
    worst = max(parts, key=lambda part: part.longest, default=TextNotices())
    cut, spaceless = sum(part.cut for part in parts), sum(part.spaceless for part in parts)
    return TextNotices(spaceless, cut, worst.longest, worst.document)


def _shortest(normalization: Normalization) -> int:
    return NOTABLE if normalization.longest is None else min(NOTABLE, normalization.longest)


def _long_chunks(normalization: Normalization) -> re.Pattern[str]:
    least = _shortest(normalization) + 1
    return NOTABLE_CHUNK if least > NOTABLE else re.compile(rf"(?<!\S)\S{{{least},}}")


def _spaceless(texts: pa.Array) -> int:
    """How many texts are mostly of scripts without blanks."""
    # Such a character has three bytes: most texts of other scripts need no second look.
    bytes_of, length = pc.binary_length(texts), pc.cast(pc.utf8_length(texts), pa.float64())
    begins = pc.utf8_slice_codeunits(texts.filter(pc.greater(bytes_of, pc.multiply(length, 1.2))), 0, BEGINNING)
    letters = pc.count_substring_regex(begins, SPACELESS).to_numpy(zero_copy_only=False)
    blanks = pc.count_substring_regex(begins, r"\s").to_numpy(zero_copy_only=False)
    sizes = pc.utf8_length(begins).to_numpy(zero_copy_only=False)
    return int(np.count_nonzero((letters >= CLAUSE) & (2 * letters > sizes - blanks)))
