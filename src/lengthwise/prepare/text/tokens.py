"""The stage tokens: documents to a lexicon and to sentences of its ids."""

from dataclasses import replace
from pathlib import Path

from lengthwise.prepare.documents import document_count, document_form, document_id, open_documents
from lengthwise.prepare.forms.tokenizer_options import SENTENCIZER, TokenizerOptions
from lengthwise.prepare.text import by_blanks, by_character, by_rule, ready
from lengthwise.prepare.text.notices import TextNotices
from lengthwise.prepare.text.store import TokenStore, slice_path, write_index, write_lexicon
from lengthwise.prepare.text.text_tokenizer import normalization_of
from lengthwise.system.files import replacing_folder, scratch_folder
from lengthwise.system.parallel import Workers


def tokenize(documents: Path, folder: Path, options: TokenizerOptions, worker_count: int) -> dict[str, int]:
    """Tokenize all documents; the bytes written do not depend on the number of workers.

    Words are in lower case; number-like ones become `<#>`; white space is dropped: as the source article has it.
    Characters and bytes are as they are. Documents that come as steps keep their own tokens.

    Args:
        documents: a table of documents.
        folder: where the tokens go (see `lengthwise.prepare.text.store`).
        options: how.
        worker_count: processes to use.

    Returns:
        Counts of documents, sentences, tokens and distinct tokens, of documents in scripts without blanks between
        words, if these are looked for between blanks, and of chunks cut because they were too long.

    Raises:
        FormatError: the table of documents is absent or of another version.
        ParamsError: spaCy does not know the language, or the pipeline is not installed.
    """
    file = open_documents(documents)
    slices, rows = file.num_row_groups, document_count(file)
    with replacing_folder(folder) as out, scratch_folder(folder) as scratch:
        slice_path(out, 0).parent.mkdir()
        common = (documents, scratch, out)
        normalization = normalization_of(options)
        workers = min(worker_count, slices)
        form = document_form(file)
        columns = [column for column in form.steps if column.kind != "tokens"]
        notices = TextNotices()
        has_tokens = len(columns) < len(form.steps) or not form.steps
        if form.steps:
            with Workers(workers, by_character.start_worker) as pool:
                lexicon = ready.write_ready(ready.ReadyConfig(documents, out, form), slices, pool)
            # So a text is read as the tokens that a network was trained on.
            options = replace(options, by="blanks")
        elif options.by == "blanks":
            blanks = by_blanks.BlanksConfig(documents, out, normalization)
            with Workers(workers, by_character.start_worker) as pool:
                lexicon = by_blanks.split_at_blanks(blanks, slices, pool)
        elif options.by != "words":
            config = by_character.CharacterConfig(documents, out, options.by, normalization)
            with Workers(workers, by_character.start_worker) as pool:
                lexicon = by_character.tokenize_by_character(config, slices, pool)
        elif options.sentences == SENTENCIZER:
            rule = by_rule.RuleConfig(*common, options.language, normalization, options.link_word)
            with Workers(workers, by_rule.start_worker, rule) as pool:
                lexicon, notices = by_rule.tokenize_by_rule(rule, slices, pool)
        else:
            # It imports spaCy, which the parent of several workers by rule does not need.
            from lengthwise.prepare.text import by_pipeline

            named = by_pipeline.PipelineConfig(*common, options.sentences, normalization, options.link_word)
            with Workers(workers, by_pipeline.start_worker, named) as pool:
                lexicon, notices = by_pipeline.tokenize_by_pipeline(named, slices, pool)
        write_lexicon(out, lexicon)
        write_index(out, slices, options, columns, has_tokens=has_tokens)
    language = options.language if options.sentences == SENTENCIZER else options.sentences
    notices.warn(language, options.longest_chunk, document_id(documents, notices.document) if notices.longest else "")
    store = TokenStore(folder)
    return {
        form.items: rows,
        f"{form.items}_spaceless": notices.spaceless,
        "chunks_cut": notices.cut,
        "distinct_tokens": len(lexicon),
        "sentences": store.sentences,
        "tokens": store.tokens,
    }
