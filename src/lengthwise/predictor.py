"""A trained network on any text: whole, or token by token as it comes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from lengthwise.core.labels import joint_class_names
from lengthwise.core.sequences import AFFIXES, TOKENS, UNK_ID, Sequences
from lengthwise.errors import ArgumentError, FormatError, ParamsError
from lengthwise.inference.forward import ForwardNetwork
from lengthwise.models.config import NetworkConfig
from lengthwise.models.saved_folder import CONFIG_NAME, REMEDY, STAGE, VOCABULARY_NAME, read_config
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.prepare.shards.text_encoding import TextEncoding
from lengthwise.prepare.text.text_tokenizer import TokenizeMany, make_tokenizer, make_tokenizer_of_many, one_by_one
from lengthwise.prepare.text.token_codes import TokenCodes, token_columns
from lengthwise.prepare.text.tokenized import TokenizedTexts, as_tokenized
from lengthwise.prepare.vocabulary import Vocabulary, read_vocabulary

# Tokens that are read at once, as far as the state can be carried on.
WINDOW = 32_768
# Tokens of a text for a network that has to see all of it at once: up to 7 KiB each, of 64 units both ways by Keras.
MOST_AT_ONCE = 4 * WINDOW


class Predictor:
    """A network with its vocabulary and its tokenizer.

    Args:
        network: trained.
        vocabulary: what it was trained with.
        tokenize: a text's tokens, as the stage tokens makes them.
        tokenize_many: those of many texts, the same but faster; None: text by text.

    Raises:
        FormatError: the vocabulary is not the network's.
    """

    def __init__(
        self,
        network: ForwardNetwork,
        vocabulary: Vocabulary,
        tokenize: Callable[[str], list[str]],
        tokenize_many: TokenizeMany | None = None,
    ) -> None:
        if len(vocabulary) != network.config.vocabulary_size:
            raise FormatError(
                f"vocabulary: has {len(vocabulary)} entries; expected {network.config.vocabulary_size}, as the network "
                "was trained with; give that one, or train again"
            )
        self.network, self.vocabulary, self.tokenize = network, vocabulary, tokenize
        self.tokenize_many = tokenize_many or one_by_one(tokenize)
        self._codes = TokenCodes(vocabulary, network.config.affixes)

    @classmethod
    def load(cls, model: Path) -> "Predictor":
        """Read a folder that the stage train wrote; nothing else is needed.

        Raises:
            FormatError: a file of it is absent or damaged, its files do not belong together, or its tokenizer is not
                installed here.
        """
        encoding = read_encoding(model)
        try:
            tokenize = make_tokenizer(encoding.tokenizer)
        except ParamsError as error:
            raise FormatError(f"{model / CONFIG_NAME}: {error}") from error
        many = make_tokenizer_of_many(encoding.tokenizer, tokenize)
        return cls(ForwardNetwork.load(model), encoding.vocabulary, tokenize, many)

    @property
    def classes(self) -> list[str]:
        """The names of what the C outputs are: classes, labels, tags, numbers or tokens."""
        return output_names(self.network.config, self.vocabulary)

    @property
    def longest(self) -> int | None:
        """The most tokens of a text that `whole` takes; None, which is any, for a network that reads forwards only."""
        return MOST_AT_ONCE if looks_ahead(self.network.config) else None

    def check_length(self, tokens: int, what: str) -> None:
        """Refuse a text that `whole` does not take.

        Args:
            tokens: that it has.
            what: how the message calls it.

        Raises:
            FormatError: they are more than `longest`.
        """
        if self.longest is not None and tokens > self.longest:
            raise FormatError(
                f"{what}: has {tokens} tokens; expected at most {self.longest} where the model has "
                f"{looks_ahead(self.network.config)}; give it in parts"
            )

    def unknown(self, tokens: Sequence[str]) -> int:
        """How many of a text's tokens are not in the vocabulary."""
        return int((self.vocabulary.encode(tokens) == UNK_ID).sum())

    def whole(self, texts: Sequence[list[str]]) -> np.ndarray:
        """What the network says of whole texts, at the last token of each: probabilities, or numbers.

        Args:
            texts: S lists of tokens, each of one at least, of any length, whatever the lengths in training were.

        Returns:
            float32 (S, C), each row adds up to 1; but of several labels the probability of each, and of numbers they.

        Raises:
            FormatError: a text has more tokens than `longest`.
            ArgumentError: a text has none; it is a `ValueError`.
        """
        sequences = self.sequences(texts)
        if len(empty := np.flatnonzero(sequences.lengths == 0)):
            raise ArgumentError(f"text {empty[0]}", "has no token; expected one at least", "leave empty texts out")
        return self.at_ends(sequences)

    def at_ends(self, sequences: Sequences) -> np.ndarray:
        """The same of texts that are encoded already.

        Args:
            sequences: S, each of one step at least, as `encode` or `sequences` gives them.

        Returns:
            See `whole`.

        Raises:
            FormatError: a text has more tokens than `longest`.
        """
        lengths = sequences.lengths
        self.check_length(int(lengths.max(initial=0)), "a text")
        windowed = (lengths > WINDOW) & (self.longest is None)
        if not windowed.any():
            return self.network.predict(sequences)
        probabilities = np.empty((len(sequences), self.network.config.outputs), np.float32)
        at_once = np.flatnonzero(~windowed)
        probabilities[at_once] = self.network.predict(sequences.take(at_once))
        for place in np.flatnonzero(windowed).tolist():
            probabilities[place] = self.stream().read_steps(sequences.take([place]).per_step)
        return probabilities

    def sequences(self, texts: Sequence[list[str]]) -> Sequences:
        """Texts as the network reads them.

        Args:
            texts: S lists of tokens.
        """
        return self.encode(as_tokenized(texts))

    def encode(self, texts: TokenizedTexts) -> Sequences:
        """The same of what `tokenize_many` gives; each token of its lexicon is looked up once."""
        of_lexicon = self._codes.of(texts.lexicon)
        return Sequences(texts.offsets, {name: column[texts.numbers] for name, column in of_lexicon.items()})

    def every_step(self, texts: Sequence[list[str]]) -> np.ndarray:
        """What a network that predicts at every step says of whole texts.

        Args:
            texts: S lists of tokens, N in all.

        Returns:
            Probabilities, float32 (N, C), one text after another.

        Raises:
            FormatError: a text has more tokens than `longest`.
        """
        self.check_length(max(map(len, texts), default=0), "a text")
        return self.network.predict_steps(self.sequences(texts))

    def stream(self) -> "TokenStream":
        """A reader that says something after every token.

        Raises:
            FormatError: the network has to see tokens that are still to come.
        """
        return TokenStream(self.network, self.vocabulary)


