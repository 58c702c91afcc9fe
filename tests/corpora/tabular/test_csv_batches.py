"""A table of text is read by columns as csv does, or left to csv: rows that are well written, and any bytes."""

import io
from unittest import mock

import pytest
from examples import up_to
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lengthwise.corpora.opened import files_of
from lengthwise.corpora.tabular import csv_batches as csv_module
from lengthwise.corpora.tabular.csv_batches import CsvColumns, DoubtError, csv_batches
from lengthwise.corpora.tabular.csv_tables import csv_parts, csv_rows
from lengthwise.corpora.tabular.row_columns import rows_of
from lengthwise.corpora.tabular.table_dialect import TableDialect
from lengthwise.errors import CorpusError

LIMIT = 1 << 20
PIECES = st.sampled_from(
    ["a", "ö", " ", ",", '"', '""', "'", "\n", "\r\n", "\r", "\0", '5"', '"x"', "\t", "\ufeff", "1,2\n", '"a",b\n']
)


def all_of(rows, wanted):
    """What rows say, and the error that they end in."""
    said = []
    try:
        said.extend({name: row.values[name] for name in wanted if name in row.values} for row in rows)
    except CorpusError as error:
        return said, str(error)
    return said, None


@settings(max_examples=up_to(60), deadline=None)
@given(st.lists(PIECES, max_size=24).map("".join), st.sampled_from(['"', "'", None]), st.booleans(), st.integers(1, 9))
@example('a,b\n1,"x"y\n', '"', True, 9)
@example('a,b\n1,"never closed\n2,x\n', '"', True, 9)
@example('a,b\n1,5"\n2,"x\n', '"', True, 9)
@example('a,b\n1,"say ""no"""\n', '"', True, 1)
@example('a,b\n1,""x\n', '"', True, 9)
@example('a\n""\n\nx\n', '"', True, 9)
@example("\ufeffa,b\r1,2\r", '"', True, 1)
@example('\ufeff"a",b\n"1",2', '"', True, 3)
def test_any_table_is_read_by_columns_as_by_csv_and_refused_in_the_same_words(
    tmp_path_factory, text, quote, header, block
):
    path = tmp_path_factory.getbasetemp() / "any_rows.csv"
    path.write_bytes(text.encode())
    (file,) = files_of(path, LIMIT)
    dialect = TableDialect(",", header, quote, None, "utf-8")
    first, _ = all_of(csv_rows(file, dialect, LIMIT), ["a", "1", "b"])
    wanted = list(first[0])[:1] if first and first[0] else ["1"]
    expected = all_of(csv_rows(file, dialect, LIMIT), wanted)
    with mock.patch.object(csv_module, "BLOCK_BYTES", block):
        assert all_of(wanted_rows(file, dialect, LIMIT, wanted), wanted) == expected


@settings(max_examples=up_to(40), deadline=None)
@given(st.binary(max_size=6), st.integers(1, 9))
def test_bytes_that_are_no_utf8_are_left_to_csv(tmp_path_factory, data, block):
    path = tmp_path_factory.getbasetemp() / "any_bytes.csv"
    path.write_bytes(b'a,b\n1,"\xc3\xa9"\n2,' + data + b"\n3,x\n")
    (file,) = files_of(path, LIMIT)
    dialect = TableDialect(",", True, '"', None, "utf-8")
    expected = all_of(csv_rows(file, dialect, LIMIT), ["b"])
    with mock.patch.object(csv_module, "BLOCK_BYTES", block):
        said, error = all_of(wanted_rows(file, dialect, LIMIT, ["b"]), ["b"])
    assert (said, error) == expected


def wanted_rows(file, dialect, max_bytes, wanted):
    return (row for part in csv_parts(file, dialect, max_bytes, wanted) for row in rows_of(part))


def values_of(data, quote='"'):
    columns = CsvColumns(",", ["1", "2"], ["2"])
    batches = csv_batches(io.BytesIO(data), TableDialect(",", True, quote, None, "utf-8"), columns, LIMIT)
    return [value for (values,) in batches for value in values.to_pylist()]


@pytest.mark.parametrize("size", range(60, 70))
def test_quotes_are_known_where_a_block_ends_and_rows_may_be_longer_than_one(monkeypatch, size):
    monkeypatch.setattr(csv_module, "BLOCK_BYTES", 64)
    rows = [f'{number},"{"x" * (9 * number)}""\n,"\n' for number in range(40)]
    data = f"0,{'y' * size}\n{''.join(rows)}".encode()
    assert values_of(data)[1:] == [f'{"x" * (9 * number)}"\n,' for number in range(40)]
    with pytest.raises(DoubtError):
        values_of(data + b'1,"x"y\n')


def test_a_row_that_may_hold_too_long_a_value_is_left_to_csv():
    data = b"0,1\n2," + b"y" * LIMIT + b"\n"
    with pytest.raises(DoubtError, match="long"):
        values_of(data)


def test_a_message_names_the_line_of_a_row_that_was_read_by_columns(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'a,b\n1,"two\nlines"\n2,x\n')
    (file,) = files_of(path, LIMIT)
    dialect = TableDialect(",", True, '"', None, "utf-8")
    assert [row.place for row in wanted_rows(file, dialect, LIMIT, ["b"])] == [
        f"{path} line 3",
        f"{path} line 4",
    ]
