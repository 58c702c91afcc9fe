"""The stage tokens: documents to a lexicon and to sentences of its ids."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lengthwise.prepare.documents import open_documents
from lengthwise.prepare.text import by_rule
from lengthwise.prepare.text.by_rule import MOST_WORDS
from lengthwise.prepare.text.normalization import Normalization
from lengthwise.prepare.text.options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.text.store import TokenStore, slice_path, write_index, write_lexicon
from lengthwise.system.files import replacing_folder, scratch_folder
from lengthwise.system.parallel import Workers

if TYPE_CHECKING:
    from spacy.language import Language


def make_tokenizer(options: TokenizerOptions) -> Callable[[str], list[str]]:
    """What makes of one text the tokens that `tokenize` makes of it, sentence after sentence.

    The options may come from anybody's model: a pipeline is taken by name, if it is installed, and never from a path.

    Raises:
        ParamsError: spaCy does not know the language, or the pipeline is not installed.
    """
    from lengthwise.prepare.text.spacy_tokenizer import installed_pipeline, rule_based_pipeline, words_of

    def make() -> "Language":
        by_rule = options.sentences == SENTENCIZER
        return rule_based_pipeline(options.language) if by_rule else installed_pipeline(options.sentences)

    normalization = _normalization(options)
    nlp = make()
    most_words = len(nlp.vocab) + MOST_WORDS

    def tokens_of(text: str) -> list[str]:
        nonlocal nlp
        if len(nlp.vocab) > most_words:
            # spaCy forgets no word that it has seen, and a stream of texts has no end.
            nlp = make()
        return words_of(nlp.tokenizer(normalization.clean(text)), options.link_word)

    return tokens_of


def _normalization(options: TokenizerOptions) -> Normalization:
    return Normalization(options.straighten_quotes, options.collapse_repeats)


def tokenize(documents: Path, folder: Path, options: TokenizerOptions, worker_count: int) -> dict[str, int]:
    """Tokenize all documents; the bytes written do not depend on the number of workers.

    Lower case; number-like tokens become `<#>`; white space is dropped: as the source article has it.

    Args:
        documents: a table of documents.
        folder: where the tokens go (see `lengthwise.prepare.text.store`).
        options: how.
        worker_count: processes to use.

    Returns:
        Counts of documents, sentences, tokens and distinct tokens.

    Raises:
        FormatError: the table of documents is absent or of another version.
        ParamsError: spaCy does not know the language, or the pipeline is not installed.
    """
    file = open_documents(documents)
    slices, rows = file.num_row_groups, file.metadata.num_rows
    with replacing_folder(folder) as out, scratch_folder(folder) as scratch:
        slice_path(out, 0).parent.mkdir()
        common = (documents, scratch, out)
        normalization = _normalization(options)
        workers = min(worker_count, slices)
        if options.sentences == SENTENCIZER:
            rule = by_rule.RuleConfig(*common, options.language, normalization, options.link_word)
            with Workers(workers, by_rule.start_worker, rule) as pool:
                lexicon = by_rule.tokenize_by_rule(rule, slices, pool)
        else:
            # It imports spaCy, which the parent of several workers by rule does not need.
            from lengthwise.prepare.text import by_pipeline

            named = by_pipeline.PipelineConfig(*common, options.sentences, normalization, options.link_word)
            with Workers(workers, by_pipeline.start_worker, named) as pool:
                lexicon = by_pipeline.tokenize_by_pipeline(named, slices, pool)
        write_lexicon(out, lexicon)
        write_index(out, slices, options)
    store = TokenStore(folder)
    return {
        "documents": rows,
        "distinct_tokens": len(lexicon),
        "sentences": store.sentences,
        "tokens": store.tokens,
    }
