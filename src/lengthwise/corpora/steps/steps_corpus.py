"""Sequences that come as steps, in files of any of `READERS`, with the splits that come with them."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from lengthwise.core.labels import LabelFactor
from lengthwise.core.names import SPLITS, Split
from lengthwise.core.sequences import AFFIXES, LABEL, LABELS, NUMBERS, TOKENS
from lengthwise.corpora.corpus import Corpus, Extract, senseless
from lengthwise.corpora.membership import groups_of_part
from lengthwise.corpora.opened import SourceFile, files_of
from lengthwise.corpora.steps.conll import DOCUMENT, PASSED_OVER
from lengthwise.corpora.steps.file_forms import READERS, FileForm, form_of
from lengthwise.corpora.steps.raw import RawSequence, WantedColumns
from lengthwise.corpora.steps.ts_files import FEATURES
from lengthwise.errors import CorpusError
from lengthwise.prepare.forms.document_form import ColumnForm, Document, DocumentForm
from lengthwise.system.progress import Progress

Pattern = Annotated[str, Field(min_length=1)]
ColumnName = Annotated[str, Field(min_length=1)]
# What columns of documents and of shards are called already.
OF_DOCUMENTS = ("document_id", "document", "group", "text", "split", "sequence")
OF_STEPS = (TOKENS, AFFIXES, LABEL, LABELS, NUMBERS)
READ, EMPTY, MISSING, NOT_DRAWN = (
    f"sequences_{what}" for what in ("read", "without_steps", "missing_values", "of_groups_left_out")
)


class StepFiles(Corpus):
    """Sequences of features, tokens and tags.

    Attributes:
        format: of the files; `auto` goes by what is in them.
        train: which files are for training, a pattern; of all sequences, where there is none for the test.
        validation: the like; None where a share of what is for training is taken.
        test: the like; None where shares of all are taken.
        tokens: the column of tokens, if there is one.
        tags: the columns of tags; a tagger predicts the first.
        features: the columns of features; of `.ts` files there is one, which needs no name.
        label: the column that has a sequence's class; of `.ts` files, what it is called; of CoNLL, a comment's word.
        numbers: the columns of numbers to predict; of `.ts` files, what the one is called; of CoNLL, comments' words.
        group: the column of what is held out together; of CoNLL, `newdoc` or a comment's word.
        sequence: of long tables, the column that says which sequence a row is a step of.
        step: of long tables, the column that orders the rows of a sequence; None, if they are in order.
        missing: what becomes of a sequence that lacks a value: `refuse`, or `leave_out`, which is counted.
    """

    format: FileForm
    train: Pattern
    validation: Pattern | None
    test: Pattern | None
    tokens: ColumnName | None
    tags: list[ColumnName]
    features: list[ColumnName]
    label: ColumnName | None
    numbers: list[ColumnName]
    group: ColumnName | None
    sequence: ColumnName | None
    step: ColumnName | None
    missing: Literal["refuse", "leave_out"]

    looked_for: ClassVar[str] = "sequences"
    counts: ClassVar[tuple[str, ...]] = ("bytes", "files", READ, EMPTY, MISSING, NOT_DRAWN, "steps", *PASSED_OVER)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.validation is not None and self.test is None:
            raise senseless("there are files of validation and none of the test", "name those, or empty validation")
        names = [name for name in (*self._wanted.per_step, *self._wanted.per_sequence) if name != self.group]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise senseless(f"the column {twice[0]} has two meanings", "name it once")
        if self.step is not None and self.sequence is None:
            raise senseless("step orders the rows of a sequence, and sequence is empty", "name it, or empty step")
        return self

    @property
    def _wanted(self) -> WantedColumns:
        return WantedColumns(
            self.tokens,
            tuple(self.tags),
            tuple(self.features),
            self.label,
            tuple(self.numbers),
            self.group,
            self.sequence,
            self.step,
        )

    @property
    def outline(self) -> DocumentForm:
        """Columns without classes and sizes; where none is named, the features of `.ts` files."""
        tokens = [ColumnForm(TOKENS, "tokens")] if self.tokens is not None else []
        tags = [ColumnForm(step_name(name), "tags") for name in self.tags]
        features = self.features or ([] if tokens or tags else [FEATURES])
        return DocumentForm(
            factors=(LabelFactor(_name(self.label), ()),) if self.label else (),
            numbers=tuple(map(_name, self.numbers)),
            steps=(*tokens, *tags, *(ColumnForm(step_name(name), "features") for name in features)),
            has_split=self.test is not None,
            group=_word(self.group) if self.group is not None else "",
            item="sequence",
        )

    def form(self, extract: Extract) -> DocumentForm:
        """What the sequences are like: all files are read once, for their classes and sizes.

        Raises:
            CorpusError: see `documents`.
        """
        classes: set[str] = set()
        tags: dict[str, set[str]] = {name: set() for name in self.tags}
        sizes: dict[str, int] = {}
        counts: Counter[str] = Counter()
        for _, sequence in self._sequences(extract, counts):
            if sequence.label is not None:
                classes.add(sequence.label)
            for name, values in sequence.tags.items():
                tags[name].update(values)
            for name, features in sequence.features.items():
                if sizes.setdefault(name, features.shape[1]) != features.shape[1]:
                    raise CorpusError(
                        f"{sequence.place}: {name} has {features.shape[1]} numbers a step; expected {sizes[name]}, as "
                        "sequences before; mend the file"
                    )
        if counts[READ] == counts[EMPTY] + counts[MISSING]:
            raise CorpusError(
                f"ingest.source: {extract.source} has no sequence to read: {counts[EMPTY]} without steps and "
                f"{counts[MISSING]} that lack a value; expected one at least; see ingest.steps.missing"
            )
        outline = self.outline
        columns = [column for column in outline.steps if column.kind == "tokens"]
        columns += [ColumnForm(step_name(name), "tags", tuple(sorted(found))) for name, found in tags.items()]
        columns += [ColumnForm(step_name(name), "features", size=size) for name, size in sizes.items()]
        if not columns:
            raise CorpusError(
                "ingest.steps: got no column of tokens, tags or features; expected one at least; name those to read"
            )
        of_label = tuple(sorted(classes, key=_by_number))
        factors = tuple(replace(factor, classes=of_label) for factor in outline.factors)
        form = replace(outline, factors=factors, steps=tuple(columns))
        _refuse_clash([*(factor.name for factor in factors), *form.numbers, *(column.name for column in columns)])
        return form

    def documents(self, extract: Extract, form: DocumentForm, counts: Counter[str]) -> Iterator[Document]:
        """The sequences, see `Corpus.documents`.

        Raises:
            CorpusError: a file is not what its form says, lacks a column, or has a missing value; the message names
                the place.
        """
        codes = {
            column.name: {name: code for code, name in enumerate(column.classes)}
            for column in form.steps
            if column.kind == "tags"
        }
        labels = {name: code for factor in form.factors for code, name in enumerate(factor.classes)}
        part = None
        if extract.most_groups is not None:
            part = groups_of_part((group for _, group, _ in self._numbered(extract, Counter())), extract.most_groups)
        for split, group, sequence in self._numbered(extract, counts):
            if part is not None and group not in part:
                counts[NOT_DRAWN] += 1
                continue
            counts["steps"] += sequence.steps
            steps: list[object] = [] if sequence.tokens is None else [sequence.tokens]
            steps += [[codes[step_name(name)][value] for value in values] for name, values in sequence.tags.items()]
            steps += sequence.features.values()
            yield Document(
                group,
                codes=() if sequence.label is None else (labels[sequence.label],),
                numbers=sequence.numbers,
                split=split,
                steps=tuple(steps),  # type: ignore[arg-type]
            )

    def _numbered(self, extract: Extract, counts: Counter[str]) -> Iterator[tuple[Split | None, str, RawSequence]]:
        """Sequences with their split and their group; who stands for itself has a number in place of one."""
        for number, (split, sequence) in enumerate(self._sequences(extract, counts)):
            yield split, str(number) if sequence.group is None else sequence.group, sequence

    def _sequences(self, extract: Extract, counts: Counter[str]) -> Iterator[tuple[Split | None, RawSequence]]:
        patterns = {name: getattr(self, name) for name in SPLITS}
        files = [
            (None if self.test is None else name, file)
            for name, pattern in patterns.items()
            if pattern is not None
            for file in files_of(extract.source, extract.max_bytes, (pattern,))
        ]
        _refuse_twice([file for _, file in files])
        with Progress("ingest", sum(file.size for _, file in files), "bytes", summary=False) as progress:
            for split, file in files:
                counts["files"] += 1
                counts["bytes"] += file.size
                form = form_of(file, self.sequence is not None) if self.format == "auto" else self.format
                # What is refused here leaves no file open.
                with closing(READERS[form](file, self._wanted, extract.max_bytes, counts)) as sequences:
                    for sequence in sequences:
                        counts[READ] += 1
                        if self._is_kept(sequence, counts):
                            yield split, sequence
                progress.update(file.size)

    def _is_kept(self, sequence: RawSequence, counts: Counter[str]) -> bool:
        if not sequence.steps:
            counts[EMPTY] += 1
            return False
        if not (missing := sequence.lacks):
            return True
        if self.missing == "refuse":
            raise CorpusError(
                f"{sequence.place}: lacks {missing}; expected a value; fill it in, or set ingest.steps.missing to "
                "leave_out"
            )
        counts[MISSING] += 1
        return False


def _refuse_twice(files: list[SourceFile]) -> None:
    seen: set[str] = set()
    for file in files:
        if file.place in seen:
            raise CorpusError(
                f"{file.place}: fits the patterns of two splits; expected each file in one; change ingest.steps.train, "
                "validation or test"
            )
        seen.add(file.place)


def _refuse_clash(names: list[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise CorpusError(f"ingest.steps: two columns are called {twice[0]}; expected names of their own; rename one")


def _name(name: str) -> str:
    """What a label or a number is called from here on: figures are named after it."""
    name = re.sub(r"\W", "_", name)
    return f"column_{name}" if name.isdigit() or name in OF_DOCUMENTS else name


def step_name(name: str) -> str:
    """What a column per step is called from here on."""
    name = _name(name)
    return f"column_{name}" if name in OF_STEPS else name


def _word(name: str) -> str:
    """The word for a group, of small letters."""
    return "document" if name == DOCUMENT else re.sub("[^a-z]", "", name.lower()) or "group"


def _by_number(name: str) -> tuple[float, str]:
    """Classes that are numbers in their order, others by name."""
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name
