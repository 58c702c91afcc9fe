"""Rows of text with labels, from tables of any form: what is in which column is said by keys."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lengthwise.corpora.corpus import Corpus, Extract
from lengthwise.corpora.membership import groups_of_part
from lengthwise.corpora.opened import files_of
from lengthwise.corpora.tabular.row_files import TableFormat, TableRow, format_of, read_rows
from lengthwise.corpora.tabular.row_values import (
    CleanUp,
    bin_of,
    cleaned,
    is_missing,
    text_of_value,
    yes_or_no,
)
from lengthwise.corpora.tabular.table_dialect import TableDialect
from lengthwise.errors import CorpusError
from lengthwise.labels import LabelFactor
from lengthwise.names import SPLITS, Split
from lengthwise.prepare.document_form import ColumnForm, Document, DocumentForm
from lengthwise.sequences import TOKENS
from lengthwise.system.progress import Progress

Name = Annotated[str, Field(min_length=1)]
Sign = Annotated[str, Field(min_length=1, max_length=3)]
# Names of splits, as corpora call them.
SPLIT_NAMES: dict[str, Split] = {
    **{name: name for name in SPLITS},
    **{"training": "train", "dev": "validation", "val": "validation", "valid": "validation", "testing": "test"},
}
# Progress is told so often, in rows.
ROWS_PER_UPDATE = 1000


class Table(Corpus):
    """A table of texts.

    Attributes:
        format: of its files; `auto` goes by their names and contents.
        files: which files of a folder or a zip are read, a pattern.
        text: the columns that make up the text, one after another.
        tokens: the column of ready tokens, a list or words between blanks, in place of a text.
        labels: the columns of labels: each is a factor of the joint class.
        several: whether each of these columns is a label of its own, yes or no.
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
        return DocumentForm(
            factors=tuple(LabelFactor(_column_name(name), ()) for name in self.labels),
            several=self.several,
            numbers=tuple(map(_column_name, self.numbers)),
            steps=(ColumnForm(TOKENS, "tokens"),) if self.tokens is not None else (),
        )

    def form(self, extract: Extract) -> DocumentForm:
        """What rows are like: they are read once for the classes that occur.

        Raises:
            CorpusError: see `documents`.
        """
        found: list[set[str]] = [set() for _ in self.labels]
        for row in self._rows(extract, Counter(), "ingest: classes"):
            for classes, label in zip(found, self._classes(row, Counter()) or (), strict=False):
                classes.add(label)
        names = [_column_name(name) for name in self.labels]
        if self.several:
            factors = tuple(LabelFactor(name, ("no", "yes")) for name in names)
        elif self.bins:
            factors = tuple(LabelFactor(name, tuple(self.bins)) for name in names)
        else:
            factors = tuple(
                LabelFactor(name, tuple(sorted(classes, key=_by_number)))
                for name, classes in zip(names, found, strict=True)
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
            numbers=tuple(map(_column_name, self.numbers)),
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
            ids = (self._group(row, number) for number, row in enumerate(self._rows(extract, Counter(), "")))
            part = groups_of_part(ids, extract.most_groups)
        for number, row in enumerate(self._rows(extract, counts, "ingest")):
            counts["rows"] += 1
            group = self._group(row, number)
            if part is not None and group not in part:
                counts["rows_left_out_part"] += 1
                continue
            # In turn: a row is left out for one reason.
            if (classes := self._classes(row, counts)) is None:
                continue
            if (numbers := self._numbers(row, counts)) is None:
                continue
            if (content := self._content(row, counts)) is None:
                continue
            yield Document(
                group,
                codes=tuple(known[name] for known, name in zip(codes, classes, strict=True)),
                text="" if self.tokens is not None else content,
                numbers=numbers,
                split=self._split(row),
                steps=(content.split(),) if self.tokens is not None else (),
            )

    def _rows(self, extract: Extract, counts: Counter[str], what: str) -> Iterator[TableRow]:
        files = files_of(extract.source, extract.max_bytes, (self.files,))
        size = sum(file.size for file in files)
        with Progress(what or "ingest: groups", size, "bytes", summary=what == "ingest") as progress:
            for file in files:
                counts["files"] += 1
                counts["bytes"] += file.size
                form = format_of(file) if self.format == "auto" else self.format
                for number, row in enumerate(read_rows(file, form, self.dialect, extract.max_bytes)):
                    if not number:
                        self._check_columns(row)
                    yield row
                progress.update(file.size, f"{counts['documents']} documents")

    def _check_columns(self, row: TableRow) -> None:
        single = {"tokens": self.tokens, "group": self.group, "split": self.split}
        wanted = {key: [name] for key, name in single.items() if name is not None}
        wanted |= {"text": [] if self.tokens else self.text, "labels": self.labels, "numbers": self.numbers}
        for key, names in wanted.items():
            for name in names:
                if name not in row.values:
                    raise CorpusError(
                        f"ingest.table.{key}: {row.place}: has no column {name!r}; found "
                        f"{', '.join(map(str, row.values)):.300}; name one of them, or set ingest.table.header"
                    )

    def _group(self, row: TableRow, number: int) -> str:
        return str(number) if self.group is None else text_of_value(row.values.get(self.group)) or f"row {number}"

    def _classes(self, row: TableRow, counts: Counter[str]) -> tuple[str, ...] | None:
        """The class of each label; None for a row that is left out."""
        found = []
        for name in self.labels:
            value = row.values.get(name)
            label = self._class(value)
            if label is None:
                if self.missing == "leave_out":
                    counts["rows_left_out_label"] += 1
                    return None
                expected = "yes or no" if self.several else f"one within {dict(self.bins)}" if self.bins else "a label"
                raise CorpusError(
                    f"{row.place}: {name} is {value!r:.60}; expected {expected}; mend the row, or set "
                    "ingest.table.missing to leave_out"
                )
            found.append(label)
        return tuple(found)

    def _class(self, value: object) -> str | None:
        if is_missing(value):
            return None
        if self.several:
            yes = yes_or_no(value)
            return None if yes is None else ("no", "yes")[yes]
        if self.bins:
            return bin_of(value, self.bins)
        text = text_of_value(value)
        return self.rename.get(text, text) or None

    def _numbers(self, row: TableRow, counts: Counter[str]) -> tuple[float, ...] | None:
        found = []
        for name in self.numbers:
            value = row.values.get(name)
            try:
                number = float(text_of_value(value))
            except ValueError:
                number = float("nan")
            if number != number or number in (float("inf"), float("-inf")):
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
        parts = ["" if row.values.get(name) is None else _as_written(row.values[name]) for name in names]
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


def _as_written(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _column_name(name: str) -> str:
    """What a column is called in figures."""
    return f"column{name}" if name.isdigit() else PurePosixPath(name).name.replace(" ", "_")


def _by_number(name: str) -> tuple[float, str]:
    """Classes that are numbers in their order, others by name."""
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name
