"""Documents that come as steps: their tokens get the ids of a lexicon, their tags and features stay as they are.

Each document is one sentence; one without a step is none.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import TOKENS
from lengthwise.prepare.documents import read_steps, slice_rows
from lengthwise.prepare.forms.document_form import SequenceForm
from lengthwise.prepare.text.lexicon import merge_lexicons
from lengthwise.prepare.text.store import Sentences, write_slice
from lengthwise.system.parallel import Workers, tracked


@dataclass(frozen=True)
class ReadyConfig:
    """What a worker needs to know; see `RuleConfig`."""

    documents: Path
    out: Path
    form: SequenceForm


def write_ready(config: ReadyConfig, slices: int, workers: Workers) -> pa.Array:
    """Write the steps of all slices.

    Returns:
        The lexicon; empty, if steps have no tokens.
    """
    numbers = range(slices)
    lexicon, mappings = pa.array([], pa.string()), [np.zeros(0, np.int32)] * slices
    if any(column.kind == "tokens" for column in config.form.steps):
        parts = tracked("tokens: lexicon", "slices", slices, workers.map(partial(_distinct_tokens, config), numbers))
        lexicon, mappings = merge_lexicons(parts)
    tasks = list(zip(numbers, mappings, strict=True))
    tracked("tokens: steps", "slices", slices, workers.map(partial(_write_steps, config), tasks))
    return lexicon


def _distinct_tokens(config: ReadyConfig, number: int) -> pa.Array:
    lists = read_steps(config.documents, number, [TOKENS])[0]
    return pc.unique(lists.flatten())


def _write_steps(config: ReadyConfig, task: tuple[int, np.ndarray]) -> None:
    number, mapping = task
    names = [column.name for column in config.form.steps]
    lists = dict(zip(names, read_steps(config.documents, number, names), strict=True))
    lengths = lists[names[0]].value_lengths().to_numpy()
    document = slice_rows(config.documents, number).document[lengths > 0]
    columns, tokens = {}, None
    for column in config.form.steps:
        items = lists[column.name].flatten()
        if column.kind == "tokens":
            tokens = mapping[items.dictionary_encode().indices.to_numpy()]
        elif column.kind == "tags":
            columns[column.name] = items.to_numpy()
        else:
            columns[column.name] = items.flatten().to_numpy().reshape(-1, column.size)
    offsets = offsets_of(lengths[lengths > 0].astype(np.int64))
    others = [column for column in config.form.steps if column.kind != "tokens"]
    write_slice(config.out, number, Sentences(document, tokens, offsets, columns), others)
