"""Documents of a table, row by row: what is in which column, and what a row is left out or refused for."""

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from lengthwise.core.names import SPLITS, Split
from lengthwise.corpora.tabular.row_values import (
    SPLIT_NAMES,
    TableRow,
    as_written,
    bin_of,
    cleaned,
    column_name,
    is_missing,
    number_of,
    text_of_value,
    yes_or_no,
)
from lengthwise.corpora.tabular.table_keys import TableKeys
from lengthwise.errors import CorpusError
from lengthwise.prepare.forms.document_form import Document, DocumentForm

# Classes of values that are kept, as most values come again.
MOST_KNOWN = 1 << 12


class RowMeaning:
    """How a row becomes a document.

    Args:
        table: its keys.
        form: of the documents; without it, before their classes are known, `document` is not to be called.
    """

    def __init__(self, table: TableKeys, form: DocumentForm | None = None) -> None:
        self.table = table
        self.factors = form.factors if form is not None else ()
        # By factor, the code of each class.
        self.codes = [{name: code for code, name in enumerate(factor.classes)} for factor in self.factors]
        # Of a value that is text.
        self.class_of = lru_cache(MOST_KNOWN)(self._class)

    def document(self, row: TableRow, group: str, counts: Counter[str]) -> Document | None:
        """The document of a row; None, if it is left out: in turn, for one reason.

        Raises:
            CorpusError: the row is to be refused.
        """
        if (classes := self.classes(row, counts)) is None:
            return None
        if (numbers := self._numbers(row, counts)) is None:
            return None
        if (content := self._content(row, counts)) is None:
            return None
        if self.table.several:
            yes = self._labels_of(row, classes)
            code = tuple(int(factor.name in yes) for factor in self.factors)
        else:
            code = tuple(known[label] for known, (label,) in zip(self.codes, classes.values(), strict=True))
        split, is_ready = self._split(row), self.table.tokens is not None
        return Document(
            group, code, "" if is_ready else content, (), numbers, split, (content.split(),) if is_ready else ()
        )

    def group(self, row: TableRow, number: int) -> str:
        """What a row is held out with.

        Args:
            row: of the table.
            number: of the row in the corpus.
        """
        return (
            str(number)
            if self.table.group is None
            else text_of_value(row.values.get(self.table.group)) or f"row {number}"
        )

    def classes(self, row: TableRow, counts: Counter[str]) -> dict[str, set[str]] | None:
        """By column, the class that a row is of; of several labels, those that it may have. None for one left out.

        Raises:
            CorpusError: the row is to be refused.
        """
        found = {}
        for name in self.table.labels:
            value = row.values.get(name)
            if not self.table.several and isinstance(value, list) and len(value) > 1:
                remedy = "set ingest.table.several to true, and each is yes or no"
                raise CorpusError(f"{row.place}: {name} has {len(value)} labels; expected one; {remedy}")
            label = self.class_of(name, value) if isinstance(value, str) else self._class(name, value)
            if label is None:
                if self.table.missing == "leave_out":
                    counts["rows_left_out_label"] += 1
                    return None
                expected = (
                    "yes or no"
                    if self.table.several
                    else f"one within {dict(self.table.bins)}"
                    if self.table.bins
                    else "a label"
                )
                raise CorpusError(
                    f"{row.place}: {name} is {value!r:.60}; expected {expected}; mend the row, or set "
                    "ingest.table.missing to leave_out"
                )
            found[name] = label
        return found

    def _class(self, name: str, value: object) -> set[str] | None:
        if is_missing(value):
            return None
        if self.table.several and isinstance(value, list):
            return {column_name(self.table.rename.get(text, text)) for text in map(text_of_value, value) if text}
        if self.table.several:
            return None if yes_or_no(value) is None else {column_name(name)}
        label = bin_of(value, self.table.bins) if self.table.bins else text_of_value(value)
        label = label if self.table.bins or label is None else self.table.rename.get(label, label)
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
        for name in self.table.numbers:
            value = row.values.get(name)
            if (number := number_of(value)) is None:
                if self.table.missing == "leave_out":
                    counts["rows_left_out_number"] += 1
                    return None
                raise CorpusError(
                    f"{row.place}: {name} is {value!r:.60}; expected a number; mend the row, or set "
                    "ingest.table.missing to leave_out"
                )
            found.append(number)
        return tuple(found)

    def _content(self, row: TableRow, counts: Counter[str]) -> str | None:
        names = self.table.text if self.table.tokens is None else [self.table.tokens]
        parts = ["" if row.values.get(name) is None else as_written(row.values[name]) for name in names]
        text = cleaned("\n".join(part for part in parts if part), self.table.clean).replace("\0", "").strip()
        if text or self.table.empty == "keep":
            return text
        if self.table.empty == "refuse":
            raise CorpusError(
                f"{row.place}: has no text in {', '.join(names)}; expected some; set ingest.table.empty to keep"
            )
        counts["rows_left_out_empty"] += 1
        return None

    def _split(self, row: TableRow) -> Split | None:
        if self.table.split is None:
            return None
        value = text_of_value(row.values.get(self.table.split))
        name = self.table.rename.get(value, value).lower()
        if name not in SPLIT_NAMES:
            raise CorpusError(
                f"{row.place}: {self.table.split} is {value!r:.60}; expected one of {', '.join(SPLITS)}; rename it by "
                "ingest.table.rename"
            )
        return SPLIT_NAMES[name]
