"""The first stage: params are refused before DVC clears what another stage has written.

DVC removes the outputs of a stage before it runs the stage's command: a refusal by the stage itself comes too late. So
the first of the other stages depends on a file that this one writes, and they on each other: DVC runs this one before
any of them. The file never changes, so that changed params alone run no stage again that does not read them.
"""

import os
from pathlib import Path

from lengthwise.errors import ParamsError, VectorsError
from lengthwise.native.arch import kernel_arch
from lengthwise.pipeline.ablations.definitions import load_ablations
from lengthwise.pipeline.settings.params import ModelParams, Params, load_params
from lengthwise.pipeline.stage import worker_count
from lengthwise.pipeline.stages.train.machines import check_machines
from lengthwise.pipeline.stages.train.pretrained import check_wanted
from lengthwise.pipeline.translation import errors_under_keys
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.system.cluster import connect, scheduler
from lengthwise.system.files import replacing_file

CONTENT = "The params are legal.\n"
REMEDY = "no output was touched, and git checkout brings the file back as it was committed"


def check_files(params: Path, ablations: Path, checked: Path) -> None:
    """Check all params, and write the file `checked`.

    Args:
        params: `params.yaml`.
        ablations: `ablations/params.yaml`.
        checked: the file that the stage ingest depends on.

    Raises:
        ParamsError: one line with the file, the key, the value, what was expected and what to do.
        InstructionSetError: `LENGTHWISE_KERNEL_ARCH` names none that this machine has.
        LengthwiseError: `LENGTHWISE_WORKERS` is no positive integer, `TF_CONFIG` or `LENGTHWISE_TRAIN_WORKERS` asks for
            workers that cannot train, or there is no cluster at `LENGTHWISE_SCHEDULER`.
    """
    # DVC has cleared this very file too: it is back before anything may be refused.
    with replacing_file(checked) as beside:
        beside.write_text(CONTENT, encoding="utf-8")
    try:
        content = load_params(params)
        load_ablations(ablations, content)
        try:
            _check_source(content.ingest.source)
            _check_tasks(content)
            _check_characters(content)
            _check_tokenizer(content.tokens.options)
            _check_vectors(content.train.model)
        except ParamsError as error:
            raise ParamsError(f"{params}: {error}") from None
    except ParamsError as error:
        raise ParamsError(f"{error} ({REMEDY})") from None
    # The environment variables, which a later stage would refuse too late.
    kernel_arch()
    worker_count()
    check_machines(content.train.logical_shards, os.environ)
    if address := scheduler():
        connect(address).close()


def _check_tasks(params: Params) -> None:
    """Refuse a task of which the corpus has nothing to predict."""
    outline = params.ingest.chosen.outline
    for task in params.tasks:
        if missing := outline.lacks(task):
            corpus = params.ingest.corpus
            raise ParamsError(
                f"tasks: got {task}; ingest.{corpus} names no {missing}; name their column there, or take it from tasks"
            )


def _check_characters(params: Params) -> None:
    """Refuse n-grams of characters where no step has a token."""
    longest = params.baselines.linear.characters
    if longest is not None and not params.ingest.chosen.outline.has_tokens:
        corpus = params.ingest.corpus
        raise ParamsError(
            f"baselines.characters: got {longest}; ingest.{corpus} names no tokens; name their column there, or leave "
            "it empty"
        )


def _check_source(source: str) -> None:
    if not _exists(source):
        expected = "a file or a folder that is there"
        raise ParamsError(f"ingest.source: got {source!r}; expected {expected}; change it")


def _check_tokenizer(tokens: TokenizerOptions) -> None:
    """Refuse a language or a pipeline that spaCy does not have."""
    # spaCy takes seconds to import, which the default is spared.
    if (tokens.language, tokens.sentences) == ("en", "sentencizer"):
        return
    from lengthwise.prepare.text.spacy_languages import named_pipeline, rule_based_pipeline

    if tokens.sentences == "sentencizer":
        rule_based_pipeline(tokens.language)
    else:
        named_pipeline(tokens.sentences)


def _check_vectors(model: ModelParams) -> None:
    """Refuse vectors that are not there, or not of the embedding's size."""
    try:
        with errors_under_keys():
            check_wanted(model.pretrained, model.architecture.embedding)
    except VectorsError as error:
        raise ParamsError(str(error)) from None


def _exists(source: str) -> bool:
    try:
        return Path(source).exists()
    except OSError:  # The name is too long, or a folder on the way may not be read.
        return False
