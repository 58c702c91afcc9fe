"""Tokens and sentences by rule: what spaCy's tokenizer and `Sentencizer` give, several times faster.

Four maps in worker processes, with small reductions between them:

    slices  -> chunks of each text, the distinct ones of a slice sorted
    ranges  -> tokens, by spaCy, of all distinct chunks between two strings (as in sample sort)
    slices  -> texts of the chunks that a special case may join (see `spacy_tokenizer`)
    slices  -> sentences

What a slice hands from one map to the next waits in a scratch folder.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lengthwise.core.ragged import offsets_of, take_rows
from lengthwise.prepare.documents import document_id, read_texts, slice_rows
from lengthwise.prepare.text.chunks import (
    Chunks,
    ChunkTokens,
    Runs,
    find_runs,
    joined_chunks,
    replace_runs,
    split_chunks,
)
from lengthwise.prepare.text.lexicon import lower_bound, merge_lexicons, number_distinct
from lengthwise.prepare.text.normalization import Normalization
from lengthwise.prepare.text.notices import TextNotices, all_notices, notice
from lengthwise.prepare.text.scratch_arrays import save_array
from lengthwise.prepare.text.sentences import sentence_starts
from lengthwise.prepare.text.spacy_words import MOST_WORDS
from lengthwise.prepare.text.store import Sentences, write_slice
from lengthwise.system.files import part_file
from lengthwise.system.parallel import Workers, tracked

if TYPE_CHECKING:
    from lengthwise.prepare.text.spacy_tokenizer import ChunkTokenizer

CHUNKS_PER_RANGE, SAMPLED_EVERY = 20_000, 100
# Sentences are put together of so many texts at a time: a hundred bytes a token are needed for it.
TEXTS_AT_ONCE = 512
# White space is the first of all chunks, and its token is in no lexicon.
SPACE_CHUNK = 0
SPACE_TOKEN = -1


@dataclass(frozen=True)
class RuleConfig:
    """What a worker needs to know.

    Attributes:
        documents: the table of documents.
        scratch: a folder for what passes from map to map.
        out: the folder of tokens.
    """

    documents: Path
    scratch: Path
    out: Path
    language: str
    normalization: Normalization
    link_word: str | None


class _RuleWorker(NamedTuple):
    config: RuleConfig
    tokenizer: "ChunkTokenizer"


_worker: _RuleWorker


def start_worker(config: RuleConfig) -> None:
    """Make this process a worker.

    Raises:
        ParamsError: spaCy does not know the language.
    """
    # spaCy takes most of a second to import, and the parent of several workers does not need it.
    from lengthwise.prepare.text.spacy_tokenizer import ChunkTokenizer

    global _worker
    _shared.cache_clear()
    pa.set_cpu_count(1)
    _worker = _RuleWorker(config, ChunkTokenizer(config.language, config.link_word))


def tokenize_by_rule(config: RuleConfig, slices: int, workers: Workers) -> tuple[pa.Array, TextNotices]:
    """Write the sentences of all slices.

    Returns:
        The lexicon, and what is odd about the texts.
    """
    split = tracked("tokens: chunks", "slices", slices, workers.map(_split_slice, range(slices)))
    notices = all_notices(found for _, found in split)
    # The lists that the table is made of are gone before the last map.
    lexicon = _tabulate_chunks(config, [sample for sample, _ in split], workers, _longest_chunk(config, notices))
    tracked("tokens: sentences", "slices", slices, workers.map(_write_sentences, range(slices)))
    return lexicon, notices


def _longest_chunk(config: RuleConfig, notices: TextNotices) -> str:
    """What spaCy may be busy with for long, where nothing else says so."""
    if not notices.longest:
        return ""
    return f"longest chunk: {notices.longest} characters, document {document_id(config.documents, notices.document)}"


def _tabulate_chunks(config: RuleConfig, samples: list[pa.Array], workers: Workers, note: str) -> pa.Array:
    """The second and third map: write the table from chunks to tokens, and give the lexicon."""
    slices = len(samples)
    scratch, numbers = config.scratch, range(slices)
    tasks = _chunk_ranges(samples)
    parts = tracked("tokens: spaCy", "ranges", len(tasks), workers.map(_tokenize_range, tasks), note)
    # White space comes before all ranges; its one token is in no lexicon.
    begins = SPACE_CHUNK + 1 + offsets_of(np.array([len(part.tokens.counts) for part in parts]))
    for number in numbers:
        mapping = [part.numbers[number] + begin for part, begin in zip(parts, begins, strict=False)]
        save_array(scratch / f"numbers-{number}.npy", np.concatenate([[SPACE_CHUNK], *mapping]).astype(np.int32))
    tokenized = [part.tokens for part in parts]
    for name in ("first", "last"):
        classes = [np.zeros(1, np.int16), *(getattr(part, name) for part in tokenized)]
        save_array(scratch / f"{name}.npy", np.concatenate(classes))
    found = tracked("tokens: runs", "slices", slices, workers.map(_find_runs, numbers))
    runs, run_numbers = number_distinct(found)
    for number, local in zip(numbers, run_numbers, strict=True):
        save_array(scratch / f"run-numbers-{number}.npy", local + begins[-1])
    if len(runs):
        tokenized += workers.map(_tokenize_runs, [runs])
    lexicon, ids = merge_lexicons([part.strings for part in tokenized])
    tokens = [mapping[part.tokens] for mapping, part in zip(ids, tokenized, strict=True)]
    columns = {
        "tokens": np.concatenate([np.array([SPACE_TOKEN], np.int32), *tokens]),
        "flags": np.concatenate([np.zeros(1, np.uint8), *(part.flags for part in tokenized)]),
        "offsets": offsets_of(np.concatenate([[1], *(part.counts for part in tokenized)])),
    }
    for name, column in columns.items():
        save_array(scratch / f"{name}.npy", column)
    return lexicon


def _split_slice(number: int) -> tuple[pa.Array, TextNotices]:
    """First map: the chunks of a slice, the distinct ones in byte order; every 100th of them is returned."""
    texts, normalization = read_texts(_worker.config.documents, number), _worker.config.normalization
    notices = notice(texts, slice_rows(_worker.config.documents, number), normalization)
    chunks = split_chunks(texts, normalization)
    strings = chunks.strings.slice(SPACE_CHUNK + 1)
    order = pc.sort_indices(strings).to_numpy()
    rank = np.zeros(len(chunks.strings), np.int32)
    rank[order + 1] = np.arange(1, len(chunks.strings), dtype=np.int32)
    scratch = _worker.config.scratch
    save_array(scratch / f"ids-{number}.npy", rank[chunks.ids])
    save_array(scratch / f"offsets-{number}.npy", chunks.offsets)
    ordered = pa.concat_arrays([chunks.strings.slice(0, 1), strings.take(pa.array(order))])
    _save_strings(scratch, number, ordered)
    sample = pa.array(ordered[1::SAMPLED_EVERY].to_pylist(), pa.string())
    del texts, chunks, strings, ordered
    _release()
    return sample, notices


class _Range(NamedTuple):
    """The chunks from `low` to before `high`, None standing for the first and the last, in slices 0 to `slices`."""

    low: str | None
    high: str | None
    slices: int


class _RangeTokens(NamedTuple):
    """The tokens of a range's distinct chunks, and for each slice the numbers in them of its own chunks."""

    tokens: ChunkTokens
    numbers: list[np.ndarray]


