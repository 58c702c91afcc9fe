"""Arrow reads a table of text as csv does, or leaves it to csv: over rows that are well written, and over any bytes."""

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lengthwise.corpora.opened import files_of
from lengthwise.corpora.tabular.csv_batches import LONGEST_VALUE, CsvColumns, DoubtError, csv_batches
from lengthwise.corpora.tabular.csv_tables import csv_rows, wanted_csv_rows
from lengthwise.corpora.tabular.table_dialect import TableDialect
from lengthwise.errors import CorpusError

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


@settings(max_examples=120, deadline=None)
@given(st.lists(PIECES, max_size=24).map("".join), st.sampled_from(['"', "'", None]), st.booleans())
@example('a,b\n1,"x"y\n', '"', True)
@example('a,b\n1,"never closed\n2,x\n', '"', True)
@example('a,b\n1,5"\n2,"x\n', '"', True)
@example('a,b\n1,"say ""no"""\n', '"', True)
@example('a,b\n1,""x\n', '"', True)
@example('a\n""\n\nx\n', '"', True)
@example("\ufeffa,b\r1,2\r", '"', True)
def test_any_table_is_read_by_arrow_as_by_csv_and_refused_in_the_same_words(tmp_path_factory, text, quote, header):
    path = tmp_path_factory.getbasetemp() / "any_rows.csv"
    path.write_bytes(text.encode())
    (file,) = files_of(path, LONGEST_VALUE)
    dialect = TableDialect(",", header, quote, None, "utf-8")
    first, _ = all_of(csv_rows(file, dialect, LONGEST_VALUE), ["a", "1", "b"])
    wanted = list(first[0])[:1] if first and first[0] else ["1"]
    expected = all_of(csv_rows(file, dialect, LONGEST_VALUE), wanted)
    assert all_of(wanted_csv_rows(file, dialect, LONGEST_VALUE, wanted), wanted) == expected


def values_of(data, quote='"'):
    columns = CsvColumns(",", ["1", "2"], ["2"])
    batches = csv_batches(io.BytesIO(data), TableDialect(",", True, quote, None, "utf-8"), columns)
    return [value for (values,) in batches for value in values]


@pytest.mark.parametrize("size", [2**18 - 3, 2**18 - 2, 2**18 - 1, 2**18, 2**18 + 1])
def test_quotes_are_known_where_a_block_ends(size):
    rows = [f'{number},"{"x" * (97 + number % 7)}""\n,"\n' for number in range(8_000)]
    data = f"0,{'y' * (size - 9_000)}\n{''.join(rows)}".encode()
    assert values_of(data)[1:] == [f'{"x" * (97 + number % 7)}"\n,' for number in range(8_000)]
    with pytest.raises(DoubtError):
        values_of(data + b'1,"x"y\n')


def test_a_message_names_the_line_of_a_row_that_arrow_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'a,b\n1,"two\nlines"\n2,x\n')
    (file,) = files_of(path, LONGEST_VALUE)
    dialect = TableDialect(",", True, '"', None, "utf-8")
    assert [row.place for row in wanted_csv_rows(file, dialect, LONGEST_VALUE, ["b"])] == [
        f"{path} line 3",
        f"{path} line 4",
    ]
