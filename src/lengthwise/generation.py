"""Text that a language model makes up: token by token, each from what was said before it."""

from collections.abc import Iterator, Sequence

import numpy as np

from lengthwise.core.names import TokenUnit
from lengthwise.core.sequences import PAD_ID, UNK_ID
from lengthwise.errors import ArgumentError, FormatError
from lengthwise.predictor import Predictor
from lengthwise.prepare.text.by_character import text_of


def generate(
    predictor: Predictor, beginning: Sequence[str], *, most: int, temperature: float = 1.0, seed: int = 0
) -> Iterator[str]:
    """Continue a text; the state is carried on, so that nothing is read twice.

    Args:
        predictor: of a language model that reads forwards only.
        beginning: tokens to go on from, one at least.
        most: tokens to make.
        temperature: what logits are divided by: 0 takes the likeliest token each time, 1 draws as the network says.
        seed: of the draws: the same one gives the same text.

    Yields:
        The tokens behind the beginning; never `<PAD>` or `<UNK>`.

    Raises:
        ArgumentError: the temperature is below 0, or there is no beginning; it is a `ValueError`.
        FormatError: the network is no language model, or needs what is still to come.
    """
    if (task := predictor.network.config.task) != "language_model":
        raise FormatError(f"model: is a {task}; expected a language_model; name another by --model")
    if not temperature >= 0:
        raise ArgumentError("temperature", f"got {temperature}; expected 0 or more")
    if not beginning:
        raise ArgumentError("beginning", "has no token; expected one at least", "give some text")
    rng = np.random.default_rng(seed)
    stream = predictor.stream()
    probabilities = stream.read(list(beginning))
    for _ in range(most):
        token = predictor.vocabulary.tokens[_drawn(probabilities, temperature, rng)]
        yield token
        probabilities = stream.push(token)


def _drawn(probabilities: np.ndarray, temperature: float, rng: np.random.Generator) -> int:
    logits = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float64).tiny))
    logits[[PAD_ID, UNK_ID]] = -np.inf
    if temperature == 0:
        return int(logits.argmax())
    # The largest of logits with Gumbel noise is a draw from their distribution (Gumbel, 1954).
    return int((logits / temperature + rng.gumbel(size=len(logits))).argmax())


def joined(tokens: Sequence[str], by: TokenUnit) -> str:
    """Tokens as text: characters and bytes as they are, words between blanks.

    >>> joined(["T", "o", " "], "characters"), joined(["to", "be"], "words")
    ('To ', 'to be')

    Args:
        tokens: to be joined.
        by: what texts are cut into.
    """
    return text_of(list(tokens), by) if by in ("characters", "bytes") else " ".join(tokens)