def _chunk_ranges(samples: list[pa.Array]) -> list[_Range]:
    """Ranges of about as many chunks each, from a sample of every slice's chunks."""
    sample = pc.unique(pa.concat_arrays(samples)).sort()
    step = max(1, CHUNKS_PER_RANGE // SAMPLED_EVERY)
    cuts = [None, *sample[step::step].to_pylist(), None]
    return [_Range(low, high, len(samples)) for low, high in pairwise(cuts)]


def _tokenize_range(task: _Range) -> _RangeTokens:
    """Second map: the tokens of the distinct chunks of a range.

    Chunks that share tokens are close in byte order, so that few tokens are new to more than one worker.
    """
    parts = []
    for number in range(task.slices):
        strings = _load_strings(_worker.config.scratch, number)
        low = SPACE_CHUNK + 1 if task.low is None else lower_bound(strings, task.low.encode(), SPACE_CHUNK + 1)
        high = len(strings) if task.high is None else lower_bound(strings, task.high.encode(), low)
        parts.append(strings.slice(low, high - low))
    distinct, numbers = merge_lexicons(parts)
    if _worker.tokenizer.known_words > MOST_WORDS:
        start_worker(_worker.config)
    return _RangeTokens(_worker.tokenizer(distinct.to_pylist()), numbers)


def _tokenize_runs(runs: pa.Array) -> ChunkTokens:
    """The tokens of the texts that have to be tokenized as one."""
    return _worker.tokenizer(runs.to_pylist())


def _find_runs(number: int) -> pa.Array:
    """Third map: the distinct texts of the runs of chunks that have to be tokenized as one."""
    return _slice_runs(number)[1].texts


def _write_sentences(number: int) -> None:
    """Last map: the sentences of a slice."""
    config = _worker.config
    chunks, runs = _slice_runs(number)
    chunks = replace_runs(chunks, runs, np.load(config.scratch / f"run-numbers-{number}.npy")[runs.which])
    documents, parts = slice_rows(config.documents, number).document, []
    for part in chunks.parts(TEXTS_AT_ONCE):
        texts = len(part.offsets) - 1
        parts.append(_sentences(part, documents[:texts]))
        documents = documents[texts:]
    sentences = Sentences(
        document=np.concatenate([part.document for part in parts]),
        tokens=np.concatenate([part.tokens for part in parts]),
        offsets=offsets_of(np.concatenate([np.diff(part.offsets) for part in parts])),
    )
    write_slice(config.out, number, sentences)
    _release()


def _sentences(chunks: Chunks, documents: np.ndarray) -> Sentences:
    """The sentences of texts, of these documents."""
    offsets = _shared("offsets")
    tokens, counts = take_rows(_shared("tokens"), offsets, chunks.ids)
    flags, _ = take_rows(_shared("flags"), offsets, chunks.ids)
    text_offsets = offsets_of(counts)[chunks.offsets]
    starts = sentence_starts(flags, np.unique(text_offsets[:-1][np.diff(text_offsets) > 0]))
    # White space has done its work at the sentence boundaries and goes, and with it sentences of nothing else.
    kept = tokens != SPACE_TOKEN
    sentence = np.cumsum(starts)[kept]
    begins = np.flatnonzero(np.diff(sentence, prepend=0))
    document = np.repeat(np.arange(len(chunks.offsets) - 1), np.diff(text_offsets))[kept][begins]
    return Sentences(documents[document], tokens[kept], np.append(begins, kept.sum()))


def _slice_runs(number: int) -> tuple[Chunks, Runs]:
    """A slice in the corpus's chunk numbers, and its runs of chunks that a special case may join."""
    scratch = _worker.config.scratch
    local = np.load(scratch / f"ids-{number}.npy")
    ids = np.load(scratch / f"numbers-{number}.npy")[local]
    offsets = np.load(scratch / f"offsets-{number}.npy")
    joined = joined_chunks(ids, offsets, _shared("first"), _shared("last"), _worker.tokenizer.boundaries.table)
    strings = _load_strings(scratch, number)
    return Chunks(strings, ids, offsets), find_runs(Chunks(strings, local, offsets), joined)


@cache
def _shared(name: str) -> np.ndarray:
    """A column of the table from chunks to tokens, in memory that all workers map."""
    return np.load(_worker.config.scratch / f"{name}.npy", mmap_mode="r")


def _release() -> None:
    """Give back what Arrow keeps for its next arrays, which NumPy could not use."""
    pa.default_memory_pool().release_unused()


def _save_strings(scratch: Path, number: int, strings: pa.Array) -> None:
    batch = pa.record_batch([strings], names=["chunk"])
    place = part_file(scratch / f"chunks-{number}.arrow")
    with place as beside, pa.OSFile(str(beside), "wb") as stream, pa.ipc.new_file(stream, batch.schema) as file:
        file.write_batch(batch)


def _load_strings(scratch: Path, number: int) -> pa.Array:
    """The distinct chunks of a slice, mapped, not copied."""
    with pa.memory_map(str(scratch / f"chunks-{number}.arrow")) as stream:
        return pa.ipc.open_file(stream).get_batch(0)["chunk"]
