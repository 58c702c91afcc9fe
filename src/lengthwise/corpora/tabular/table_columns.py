"""Documents of many rows of a table of text at once, the same as row by row, and several times as fast."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lengthwise.core.names import SPLITS
from lengthwise.corpora.tabular.row_columns import (
    RowBatch,
    codes_of,
    joined_by_lines,
    mapped,
    replaced,
    stripped,
)
from lengthwise.corpora.tabular.row_values import (
    SPLIT_NAMES,
    cleaned,
    column_name,
    number_of,
    text_of_value,
    yes_or_no,
)
from lengthwise.corpora.tabular.table_rows import RowMeaning
from lengthwise.prepare.forms.document_form import TextBatch
from lengthwise.prepare.forms.text_bytes import bytes_of


def classes_in(reading: RowMeaning, batch: RowBatch) -> dict[str, set[str]] | None:
    """By column of labels, the classes that occur in rows; None, if a row is to be refused."""
    table, class_of = reading.table, reading.class_of
    found, kept = {}, np.ones(len(batch), bool)
    for name in table.labels:
        encoded = batch.values[name].dictionary_encode()
        classes = [class_of(name, value) for value in encoded.dictionary.to_pylist()]
        numbers = encoded.indices.to_numpy()
        kept &= np.array([one is not None for one in classes])[numbers]
        found[name] = classes, numbers
    if table.missing == "refuse" and not kept.all():
        return None
    return {
        name: {label for number in np.unique(numbers[kept]).tolist() for label in classes[number] or ()}
        for name, (classes, numbers) in found.items()
    }


class ColumnMeaning:
    """How rows of a table become documents, by columns.

    Args:
        reading: the same row by row.
        part: the groups that are read; None for all.
    """

    def __init__(self, reading: RowMeaning, part: Collection[str] | None) -> None:
        self._table, self._class_of, self._part = reading.table, reading.class_of, part
        self._factors, self._codes = [factor.name for factor in reading.factors], reading.codes

    def __call__(self, batch: RowBatch, first: int, counts: Counter[str]) -> TextBatch | None:
        """The documents of rows.

        Args:
            batch: the rows.
            first: the number of the first of them in the corpus.
            counts: to which those of these rows are added.

        Returns:
            None, if one of them is to be refused; then nothing is counted.
        """
        table, found = self._table, Counter(rows=len(batch))
        groups = self._groups(batch, first)
        kept = np.ones(len(batch), bool)
        if self._part is not None:
            is_in = np.array(mapped(groups, self._part.__contains__), bool)
            found["rows_left_out_part"] = int(np.count_nonzero(~is_in))
            kept &= is_in
        codes, has_label = self._labels(batch)
        numbers = self._numbers(batch)
        # In turn: a row is left out for one reason.
        for kind, has in (("label", has_label), ("number", np.isfinite(numbers).all(axis=1))):
            lacks = int(np.count_nonzero(kept & ~has))
            if lacks and table.missing == "refuse":
                return None
            found[f"rows_left_out_{kind}"] = lacks
            kept &= has
        if not kept.all():
            batch, groups = batch.filter(kept), groups.filter(pa.array(kept))
            codes, numbers = codes[kept], numbers[kept]
        texts = self._texts(batch)
        if table.empty != "keep":
            has_text = pc.greater(pc.binary_length(texts), 0)
            empty = len(texts) - int(np.count_nonzero(has_text.to_numpy(zero_copy_only=False)))
            if empty and table.empty == "refuse":
                return None
            found["rows_left_out_empty"] = empty
            if empty:
                kept = has_text.to_numpy(zero_copy_only=False)
                batch = batch.filter(kept)
                texts, groups, codes, numbers = (
                    texts.filter(has_text),
                    groups.filter(has_text),
                    codes[kept],
                    numbers[kept],
                )
        split = None
        if table.split is not None:
            split = codes_of(batch.values[table.split], self._split_code).astype(np.int8)
            if (split < 0).any():
                return None
        counts.update(found)
        return TextBatch(groups, texts, codes, numbers, split, alone=table.group is None)

    def _groups(self, batch: RowBatch, first: int) -> pa.StringArray:
        if self._table.group is None:
            return pa.array(np.arange(first, first + len(batch))).cast(pa.string())
        encoded = batch.values[self._table.group].dictionary_encode()
        names = pa.array(map(text_of_value, encoded.dictionary.to_pylist()), pa.string())
        return replaced_if_empty(names.take(encoded.indices), lambda number: f"row {first + number}")

    def _labels(self, batch: RowBatch) -> tuple[np.ndarray, np.ndarray]:
        """The codes of all factors, and whether each row has them."""
        columns = {}
        for place, name in enumerate(self._table.labels):
            code = self._yes if self._table.several else partial(self._code, place)
            columns[column_name(name)] = codes_of(batch.values[name], partial(code, name))
        has = np.ones(len(batch), bool)
        for codes in columns.values():
            has &= codes >= 0
        chosen = [columns[name] for name in self._factors]
        return np.stack(chosen, axis=1) if chosen else np.zeros((len(batch), 0), np.int32), has

    def _code(self, place: int, name: str, value: str) -> int | None:
        label = self._class_of(name, value)
        # A class without a code occurs in rows alone that are left out for another label.
        return None if label is None else self._codes[place].get(next(iter(label)), 0)

    def _yes(self, name: str, value: str) -> int | None:
        return None if self._class_of(name, value) is None else yes_or_no(value)

    def _numbers(self, batch: RowBatch) -> np.ndarray:
        """What is to be predicted, no number where a row has none: float64 (R, K)."""
        columns = [[*map(number_of, batch.values[name].to_pylist())] for name in self._table.numbers]
        return np.array(columns, np.float64).T if columns else np.zeros((len(batch), 0))

    def _texts(self, batch: RowBatch) -> pa.StringArray:
        texts = joined_by_lines([batch.values[name] for name in self._table.text])
        if self._table.clean:
            texts = replaced(texts, np.arange(len(texts)), partial(cleaned, clean_ups=self._table.clean))
        return stripped(without_nulls(texts))

    def _split_code(self, value: str) -> int | None:
        text = text_of_value(value)
        name = SPLIT_NAMES.get(self._table.rename.get(text, text).lower())
        return None if name is None else SPLITS.index(name)


def replaced_if_empty(column: pa.StringArray, name_of: Callable[[int], str]) -> pa.StringArray:
    """A column with names by row in place of empty values."""
    empty = pc.equal(pc.binary_length(column), 0)
    rows: Sequence[int] = np.flatnonzero(empty.to_numpy(zero_copy_only=False)).tolist()
    return pc.replace_with_mask(column, empty, pa.array(map(name_of, rows), pa.string())) if rows else column


def without_nulls(column: pa.StringArray) -> pa.StringArray:
    """A column without the character of no meaning that its values may hold."""
    offsets, data = bytes_of(column)
    signs = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    if not len(signs) or signs.min():
        return column
    places = np.flatnonzero(signs == 0) + offsets[0]
    rows = np.unique(np.searchsorted(offsets, places, "right") - 1)
    return replaced(column, rows, lambda text: text.replace("\0", ""))
