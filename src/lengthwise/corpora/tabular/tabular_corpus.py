"""Rows of text with labels, from tables of any form: what is in which column is said by keys."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lengthwise.core.labels import LabelFactor
from lengthwise.core.names import SPLITS, Split
from lengthwise.core.sequences import TOKENS
from lengthwise.corpora.corpus import Corpus, Extract
from lengthwise.corpora.membership import groups_of_part
from lengthwise.corpora.opened import files_of
from lengthwise.corpora.tabular.row_files import TableFormat, format_of, read_rows
from lengthwise.corpora.tabular.row_values import (
    SPLIT_NAMES,
    CleanUp,
    TableRow,
    as_written,
    bin_of,
    by_number,
    cleaned,
    column_name,
    is_missing,
    number_of,
    text_of_value,
    yes_or_no,
)
from lengthwise.corpora.tabular.table_dialect import TableDialect
from lengthwise.errors import CorpusError
from lengthwise.prepare.forms.document_form import ColumnForm, Document, DocumentForm
from lengthwise.system.progress import Progress

Name = Annotated[str, Field(min_length=1)]
Sign = Annotated[str, Field(min_length=1, max_length=3)]
NO_OR_YES = ("no", "yes")
# Classes of values that are kept, as most values come again.
MOST_KNOWN = 1 << 12
ClassOf = Callable[[str, str], set[str] | None]


class Table(Corpus):
    """A table of texts.

    Attributes:
        format: of its files; `auto` goes by their names and contents.
        files: which files of a folder or a zip are read, a pattern.
        text: the columns that make up the text, one after another.
        tokens: the column of ready tokens, a list or words between blanks, in place of a text.
        labels: the columns of labels: each is a factor of the joint class.
        several: whether each of these columns is a label of its own, yes or no; of a column of lists, such as those of
            fastText, each value that occurs is a label.
        rename: what values of labels are called.
        bins: the classes of a label that is a number, each with its ends, such as 13-17 or 18-; empty for none.
        numbers: the columns of numbers to predict.
        group: the column of what is held out together.
        split: the column that says which split a row is in, or `folder` and the like.
        separator: between columns, or empty to find it.
        header: whether the first row names the columns.
        quote: around values that hold separators; empty where quotes are characters like any others.
        escape: before a quote in a value; empty where it is doubled.
        encoding: of text.
        clean: what is done to texts.
        missing: what becomes of a row without a label, or with one outside the bins: `refuse` or `leave_out`.
        empty: what becomes of a row without text: `keep`, `refuse` or `leave_out`.
    """

    format: TableFormat
    files: Name
    text: list[Name]
    tokens: Name | None
    labels: list[Name]
    several: bool
    rename: dict[str, Name]
    bins: dict[str, Name]
    numbers: list[Name]
    group: Name | None
    split: Name | None
    separator: Sign | None
    header: bool
    quote: Sign | None
    escape: Sign | None
    encoding: Name
    clean: list[CleanUp]
    missing: Literal["refuse", "leave_out"]
    empty: Literal["keep", "refuse", "leave_out"]

    looked_for: ClassVar[str] = "rows"
    counts: ClassVar[tuple[str, ...]] = (
        *("bytes", "files", "rows", "rows_left_out_empty", "rows_left_out_label", "rows_left_out_number"),
        *("rows_left_out_part",),
    )

    @property
    def dialect(self) -> TableDialect:
        """How text is written."""
        return TableDialect(self.separator, self.header, self.quote, self.escape, self.encoding)

    @property
    def outline(self) -> DocumentForm:
        """Columns without classes."""
        factors = tuple(LabelFactor(column_name(name), ()) for name in self.labels)
        steps = (ColumnForm(TOKENS, "tokens"),) if self.tokens is not None else ()
        return DocumentForm(factors, self.several, tuple(map(column_name, self.numbers)), steps)

    def form(self, extract: Extract) -> DocumentForm:
        """What rows are like: they are read once for the classes that occur.

        Raises:
            CorpusError: see `documents`.
        """
        found: dict[str, set[str]] = {name: set() for name in self.labels}
        class_of = lru_cache(MOST_KNOWN)(self._class)
        for row in self._rows(extract, Counter(), "ingest: classes", self.labels):
            for name, classes in (self._classes(row, Counter(), class_of) or {}).items():
                found[name] |= classes
        names = [column_name(name) for name in self.labels]
        if self.several:
            # A column that is yes or no has one label, whatever its rows say; one of lists has those that occur.
            factors = tuple(LabelFactor(label, NO_OR_YES) for name in self.labels for label in sorted(found[name]))
            if twice := sorted({of.name for of in factors if [one.name for one in factors].count(of.name) > 1}):
                raise CorpusError(
                    f"ingest.table.labels: {twice[0]!r} is a label of two columns; expected each label once; rename one"
                )
        elif self.bins:
            factors = tuple(LabelFactor(name, tuple(self.bins)) for name in names)
        else:
            factors = tuple(
                LabelFactor(name, tuple(sorted(classes, key=by_number)))
                for name, classes in zip(names, found.values(), strict=True)
            )
        for factor in factors:
            if len(factor.classes) < 2:
                raise CorpusError(
                    f"ingest.table.labels: {factor.name} has the classes {list(factor.classes)}; expected two or more; "
                    "name another column"
                )
        return DocumentForm(
            factors=factors,
            several=self.several,
            numbers=tuple(map(column_name, self.numbers)),
            steps=(ColumnForm(TOKENS, "tokens"),) if self.tokens is not None else (),
            has_split=self.split is not None,
            group=re.sub("[^a-z]", "", self.group.lower()) or "group" if self.group is not None else "",
        )

    def documents(self, extract: Extract, form: DocumentForm, counts: Counter[str]) -> Iterator[Document]:
        """The rows, see `Corpus.documents`.

        Raises:
            CorpusError: a file is not what its form says, lacks a column, or a value is none that may stand there.
        """
        codes = [{name: code for code, name in enumerate(factor.classes)} for factor in form.factors]
        part = None
        if extract.most_groups is not None:
            rows = self._rows(extract, Counter(), "", [self.group] if self.group else [])
            ids = (self._group(row, number) for number, row in enumerate(rows))
            part = groups_of_part(ids, extract.most_groups)
        is_ready, class_of = self.tokens is not None, lru_cache(MOST_KNOWN)(self._class)
        for number, row in enumerate(self._rows(extract, counts, "ingest")):
            counts["rows"] += 1
            group = self._group(row, number)
            if part is not None and group not in part:
                counts["rows_left_out_part"] += 1
                continue
            # In turn: a row is left out for one reason.
            if (classes := self._classes(row, counts, class_of)) is None:
                continue
            if (numbers := self._numbers(row, counts)) is None:
                continue
            if (content := self._content(row, counts)) is None:
                continue
            if self.several:
                yes = self._labels_of(row, classes)
                code = tuple(int(factor.name in yes) for factor in form.factors)
            else:
                code = tuple(known[label] for known, (label,) in zip(codes, classes.values(), strict=True))
            split, steps = self._split(row), (content.split(),) if is_ready else ()
            yield Document(group, code, "" if is_ready else content, (), numbers, split, steps)

    def _rows(
        self, extract: Extract, counts: Counter[str], what: str, wanted: list[str] | None = None
    ) -> Iterator[TableRow]:
        needed = [name for names in self._columns().values() for name in names] if wanted is None else wanted
        files = files_of(extract.source, extract.max_bytes, (self.files,))
        size = sum(file.size for file in files)
        with Progress(what or "ingest: groups", size, "bytes", summary=what == "ingest") as progress:
            for file in files:
                counts["files"] += 1
                counts["bytes"] += file.size
                form = format_of(file) if self.format == "auto" else self.format
                for number, row in enumerate(read_rows(file, form, self.dialect, extract.max_bytes, needed)):
                    if not number:
                        self._check_columns(row)
                    yield row
                progress.update(file.size, f"{counts['documents']} documents")

    def _columns(self) -> dict[str, list[str]]:
        """By key, the columns that it names."""
        single = {"tokens": self.tokens, "group": self.group, "split": self.split}
        named = {key: [name] for key, name in single.items() if name is not None}
        return named | {"text": [] if self.tokens else self.text, "labels": self.labels, "numbers": self.numbers}

    def _check_columns(self, row: TableRow) -> None:
        for key, names in self._columns().items():
            for name in names:
                if name not in (found := row.columns or row.values):
                    raise CorpusError(
                        f"ingest.table.{key}: {row.place}: has no column {name!r}; found "
                        f"{', '.join(map(str, found)):.300}; name one of them, or set ingest.table.header"
                    )

    def _group(self, row: TableRow, number: int) -> str:
        return str(number) if self.group is None else text_of_value(row.values.get(self.group)) or f"row {number}"

    def _classes(self, row: TableRow, counts: Counter[str], class_of: ClassOf) -> dict[str, set[str]] | None:
        """By column, the class that a row is of; of several labels, those that it may have. None for one left out."""
        found = {}
        for name in self.labels:
            value = row.values.get(name)
            if not self.several and isinstance(value, list) and len(value) > 1:
                remedy = "set ingest.table.several to true, and each is yes or no"
                raise CorpusError(f"{row.place}: {name} has {len(value)} labels; expected one; {remedy}")
            label = class_of(name, value) if isinstance(value, str) else self._class(name, value)
            if label is None:
                if self.missing == "leave_out":
                    counts["rows_left_out_label"] += 1
                    return None
                expected = "yes or no" if self.several else f"one within {dict(self.bins)}" if self.bins else "a label"
                raise CorpusError(
                    f"{row.place}: {name} is {value!r:.60}; expected {expected}; mend the row, or set "
                    "ingest.table.missing to leave_out"
                )
            found[name] = label
        return found

    def _class(self, name: str, value: object) -> set[str] | None:
        if is_missing(value):
            return None
        if self.several and isinstance(value, list):
            return {column_name(self.rename.get(text, text)) for text in map(text_of_value, value) if text}
        if self.several:
            return None if yes_or_no(value) is None else {column_name(name)}
        label = bin_of(value, self.bins) if self.bins else text_of_value(value)
        label = label if self.bins or label is None else self.rename.get(label, label)
        return {label} if label else None

    def _labels_of(self, row: TableRow, classes: Mapping[str, set[str]]) -> set[str]:
        """Of several labels, those that a row has."""
        return {
            label
            for name, labels in classes.items()
            for label in labels
            if isinstance(row.values.get(name), list) or yes_or_no(row.values.get(name))
        }

    def _numbers(self, row: TableRow, counts: Counter[str]) -> tuple[float, ...] | None:
        found = []
        for name in self.numbers:
            value = row.values.get(name)
            if (number := number_of(value)) is None:
                if self.missing == "leave_out":
                    counts["rows_left_out_number"] += 1
                    return None
                raise CorpusError(
                    f"{row.place}: {name} is {value!r:.60}; expected a number; mend the row, or set "
                    "ingest.table.missing to leave_out"
                )
            found.append(number)
        return tuple(found)

    def _content(self, row: TableRow, counts: Counter[str]) -> str | None:
        names = self.text if self.tokens is None else [self.tokens]
        parts = ["" if row.values.get(name) is None else as_written(row.values[name]) for name in names]
        text = cleaned("\n".join(part for part in parts if part), self.clean).replace("\0", "").strip()
        if text or self.empty == "keep":
            return text
        if self.empty == "refuse":
            raise CorpusError(
                f"{row.place}: has no text in {', '.join(names)}; expected some; set ingest.table.empty to keep"
            )
        counts["rows_left_out_empty"] += 1
        return None

    def _split(self, row: TableRow) -> Split | None:
        if self.split is None:
            return None
        value = text_of_value(row.values.get(self.split))
        name = self.rename.get(value, value).lower()
        if name not in SPLIT_NAMES:
            raise CorpusError(
                f"{row.place}: {self.split} is {value!r:.60}; expected one of {', '.join(SPLITS)}; rename it by "
                "ingest.table.rename"
            )
        return SPLIT_NAMES[name]
