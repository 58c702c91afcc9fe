"""Tokens and sentences by a named spaCy pipeline, text by text: as slow as the pipeline is."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from spacy.language import Language

from lengthwise.corpus.documents import ROWS_PER_SLICE, read_texts
from lengthwise.parallel import Workers, tracked
from lengthwise.ragged import offsets_of
from lengthwise.text.chunks import RUNS
from lengthwise.text.lexicon import merge_lexicons
from lengthwise.text.normalization import Normalization
from lengthwise.text.spacy_tokenizer import LINK_TEXT, LINK_TOKEN, NUMBER_TOKEN, named_pipeline
from lengthwise.text.store import Sentences, write_slice


@dataclass(frozen=True)
class PipelineConfig:
    """What a worker needs to know; see `RuleConfig`."""

    documents: Path
    scratch: Path
    out: Path
    pipeline: str
    normalization: Normalization
    replace_links: bool


class _Worker(NamedTuple):
    config: PipelineConfig
    nlp: Language


_worker: _Worker


def start_worker(config: PipelineConfig) -> None:
    """Make this process a worker.

    Raises:
        ParamsError: the pipeline is not installed, or finds no sentences.
    """
    global _worker
    pa.set_cpu_count(1)
    _worker = _Worker(config, named_pipeline(config.pipeline))


def tokenize_by_pipeline(config: PipelineConfig, slices: int, workers: Workers) -> pa.Array:
    """Write the sentences of all slices.

    Returns:
        The lexicon.
    """
    parts = tracked("tokens: spaCy", "slices", slices, workers.map(_tokenize_slice, range(slices)))
    lexicon, ids = merge_lexicons(parts)
    for number, mapping in enumerate(ids):
        np.save(config.scratch / f"ids-{number}.npy", mapping)
    tracked("tokens: sentences", "slices", slices, workers.map(_write_sentences, range(slices)))
    return lexicon


def _tokenize_slice(number: int) -> pa.Array:
    """First map: the sentences of a slice, their tokens numbered in the slice; its distinct tokens."""
    config, nlp = _worker
    numbers: dict[str, int] = {}
    document: list[int] = []
    lengths: list[int] = []
    tokens: list[int] = []
    texts = read_texts(config.documents, number).to_pylist()
    for row, doc in enumerate(nlp.pipe(map(_normalized, texts)), number * ROWS_PER_SLICE):
        for sentence in doc.sents:
            words = [_token(token.like_num, token.lower_) for token in sentence if not token.is_space]
            if words:
                document.append(row)
                lengths.append(len(words))
                tokens += [numbers.setdefault(word, len(numbers)) for word in words]
    np.savez(
        config.scratch / f"sentences-{number}.npz",
        document=np.array(document, np.int32),
        tokens=np.array(tokens, np.int32),
        offsets=offsets_of(np.array(lengths, np.int64)),
    )
    return pa.array(numbers, pa.string())


def _write_sentences(number: int) -> None:
    """Second map: the sentences of a slice in the lexicon's ids."""
    config = _worker.config
    ids = np.load(config.scratch / f"ids-{number}.npy")
    with np.load(config.scratch / f"sentences-{number}.npz") as local:
        sentences = Sentences(local["document"], ids[local["tokens"]], local["offsets"])
    write_slice(config.out, number, sentences)


def _normalized(text: str) -> str:
    normalization = _worker.config.normalization
    if normalization.changes_nothing:
        return text
    return "".join(run if run.isspace() else normalization(run) for run in RUNS.findall(text))


def _token(like_num: bool, lower: str) -> str:
    if like_num:
        return NUMBER_TOKEN
    return LINK_TOKEN if lower == LINK_TEXT and _worker.config.replace_links else lower
