"""Tokens and sentences by a named spaCy pipeline, text by text: as slow as the pipeline is."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from spacy.language import Language
from spacy.tokenizer import Tokenizer

from lengthwise.core.ragged import offsets_of
from lengthwise.prepare.documents import read_texts, slice_rows
from lengthwise.prepare.text.lexicon import merge_lexicons
from lengthwise.prepare.text.normalization import Normalization
from lengthwise.prepare.text.notices import TextNotices, all_notices, notice
from lengthwise.prepare.text.scratch_arrays import save_array
from lengthwise.prepare.text.spacy_languages import named_pipeline
from lengthwise.prepare.text.spacy_words import words_of
from lengthwise.prepare.text.store import Sentences, write_slice
from lengthwise.system.files import part_file
from lengthwise.system.parallel import Workers, tracked


@dataclass(frozen=True)
class PipelineConfig:
    """What a worker needs to know; see `RuleConfig`."""

    documents: Path
    scratch: Path
    out: Path
    pipeline: str
    normalization: Normalization
    link_word: str | None


class _PipelineWorker(NamedTuple):
    config: PipelineConfig
    nlp: Language


_worker: _PipelineWorker


def start_worker(config: PipelineConfig) -> None:
    """Make this process a worker.

    Raises:
        ParamsError: the pipeline is not installed, or finds no sentences.
    """
    global _worker
    pa.set_cpu_count(1)
    _worker = _PipelineWorker(config, named_pipeline(config.pipeline))


def tokenize_by_pipeline(config: PipelineConfig, slices: int, workers: Workers) -> tuple[pa.Array, TextNotices]:
    """Write the sentences of all slices.

    Returns:
        The lexicon, and what is odd about the texts.
    """
    parts = tracked("tokens: spaCy", "slices", slices, workers.map(_tokenize_slice, range(slices)))
    lexicon, ids = merge_lexicons([words for words, _ in parts])
    for number, mapping in enumerate(ids):
        save_array(config.scratch / f"ids-{number}.npy", mapping)
    tracked("tokens: sentences", "slices", slices, workers.map(_write_sentences, range(slices)))
    return lexicon, all_notices(found for _, found in parts)


def _tokenize_slice(number: int) -> tuple[pa.Array, TextNotices]:
    """First map: the sentences of a slice, their tokens numbered in the slice; its distinct tokens."""
    config, nlp = _worker
    numbers: dict[str, int] = {}
    document: list[int] = []
    lengths: list[int] = []
    tokens: list[int] = []
    rows, read = slice_rows(config.documents, number), read_texts(config.documents, number)
    notices = notice(read, rows, config.normalization, type(nlp.tokenizer) is Tokenizer)
    texts = read.to_pylist()
    for row, doc in zip(rows.document.tolist(), nlp.pipe(map(config.normalization.clean, texts)), strict=True):
        for sentence in doc.sents:
            words = words_of(sentence, config.link_word)
            if words:
                document.append(row)
                lengths.append(len(words))
                tokens += [numbers.setdefault(word, len(numbers)) for word in words]
    with part_file(config.scratch / f"sentences-{number}.npz") as beside, beside.open("wb") as stream:
        np.savez(
            stream,
            document=np.array(document, np.int32),
            tokens=np.array(tokens, np.int32),
            offsets=offsets_of(np.array(lengths, np.int64)),
        )
    return pa.array(numbers, pa.string()), notices


def _write_sentences(number: int) -> None:
    """Second map: the sentences of a slice in the lexicon's ids."""
    config = _worker.config
    ids = np.load(config.scratch / f"ids-{number}.npy")
    with np.load(config.scratch / f"sentences-{number}.npz") as local:
        sentences = Sentences(local["document"], ids[local["tokens"]], local["offsets"])
    write_slice(config.out, number, sentences)