class TokenStream:
    """Reads a text token by token and carries the state on, so that nothing is read twice; see `Predictor.stream`."""

    def __init__(self, network: ForwardNetwork, vocabulary: Vocabulary) -> None:
        if reason := looks_ahead(network.config):
            raise FormatError(
                f"model: has {reason}, so it needs all of a text; expected one that reads forwards only and whose last "
                "output counts; predict whole texts, or train another"
            )
        self._network, self._vocabulary = network, vocabulary
        self.restart()

    def restart(self) -> None:
        """The next token begins a text."""
        self._states = self._network.first_states()

    def push(self, token: str) -> np.ndarray:
        """Read one more token.

        Returns:
            The class probabilities after it: float32 (C,).
        """
        return self.read([token])

    def read(self, tokens: Sequence[str]) -> np.ndarray:
        """Read more tokens, one at least, in windows of bounded size.

        Returns:
            The class probabilities after the last of them: float32 (C,).
        """
        return self.read_steps(token_columns(tokens, self._vocabulary, self._network.config.affixes))

    def read_steps(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The same of tokens that are encoded already.

        Args:
            columns: by name, of each of N tokens what the network reads, as `Predictor.sequences` has it.
        """
        read = {AFFIXES: columns[AFFIXES]} if AFFIXES in columns else {}
        ids = columns[TOKENS]
        for begin in range(0, len(ids), WINDOW):
            window = slice(begin, begin + WINDOW)
            beside = {name: column[window] for name, column in read.items()}
            said, self._states = self._network.read_on(ids[window], beside, self._states)
        return said


def output_names(config: NetworkConfig, vocabulary: Vocabulary | None) -> list[str]:
    """The names of what the C outputs of a network are.

    Args:
        config: of the network.
        vocabulary: what it was trained with; a language model has one.
    """
    if config.task == "tagger":
        return [*config.tags]
    if config.task == "regressor":
        return [*config.numbers]
    if config.task == "language_model" and vocabulary is not None:
        return [*vocabulary.tokens]
    return [factor.name for factor in config.factors] if config.several else joint_class_names(config.factors)


def looks_ahead(config: NetworkConfig) -> str:
    """The settings that make a network need tokens that are still to come; nothing if there are none."""
    if config.bidirectional or config.front_end != "none":
        return f"bidirectional={config.bidirectional} and front_end={config.front_end}"
    return f"readout={config.readout}" if config.pooled else ""


def read_encoding(folder: Path) -> TextEncoding:
    """Read how text becomes the ids of a saved network.

    Raises:
        FormatError: see `read_config`; or the network has no vocabulary, or one of another size.
    """
    config = read_config(folder)
    if config.tokenizer is None:
        raise FormatError(
            f"{folder / CONFIG_NAME}: tokenizer: is null, so the network was not trained on text; expected one that "
            "was; give sequences of steps by --sequences FILE"
        )
    try:
        tokenizer = TokenizerOptions.from_json(config.tokenizer)
    except ValueError as error:
        raise FormatError(f"{folder / CONFIG_NAME}: tokenizer: {error}; {REMEDY}") from None
    vocabulary = read_vocabulary(folder / VOCABULARY_NAME, STAGE)
    if len(vocabulary) != config.network.vocabulary_size:
        raise FormatError(
            f"{folder / VOCABULARY_NAME}: has {len(vocabulary)} entries; expected {config.network.vocabulary_size}, as "
            f"{CONFIG_NAME} says; {REMEDY}"
        )
    return TextEncoding(tokenizer, vocabulary)
