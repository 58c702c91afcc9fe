"""Rows of text with labels, from tables of any form: what is in which column is said by keys."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from lengthwise.core.labels import LabelFactor
from lengthwise.core.sequences import TOKENS
from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.membership import groups_of_part
from lengthwise.corpora.opened import files_of
from lengthwise.corpora.tabular.row_columns import RowBatch, rows_of
from lengthwise.corpora.tabular.row_files import format_of, read_parts
from lengthwise.corpora.tabular.row_values import TableRow, by_number, column_name
from lengthwise.corpora.tabular.table_columns import ColumnMeaning, classes_in
from lengthwise.corpora.tabular.table_keys import TableKeys
from lengthwise.corpora.tabular.table_rows import RowMeaning
from lengthwise.errors import CorpusError
from lengthwise.prepare.forms.document_form import ColumnForm, Document, DocumentForm, TextBatch
from lengthwise.system.progress import Progress

NO_OR_YES = ("no", "yes")


class Table(TableKeys):
    """A table of texts, see `TableKeys`."""

    looked_for: ClassVar[str] = "rows"
    counts: ClassVar[tuple[str, ...]] = (
        *("bytes", "files", "rows", "rows_left_out_empty", "rows_left_out_label", "rows_left_out_number"),
        *("rows_left_out_part",),
    )

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
        reading = RowMeaning(self)
        for part in self._parts(extract, Counter(), "ingest: classes", self.labels) if self.labels else ():
            here = classes_in(reading, part) if isinstance(part, RowBatch) else None
            by_row = (reading.classes(row, Counter()) or {} for row in rows_of(part))
            for classes in by_row if here is None else [here]:
                for name, labels in classes.items():
                    found[name] |= labels
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
        for part in self.parts(extract, form, counts):
            yield from part.documents() if isinstance(part, TextBatch) else [part]

    def parts(self, extract: Extract, form: DocumentForm, counts: Counter[str]) -> Iterator[Document | TextBatch]:
        """The same, many at a time where that is faster."""
        part = None
        if extract.most_groups is not None:
            part = groups_of_part(self._all_groups(extract), extract.most_groups)
        by_row = RowMeaning(self, form)
        by_columns, number = ColumnMeaning(by_row, part), 0
        for rows in self._parts(extract, counts, "ingest"):
            if isinstance(rows, RowBatch) and self.tokens is None:
                batch = by_columns(rows, number, counts)
                if batch is not None:
                    yield batch
                    number += len(rows)
                    continue
            for row in rows_of(rows):
                counts["rows"] += 1
                group = by_row.group(row, number)
                number += 1
                if part is not None and group not in part:
                    counts["rows_left_out_part"] += 1
                elif (document := by_row.document(row, group, counts)) is not None:
                    yield document

    def _all_groups(self, extract: Extract) -> Iterator[str]:
        """The group of each row."""
        reading, number = RowMeaning(self), 0
        for part in self._parts(extract, Counter(), "", [self.group] if self.group else None):
            for row in rows_of(part):
                yield reading.group(row, number)
                number += 1

    def _parts(
        self, extract: Extract, counts: Counter[str], what: str, wanted: list[str] | None = None
    ) -> Iterator[RowBatch | TableRow]:
        needed = [name for names in self._columns().values() for name in names] if wanted is None else wanted
        files = files_of(extract.source, extract.max_bytes, (self.files,))
        size = sum(file.size for file in files)
        with Progress(what or "ingest: groups", size, "bytes", summary=what == "ingest") as progress:
            for file in files:
                counts["files"] += 1
                counts["bytes"] += file.size
                form = format_of(file) if self.format == "auto" else self.format
                begun = False
                for part in read_parts(file, form, self.dialect, extract.max_bytes, needed):
                    if not begun:
                        self._check_columns(next(rows_of(part)))
                        begun = True
                    yield part
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
