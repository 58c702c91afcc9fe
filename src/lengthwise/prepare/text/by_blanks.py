"""Tokens between blanks, as they are written: of texts that somebody has tokenized already. A sentence is a line."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from lengthwise.core.ragged import offsets_of
from lengthwise.prepare.documents import read_texts, slice_rows
from lengthwise.prepare.text.lexicon import merge_lexicons
from lengthwise.prepare.text.normalization import Normalization
from lengthwise.prepare.text.store import Sentences, write_slice
from lengthwise.system.parallel import Workers, tracked


@dataclass(frozen=True)
class BlanksConfig:
    """What a worker needs to know; see `RuleConfig`."""

    documents: Path
    out: Path
    normalization: Normalization


def split_at_blanks(config: BlanksConfig, slices: int, workers: Workers) -> pa.Array:
    """Write the sentences of all slices.

    Returns:
        The lexicon.
    """
    parts = tracked("tokens: words", "slices", slices, workers.map(partial(_distinct_words, config), range(slices)))
    lexicon, mappings = merge_lexicons(parts)
    tasks = list(zip(range(slices), mappings, strict=True))
    tracked("tokens: lines", "slices", slices, workers.map(partial(_write_lines, config), tasks))
    return lexicon


def _lines(config: BlanksConfig, number: int) -> list[tuple[int, list[str]]]:
    """The lines that have words, each with its document."""
    documents = slice_rows(config.documents, number).document.tolist()
    texts = read_texts(config.documents, number).to_pylist()
    lines = (
        (row, line.split())
        for row, text in zip(documents, texts, strict=True)
        for line in config.normalization.clean(text).split("\n")
    )
    return [(row, words) for row, words in lines if words]


def _distinct_words(config: BlanksConfig, number: int) -> pa.Array:
    return pa.array(dict.fromkeys(word for _, words in _lines(config, number) for word in words), pa.string())


def _write_lines(config: BlanksConfig, task: tuple[int, np.ndarray]) -> None:
    number, mapping = task
    lines = _lines(config, number)
    places: dict[str, int] = {}
    tokens = np.array([places.setdefault(word, len(places)) for _, words in lines for word in words], np.int64)
    lengths = np.array([len(words) for _, words in lines], np.int64)
    document = np.array([row for row, _ in lines], np.int32)
    write_slice(config.out, number, Sentences(document, mapping[tokens].astype(np.int32), offsets_of(lengths)))
