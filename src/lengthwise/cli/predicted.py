"""Rows of predictions: one per text, predicted in batches, or one after every token of a stream."""

import sys
from collections.abc import Iterable, Iterator

import numpy as np

from lengthwise.cli.answers import FORMATS, LeadingValue, RowFormat, answers_of
from lengthwise.cli.text_input import whole_text
from lengthwise.core.names import STEP_TASKS
from lengthwise.predictor import Predictor

# Tokens that are predicted together: more take memory and gain nothing.
BATCH_TOKENS = 65_536
# Characters that are tokenized together: about as many as those tokens have.
BATCH_CHARACTERS = 4 * BATCH_TOKENS
# What comes before an answer for each token.
STEP_CELLS = ("text", "token", "word", "unknown")
NO_TOKENS = "has no tokens, so nothing can be predicted"


def predicted_rows(predictor: Predictor, texts: Iterable[Iterable[str]], form: str, stream: bool) -> Iterator[str]:
    """Predict texts; yield the header and the rows as text.

    Notes on texts without a known token go to standard error.

    Args:
        predictor: of a trained network.
        texts: each as its pieces.
        form: a name of `FORMATS`.
        stream: whether a row comes after every token, or after every text.
    """
    config = predictor.network.config
    # Of tags and tokens there are many, and a row for each step.
    row_format = FORMATS[form](answers_of(config, predictor.classes), only=config.task in STEP_TASKS)
    if stream:
        return _stream_rows(predictor, texts, row_format)
    rows = _step_rows if config.task in STEP_TASKS else _whole_rows
    return rows(predictor, texts, row_format)


def _step_rows(predictor: Predictor, texts: Iterable[Iterable[str]], form: RowFormat) -> Iterator[str]:
    """A row for each token of whole texts: its tag, or the token that follows."""
    header = form.header(STEP_CELLS)
    for batch in _batches(predictor, texts):
        predicted = iter(predictor.every_step([tokens for _, tokens in batch]))
        yield header
        header = ""
        for number, tokens in batch:
            for place, token in enumerate(tokens, 1):
                cells = (number, place, token, predictor.unknown([token]))
                yield from form.rows([dict(zip(STEP_CELLS, cells, strict=True))], next(predicted)[np.newaxis])
    yield header


def _whole_rows(predictor: Predictor, texts: Iterable[Iterable[str]], form: RowFormat) -> Iterator[str]:
    # Not before the first texts are read: an error has no output before it.
    header = form.header(("text", "tokens", "unknown"))
    for batch in _batches(predictor, texts):
        read = [tokens for _, tokens in batch]
        predicted = predictor.whole(read)
        yield header
        header = ""
        leading = []
        for (number, tokens), unknown in zip(batch, predictor.unknown_in(read), strict=True):
            if unknown == len(tokens):
                _note(number, _none_known(unknown))
            leading.append({"text": number, "tokens": len(tokens), "unknown": unknown})
        yield from form.rows(leading, predicted)
    yield header


def _batches(predictor: Predictor, texts: Iterable[Iterable[str]]) -> Iterator[list[tuple[int, list[str]]]]:
    """The texts that have tokens, each with its number, in batches of about `BATCH_TOKENS` tokens."""
    batch: list[tuple[int, list[str]]] = []
    size = 0
    for number, tokens in _tokenized(predictor, texts):
        if not tokens:
            _note(number, NO_TOKENS)
            continue
        predictor.check_length(len(tokens), f"text {number}")
        batch.append((number, tokens))
        size += len(tokens)
        if size >= BATCH_TOKENS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _tokenized(predictor: Predictor, texts: Iterable[Iterable[str]]) -> Iterator[tuple[int, list[str]]]:
    """The tokens of each text, with its number; of about `BATCH_CHARACTERS` together."""
    waiting: list[str] = []
    first, size = 1, 0
    for text in texts:
        waiting.append(whole_text(text))
        size += len(waiting[-1])
        if size >= BATCH_CHARACTERS:
            yield from enumerate(predictor.tokenize_many(waiting), first)
            first, size, waiting = first + len(waiting), 0, []
    yield from enumerate(predictor.tokenize_many(waiting), first)


def _stream_rows(predictor: Predictor, texts: Iterable[Iterable[str]], form: RowFormat) -> Iterator[str]:
    stream = predictor.stream()
    yield form.header(STEP_CELLS)
    for number, text in enumerate(texts, 1):
        stream.restart()
        place = unknown = 0
        for token in (token for piece in text for token in predictor.tokenize(piece)):
            place += 1
            is_unknown = predictor.unknown([token])
            unknown += is_unknown
            cells: tuple[LeadingValue, ...] = (number, place, token, is_unknown)
            yield from form.rows([dict(zip(STEP_CELLS, cells, strict=True))], stream.push(token)[np.newaxis])
        if not place:
            _note(number, NO_TOKENS)
        elif unknown == place:
            _note(number, _none_known(unknown))


def _none_known(tokens: int) -> str:
    return f"none of its {tokens} tokens is in the vocabulary" if tokens > 1 else "its token is not in the vocabulary"


def _note(number: int, what: str) -> None:
    print(f"text {number}: {what}", file=sys.stderr)
