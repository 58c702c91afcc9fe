"""One text, or many, to the tokens that the stage tokens makes of them; what is not needed is not imported."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.text.normalization import Normalization
from lengthwise.prepare.text.spacy_words import MOST_WORDS, words_of
from lengthwise.prepare.text.tokenized import TokenizedTexts, as_tokenized

if TYPE_CHECKING:
    from spacy.language import Language

Tokenize = Callable[[str], list[str]]
TokenizeMany = Callable[[list[str]], TokenizedTexts]
# Characters for which it pays to import what tokenizes chunk by chunk.
MANY = 1 << 16


def make_tokenizer(options: TokenizerOptions) -> Tokenize:
    """What makes of one text the tokens that the stage makes of it, sentence after sentence.

    The options may come from anybody's model: a pipeline is taken by name, if it is installed, and never from a path.

    Raises:
        ParamsError: spaCy does not know the language, or the pipeline is not installed.
    """
    normalization = normalization_of(options)
    if options.by == "blanks":
        return lambda text: normalization.clean(text).split()
    if options.by != "words":
        # Arrow takes long to import, and so does spaCy.
        from lengthwise.prepare.text import by_character

        return lambda text: [
            by_character.name_of(point, options.by)
            for point in by_character.points_of(normalization.clean(text), options.by).tolist()
        ]
    from lengthwise.prepare.text.light_spacy import import_spacy

    import_spacy()
    from lengthwise.prepare.text.spacy_languages import installed_pipeline, rule_based_pipeline

    def make() -> "Language":
        by_rule = options.sentences == SENTENCIZER
        return rule_based_pipeline(options.language) if by_rule else installed_pipeline(options.sentences)

    nlp = make()
    most_words = len(nlp.vocab) + MOST_WORDS

    def tokens_of(text: str) -> list[str]:
        nonlocal nlp
        if len(nlp.vocab) > most_words:
            # spaCy forgets no word that it has seen, and a stream of texts has no end.
            nlp = make()
        return words_of(nlp.tokenizer(normalization.clean(text)), options.link_word)

    return tokens_of


def make_tokenizer_of_many(options: TokenizerOptions, tokenize: Tokenize) -> TokenizeMany:
    """What makes of many texts what `make_tokenizer` makes of each, faster where it may go chunk by chunk.

    Args:
        options: how.
        tokenize: what makes the tokens of one text.
    """
    alone = one_by_one(tokenize)
    if options.by != "words" or options.sentences != SENTENCIZER:
        return alone
    by_chunk: TokenizeMany | None = None

    def tokens_of(texts: list[str]) -> TokenizedTexts:
        nonlocal by_chunk
        if by_chunk is None:
            if sum(map(len, texts)) < MANY:
                return alone(texts)
            from lengthwise.prepare.text.known_chunks import KnownChunks

            by_chunk = KnownChunks(options.language, options.link_word, normalization_of(options))
        return by_chunk(texts)

    return tokens_of


def normalization_of(options: TokenizerOptions) -> Normalization:
    """The clean-ups that the options ask for."""
    # Characters and bytes cost the same in a chunk of any length.
    longest = options.longest_chunk if options.by == "words" else None
    return Normalization(options.straighten_quotes, options.collapse_repeats, longest)


def one_by_one(tokenize: Tokenize) -> TokenizeMany:
    """What makes of many texts what `tokenize` makes of each."""
    return lambda texts: as_tokenized([*map(tokenize, texts)])
