"""Sentence boundaries by rule, as spaCy's `Sentencizer` sets them, over whole arrays of tokens."""

import numpy as np

from lengthwise.prepare.text.chunks import ENDS_SENTENCE, IS_PUNCTUATION


def sentence_starts(flags: np.ndarray, text_starts: np.ndarray) -> np.ndarray:
    """Which tokens begin a sentence.

    The first token of a text does, and the first token after a sentence's end that is no punctuation:

        tokens    He  left  .  "  So  did  I  !  ?  )  End
        starts     x               x                    x

    Args:
        flags: uint8 (N,), of ENDS_SENTENCE and IS_PUNCTUATION.
        text_starts: int64 (texts,), where each text that has tokens begins; rising, the first is 0.

    Returns:
        bool (N,).
    """
    if not len(flags):
        return np.zeros(0, bool)
    ends_before = np.concatenate([[0], np.cumsum((flags & ENDS_SENTENCE) != 0)])
    words = np.flatnonzero(flags & (ENDS_SENTENCE | IS_PUNCTUATION) == 0)
    text_start = text_starts[np.searchsorted(text_starts, words, side="right") - 1]
    since = np.maximum(np.concatenate([[0], words[:-1] + 1]), text_start) if len(words) else words
    starts = np.zeros(len(flags), bool)
    starts[words] = ends_before[words] > ends_before[since]
    starts[text_starts] = True
    return starts
