"""Rows of predictions: one per text, predicted in batches, or one after every token of a stream."""

import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from lengthwise.cli.answers import FORMATS, LeadingValue, RowFormat, answers_of
from lengthwise.cli.text_input import whole_text
from lengthwise.core.names import STEP_TASKS
from lengthwise.core.ragged import offsets_of, ranges
from lengthwise.core.sequences import TOKENS, UNK_ID, Sequences
from lengthwise.predictor import Predictor

# Tokens that are predicted together: more take memory and gain nothing.
BATCH_TOKENS = 65_536
# Characters that are tokenized together: about as many as those tokens have.
BATCH_CHARACTERS = 4 * BATCH_TOKENS
# What comes before an answer for each token.
WORD = "word"
STEP_CELLS = ("text", "token", WORD, "unknown")
# And before an answer for each text.
WHOLE_CELLS = ("text", "tokens", "unknown")
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
    for batch in _batches(predictor, texts, WORD):
        sequences = batch.sequences
        predicted = predictor.network.predict_steps(sequences)
        yield header
        header = ""
        numbers = np.repeat(batch.numbers, sequences.lengths).tolist()
        places = (ranges(np.zeros_like(sequences.lengths), sequences.lengths) + 1).tolist()
        unknown = (sequences[TOKENS] == UNK_ID).astype(int).tolist()
        cells = zip(numbers, places, sequences[WORD].tolist(), unknown, strict=True)
        yield from form.rows((dict(zip(STEP_CELLS, of_step, strict=True)) for of_step in cells), predicted)
    yield header


def _whole_rows(predictor: Predictor, texts: Iterable[Iterable[str]], form: RowFormat) -> Iterator[str]:
    # Not before the first texts are read: an error has no output before it.
    header = form.header(WHOLE_CELLS)
    for batch in _batches(predictor, texts):
        sequences = batch.sequences
        predicted = predictor.at_ends(sequences)
        yield header
        header = ""
        unknown = np.diff(offsets_of(sequences[TOKENS] == UNK_ID)[sequences.offsets])
        for place in np.flatnonzero(unknown == sequences.lengths).tolist():
            _note(int(batch.numbers[place]), _none_known(int(unknown[place])))
        cells = zip(batch.numbers.tolist(), sequences.lengths.tolist(), unknown.tolist(), strict=True)
        yield from form.rows((dict(zip(WHOLE_CELLS, of_text, strict=True)) for of_text in cells), predicted)
    yield header


class _NumberedTexts(NamedTuple):
    """Texts as the network reads them, each with its number.

    Attributes:
        numbers: int64 (S,), which texts they are, from 1.
        sequences: what the network reads of them.
    """

    numbers: np.ndarray
    sequences: Sequences


def _batches(predictor: Predictor, texts: Iterable[Iterable[str]], word: str | None = None) -> Iterator[_NumberedTexts]:
    """The texts that have tokens, in batches of about `BATCH_TOKENS` tokens; `word` names a column of the tokens."""
    waiting: list[_NumberedTexts] = []
    size = 0
    for encoded in _encoded(predictor, texts, word):
        begin, ends = 0, encoded.sequences.offsets[1:]
        while begin < len(ends):
            # The text with which the batch has enough is its last one.
            before = encoded.sequences.offsets[begin]
            end = min(int(np.searchsorted(ends, before + BATCH_TOKENS - size)) + 1, len(ends))
            waiting.append(_with_tokens(predictor, encoded, slice(begin, end)))
            size += int(ends[end - 1] - before)
            if size >= BATCH_TOKENS:
                yield _together(waiting)
                waiting, size = [], 0
            begin = end
    if size:
        yield _together(waiting)


def _with_tokens(predictor: Predictor, encoded: _NumberedTexts, of: slice) -> _NumberedTexts:
    """Some of the texts without those that have no tokens, which is said."""
    numbers, lengths = encoded.numbers[of], encoded.sequences.lengths[of]
    longest = predictor.longest
    for place in np.flatnonzero((lengths == 0) | (lengths > (longest or lengths.max()))).tolist():
        predictor.check_length(int(lengths[place]), f"text {numbers[place]}")
        _note(int(numbers[place]), NO_TOKENS)
    kept = np.flatnonzero(lengths > 0)
    return _NumberedTexts(numbers[kept], encoded.sequences.take(of.start + kept))


def _together(parts: list[_NumberedTexts]) -> _NumberedTexts:
    if len(parts) == 1:
        return parts[0]
    sequences = [part.sequences for part in parts]
    columns = {name: np.concatenate([part[name] for part in sequences]) for name in sequences[0].per_step}
    offsets = offsets_of(np.concatenate([part.lengths for part in sequences]))
    return _NumberedTexts(np.concatenate([part.numbers for part in parts]), Sequences(offsets, columns))


def _encoded(predictor: Predictor, texts: Iterable[Iterable[str]], word: str | None) -> Iterator[_NumberedTexts]:
    """All texts, of about `BATCH_CHARACTERS` together."""
    first = 1
    for together in _in_blocks(texts):
        tokenized = predictor.tokenize_many(together)
        sequences = predictor.encode(tokenized)
        if word is not None:
            words = np.array(tokenized.lexicon, object)[tokenized.numbers]
            sequences = Sequences(sequences.offsets, {**sequences.per_step, word: words})
        yield _NumberedTexts(np.arange(first, first + len(together)), sequences)
        first += len(together)


def _in_blocks(texts: Iterable[Iterable[str]]) -> Iterator[list[str]]:
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(whole_text(text))
        size += len(waiting[-1])
        if size >= BATCH_CHARACTERS:
            yield waiting
            waiting, size = [], 0
    yield waiting


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
