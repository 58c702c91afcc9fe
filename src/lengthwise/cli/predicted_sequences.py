"""Rows of predictions of sequences that come as steps: one per sequence, or one per step."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from lengthwise.cli.answers import FORMATS, LeadingValue, answers_of
from lengthwise.core.affixes import affixes_of
from lengthwise.core.names import STEP_TASKS
from lengthwise.core.ragged import offsets_of
from lengthwise.core.sequences import AFFIXES, TOKENS, UNK_ID, Sequences
from lengthwise.corpora.steps.asked import AskedColumns, asked_sequences
from lengthwise.corpora.steps.raw import RawSequence
from lengthwise.corpora.steps.steps_corpus import step_name
from lengthwise.errors import CorpusError, FormatError
from lengthwise.inference.forward import ForwardNetwork
from lengthwise.models.saved_folder import CONFIG_NAME
from lengthwise.predictor import MOST_AT_ONCE, looks_ahead, output_names, read_encoding
from lengthwise.prepare.vocabulary import Vocabulary

# Steps that are predicted together: more take memory and gain nothing.
BATCH_STEPS = 65_536
MOST_BYTES = 4096 << 20


def sequence_rows(model: Path, source: Path, form: str, asked: AskedColumns) -> Iterator[str]:
    """Predict the sequences of a file; yield the header and the rows as text.

    A sequence that lacks a step or a value has no row, and a note on standard error.

    Args:
        model: the folder of a trained network.
        source: a file, a folder or a zip, see `asked_sequences`.
        form: a name of `FORMATS`.
        asked: which columns of the file are read; what the network reads is filled in.

    Raises:
        FormatError: the folder is not whole, or the network reads texts.
        CorpusError: the file does not have what the network reads.
    """
    network = ForwardNetwork.load(model)
    config, vocabulary = network.config, None
    if config.tokens:
        encoding = read_encoding(model)
        if encoding.tokenizer.by != "blanks":
            raise FormatError(
                f"{model / CONFIG_NAME}: tokenizer: is by {encoding.tokenizer.by}, so the network reads texts; "
                "expected one that was trained on ready tokens; give the texts without --sequences"
            )
        vocabulary = encoding.vocabulary
    asked = replace(asked, has_tokens=config.tokens, features=config.feature_columns)
    every_step = config.task in STEP_TASKS
    rows = FORMATS[form](answers_of(config, output_names(config, vocabulary)), only=every_step)
    of_tokens = ("unknown",) if config.tokens else ()
    cells = ("sequence", "step", *(("word",) if config.tokens else ()), *of_tokens)
    # Not before the first sequences are read: an error has no output before it.
    header = rows.header(cells if every_step else ("sequence", "steps", *of_tokens))
    for numbers, batch in _batches(asked_sequences(source, asked, MOST_BYTES), network):
        sequences = _as_read(network, vocabulary, batch)
        said = network.predict_steps(sequences) if every_step else network.predict(sequences)
        yield header
        header = ""
        yield from rows.rows(_leading(numbers, batch, sequences, every_step=every_step), said)
    yield header


def _batches(found: Iterator[RawSequence], network: ForwardNetwork) -> Iterator[tuple[list[int], list[RawSequence]]]:
    """The sequences that can be predicted, each with its number, in batches of about `BATCH_STEPS` steps."""
    longest = MOST_AT_ONCE if looks_ahead(network.config) else None
    numbers: list[int] = []
    batch: list[RawSequence] = []
    size = 0
    for number, sequence in enumerate(found, 1):
        lacks = sequence.lacks if sequence.steps else "a step"
        if lacks:
            print(f"sequence {number}: lacks {lacks}, so nothing can be predicted", file=sys.stderr)
            continue
        if longest is not None and sequence.steps > longest:
            raise CorpusError(
                f"{sequence.place}: has {sequence.steps} steps; expected at most {longest} where the model has "
                f"{looks_ahead(network.config)}; give it in parts"
            )
        numbers.append(number)
        batch.append(sequence)
        size += sequence.steps
        if size >= BATCH_STEPS:
            yield numbers, batch
            numbers, batch, size = [], [], 0
    if batch:
        yield numbers, batch


def _as_read(network: ForwardNetwork, vocabulary: Vocabulary | None, batch: list[RawSequence]) -> Sequences:
    """Sequences with the columns that a network reads."""
    config = network.config
    steps: dict[str, np.ndarray] = {}
    if vocabulary is not None:
        tokens = [token for sequence in batch for token in sequence.tokens or ()]
        steps[TOKENS] = vocabulary.encode(tokens)
        if config.affixes is not None:
            steps[AFFIXES] = affixes_of(tokens, config.affixes)
    for sequence in batch:
        size = sum(vectors.shape[1] for vectors in sequence.features.values())
        if size != config.features:
            raise CorpusError(
                f"{sequence.place}: has {size} numbers a step; expected {config.features}, as the network reads them; "
                "give a file of what it was trained on"
            )
    if config.features:
        columns = [{step_name(name): vectors for name, vectors in one.features.items()} for one in batch]
        for name in config.feature_columns:
            # Those of a `.ts` file are one column, whatever the network calls it.
            steps[name] = np.concatenate([one.get(name, next(iter(one.values()))) for one in columns])
    return Sequences(offsets_of(np.array([sequence.steps for sequence in batch], np.int64)), steps)


def _leading(
    numbers: list[int], batch: list[RawSequence], sequences: Sequences, *, every_step: bool
) -> list[dict[str, LeadingValue]]:
    """What stands before each answer."""
    unknown = sequences[TOKENS] == UNK_ID if TOKENS in sequences.names else None
    leading: list[dict[str, LeadingValue]] = []
    for place, (number, sequence) in enumerate(zip(numbers, batch, strict=True)):
        begin, end = sequences.offsets[place : place + 2].tolist()
        if not every_step:
            counted = {} if unknown is None else {"unknown": int(unknown[begin:end].sum())}
            leading.append({"sequence": number, "steps": sequence.steps, **counted})
            continue
        for step in range(sequence.steps):
            row: dict[str, LeadingValue] = {"sequence": number, "step": step + 1}
            if unknown is not None and sequence.tokens is not None:
                row |= {"word": sequence.tokens[step], "unknown": int(unknown[begin + step])}
            leading.append(row)
    return leading
