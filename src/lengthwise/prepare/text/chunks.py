"""Texts as chunks: what white space separates, numbered by distinct chunk.

A chunk is a run of other characters than white space. White space is left out where it is one blank; where it is
more, spaCy makes a token of it, so it becomes the chunk `SPACE`, number 0.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lengthwise.core.ragged import offsets_of, ranges, take_rows
from lengthwise.prepare.text.normalization import Normalization

SPACE = "\n"
# Empty, or with white space (for RE2, all that Python takes for white space, and no harm if more).
COMPLEX_PIECE = r"^$|[\s\pZ\x0b\x1c-\x1f\x85]"
RUNS = re.compile(r"\s+|\S+")

ENDS_SENTENCE, IS_PUNCTUATION = 1, 2


@dataclass(frozen=True)
class Chunks:
    """Texts as chunks.

    Attributes:
        strings: the distinct chunks, `SPACE` first.
        ids: int32 (chunks,), indices into `strings`, one text after another.
        offsets: int64 (texts + 1,), where each text begins in `ids`.
    """

    strings: pa.Array
    ids: np.ndarray
    offsets: np.ndarray

    def parts(self, texts: int) -> Iterator["Chunks"]:
        """So many texts at a time, the last part what is left."""
        for begin in range(0, len(self.offsets) - 1, texts):
            offsets = self.offsets[begin : begin + texts + 1]
            yield Chunks(self.strings, self.ids[offsets[0] : offsets[-1]], offsets - offsets[0])


def split_chunks(texts: pa.Array, normalize: Normalization) -> Chunks:
    """Split texts at white space.

    Blanks split first; what they leave is looked at once per distinct piece. A piece is empty between two blanks,
    and may hold other white space.

    Args:
        texts: strings, no nulls.
        normalize: applied to each distinct chunk, which it may cut into several.
    """
    lists = pc.split_pattern(texts, " ")
    pieces = lists.flatten().dictionary_encode()
    complex_pieces = pc.match_substring_regex(pieces.dictionary, COMPLEX_PIECE)
    if normalize.longest is not None:
        complex_pieces = pc.or_(complex_pieces, pc.greater(pc.utf8_length(pieces.dictionary), normalize.longest))
    is_complex = complex_pieces.to_numpy(zero_copy_only=False)
    runs = [_runs(piece, normalize) for piece in pieces.dictionary.filter(complex_pieces).to_pylist()]
    words = [run for piece in runs for run in piece]
    simple = pieces.dictionary.filter(pc.invert(complex_pieces))
    strings = pa.concat_arrays([simple, pa.array(words, pa.string())])
    if not normalize.changes_nothing:
        strings = pa.array([run if run == SPACE else normalize(run) for run in strings.to_pylist()], pa.string())
    chunks = pa.concat_arrays([pa.array([SPACE]), strings]).dictionary_encode()
    numbers = chunks.indices.to_numpy()[1:]

    lengths = np.ones(len(is_complex), np.int64)
    lengths[is_complex] = [len(piece) for piece in runs]
    offsets = offsets_of(lengths)
    values = np.empty(offsets[-1], np.int32)
    values[offsets[:-1][~is_complex]] = numbers[: len(simple)]
    values[ranges(offsets[:-1][is_complex], lengths[is_complex])] = numbers[len(simple) :]
    ids, sizes = take_rows(values, offsets, pieces.indices.to_numpy())
    piece_offsets = lists.offsets.to_numpy().astype(np.int64) - lists.offsets[0].as_py()
    return Chunks(chunks.dictionary, ids, offsets_of(sizes)[piece_offsets])


def _runs(piece: str, normalize: Normalization) -> list[str]:
    """The chunks of what stands between two blanks."""
    runs = RUNS.findall(piece) or [SPACE]
    return [chunk for run in runs for chunk in ([SPACE] if run[0].isspace() else normalize.pieces(run))]


def joined_chunks(
    ids: np.ndarray, offsets: np.ndarray, first: np.ndarray, last: np.ndarray, table: np.ndarray
) -> np.ndarray:
    """Which chunks a special case may join to the one before: bool (chunks,), never true for a text's first chunk.

    Args:
        ids: int (chunks,), of the chunks of texts, one text after another.
        offsets: int64 (texts + 1,), where each text begins.
        first: int16, by a chunk's id the class of its first token.
        last: int16, by a chunk's id the class of its last token.
        table: which classes of last and first tokens may be neighbours; see `SpecialBoundaries`.
    """
    joined = np.zeros(len(ids), bool)
    joined[1:] = table[last[ids[:-1]], first[ids[1:]]]
    begins = offsets[:-1]
    joined[begins[begins < len(ids)]] = False
    return joined


@dataclass(frozen=True)
class Runs:
    """Neighbouring chunks that have to be tokenized as one.

    Attributes:
        texts: the distinct runs, each with blanks between its chunks.
        which: int32 (runs,), indices into `texts`.
        begins: int64 (runs,), where each run begins in the chunks' `ids`.
        ends: int64 (runs,), and where it ends.
    """

    texts: pa.Array
    which: np.ndarray
    begins: np.ndarray
    ends: np.ndarray


def find_runs(chunks: Chunks, joined: np.ndarray) -> Runs:
    """The runs of chunks in which each but the first is `joined` to the one before it.

        chunks   see  :  )  and  go
        joined                        ->  texts [": )"], begins [1], ends [3]
                      0  1   0    0

    Args:
        chunks: the texts.
        joined: bool (chunks,); never true for a text's first chunk.
    """
    after = np.append(joined[1:], False)
    begins = np.flatnonzero(after & ~joined)
    ends = np.flatnonzero(joined & ~after) + 1
    words = chunks.strings.take(pa.array(chunks.ids[ranges(begins, ends - begins)]))
    lists = pa.ListArray.from_arrays(pa.array(offsets_of(ends - begins), pa.int32()), words)
    texts = pc.binary_join(lists, " ").dictionary_encode()
    return Runs(texts.dictionary, texts.indices.to_numpy(), begins, ends)


def replace_runs(chunks: Chunks, runs: Runs, numbers: np.ndarray) -> Chunks:
    """Put one chunk in the place of each run.

    Args:
        chunks: the texts.
        runs: of these texts.
        numbers: int32 (runs,), the numbers of the chunks that take the runs' places.
    """
    ids = chunks.ids.copy()
    ids[runs.begins] = numbers
    kept = np.ones(len(ids), bool)
    kept[ranges(runs.begins + 1, runs.ends - runs.begins - 1)] = False
    return Chunks(chunks.strings, ids[kept], np.concatenate([[0], np.cumsum(kept)])[chunks.offsets])


@dataclass(frozen=True)
class ChunkTokens:
    """The tokens of a list of chunks.

    Attributes:
        counts: int32 (chunks,), tokens in each chunk.
        tokens: int32 (tokens,), indices into `strings`.
        flags: uint8 (tokens,), of ENDS_SENTENCE and IS_PUNCTUATION.
        first: int16 (chunks,), the class of a chunk's first token in `SpecialBoundaries`; 0 is none.
        last: int16 (chunks,), the class of its last token.
        strings: the distinct tokens, normalized.
    """

    counts: np.ndarray
    tokens: np.ndarray
    flags: np.ndarray
    first: np.ndarray
    last: np.ndarray
    strings: pa.Array
