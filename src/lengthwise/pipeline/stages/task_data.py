"""What the shards have for a task: what a network reads and predicts, what baselines read, and what both are scored by.

The first column of tags is what a tagger predicts; all columns of features are read.
"""

from lengthwise.core.affixes import BUCKETS
from lengthwise.core.names import LABEL_TASKS, Task, TokenUnit, Unit
from lengthwise.core.sequences import AFFIXES, TOKENS
from lengthwise.errors import FormatError
from lengthwise.evaluation.input_columns import InputColumns
from lengthwise.evaluation.scoring.class_scoring import ClassScoring
from lengthwise.evaluation.scoring.label_scoring import LabelScoring
from lengthwise.evaluation.scoring.next_token_scoring import NextTokenScoring, Word
from lengthwise.evaluation.scoring.number_scoring import NumberScoring
from lengthwise.evaluation.scoring.tag_scoring import TagScoring
from lengthwise.evaluation.scoring.task_scoring import TaskScoring
from lengthwise.models.config import NetworkConfig, Purpose
from lengthwise.prepare.forms.document_form import ColumnForm, SequenceForm
from lengthwise.prepare.shards.schema import ShardIndex

WORDS: dict[TokenUnit, Word] = {"words": "token", "blanks": "token", "characters": "character", "bytes": "byte"}


def purpose_of(task: Task, index: ShardIndex) -> Purpose:
    """What a network for a task reads and predicts of sequences.

    Raises:
        FormatError: they do not have what the task needs.
    """
    form = index.form
    if missing := form.lacks(task):
        raise FormatError(
            f"tasks: got {task}; the sequences have no {missing}; take it from tasks, or name columns in ingest"
        )
    tags, features = _columns(form, "tags"), _columns(form, "features")
    return Purpose(
        task,
        index.vocabulary_size,
        tuple(index.factors),
        several=form.several,
        numbers=form.numbers,
        tags=tags[0].classes if tags else (),
        tag_column=tags[0].name if tags else "",
        tokens=form.has_tokens,
        affixes=index.affixes if form.has_tokens else None,
        features=sum(column.size for column in features),
        feature_columns=tuple(column.name for column in features),
    )


def scoring_of(task: Task, index: ShardIndex) -> TaskScoring:
    """What predictions of a task are scored by."""
    form = index.form
    if task in LABEL_TASKS:
        names = tuple(factor.name for factor in form.factors)
        return LabelScoring(names) if form.several else ClassScoring(form.factors)
    if task == "tagger":
        tags = _columns(form, "tags")[0]
        return TagScoring(tags.name, tags.classes)
    if task == "regressor":
        return NumberScoring(form.numbers)
    return NextTokenScoring(WORDS[index.tokenizer.by])


def unit_of(config: NetworkConfig, index: ShardIndex) -> Unit:
    """The finest unit that a network predicts of: a group, if it has a second network over the sequences of one.

    Where each document stands for itself, it is a group.
    """
    if config.outer == "none":
        return index.unit
    return "group" if index.form.group else "document"


def inputs_of(index: ShardIndex) -> InputColumns:
    """What baselines may read of a step."""
    counted = {TOKENS: index.vocabulary_size} if index.form.has_tokens else {}
    if index.form.has_tokens and index.affixes is not None:
        counted[AFFIXES] = BUCKETS
    return InputColumns(counted, tuple(column.name for column in _columns(index.form, "features")))


def _columns(form: SequenceForm, kind: str) -> list[ColumnForm]:
    return [column for column in form.steps if column.kind == kind]
