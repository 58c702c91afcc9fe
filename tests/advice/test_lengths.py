import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lengthwise.advice.lengths import read_lengths, text_lengths
from lengthwise.errors import FormatError


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            pq.write_table(pa.table(content), path, row_group_size=2)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


TABLES = [
    ("lengths.txt", "3\n1\n2\n", None),
    ("lengths", "3\r\n1\r\n\r\n2", None),
    ("bom.txt", b"\xef\xbb\xbf3\n 1 \n2\n", None),
    ("one.csv", "length\n3\n1\n2\n", None),
    ("two.csv", 'text,steps\n"a, ""b""\nc",3\n,1\nx,2\n', "steps"),
    ("two.csv", "text,steps\na,3\nb,1\nc,2\n", None),
    ("one.tsv", "steps\ttext\n3\ta\n1\tb\n2\tc\n", "steps"),
    ("numbers.parquet", {"steps": [3, 1, 2]}, None),
    ("small.parquet", {"steps": pa.array([3, 1, 2], pa.uint8())}, "steps"),
    ("lists.parquet", {"ids": [[7, 7, 7], [1], [2, 2]], "label": [0, 1, 0]}, None),
    ("large.parquet", {"ids": pa.array([["a", "b", "c"], ["a"], ["b", "b"]], pa.large_list(pa.string()))}, "ids"),
]


@pytest.mark.parametrize(("name", "content", "column"), TABLES)
def test_lengths_are_read_from(write, name, content, column):
    found = read_lengths(write(name, content), column)
    assert (found.dtype, found.tolist()) == (np.int64, [3, 1, 2])


def test_lengths_of_a_folder_come_in_the_order_of_its_files(write):
    write("set/b.parquet", {"ids": [[1, 1]]})
    folder = write("set/a.parquet", {"ids": [[1], [1, 2, 3]]}).parent
    assert read_lengths(folder).tolist() == [1, 3, 2]


@pytest.mark.parametrize("name", ["empty.txt", "empty.parquet"])
def test_nothing_is_no_length(write, name):
    content = "" if name.endswith("txt") else {"ids": pa.array([], pa.list_(pa.int32()))}
    assert read_lengths(write(name, content)).tolist() == []


REJECTED = [
    ("lengths.txt", "3\nthree\n", None, "lengths.txt: line 2 is 'three'; expected a whole number from 1"),
    ("lengths.txt", "3\n-1\n", None, "lengths.txt: line 2 is '-1'"),
    ("lengths.txt", "3\n\n1.5\n", None, "lengths.txt: line 3 is '1.5'"),
    ("lengths.txt", "1 2 3\n", None, "lengths.txt: line 1 is '1 2 3'"),
    ("lengths.txt", "9" * 30, None, "lengths.txt: line 1 is '999"),
    ("lengths.txt", b"\xff\x00\n", None, "lengths.txt: line 1 is "),
    ("lengths.txt", "\u0663\n", None, "lengths.txt: line 1 is '\u0663'"),
    ("lengths.txt", "3\n", "steps", "lengths.txt: is a text, which has no column 'steps'"),
    ("lengths.xlsx", "3\n", None, "lengths.xlsx: has the suffix .xlsx; expected one of .txt, .csv, .tsv, .parquet"),
    ("empty.csv", "", None, "empty.csv: cannot be read ("),
    ("words.csv", "steps\none\ntwo\n", None, "words.csv: column 'steps' is of type string; expected whole numbers"),
    ("floats.csv", "steps\n1.5\n", None, "floats.csv: column 'steps' is of type double"),
    ("holes.csv", "steps,x\n1,a\n,b\n", "steps", "holes.csv: column 'steps' is empty in row 1"),
    ("ragged.csv", "a,b\n1,2\n3\n", "a", "ragged.csv: cannot be read ("),
    ("two.csv", "a,b\n1,2\n", None, "two.csv: has the columns a, b; expected one to be named; give --column"),
    ("two.csv", "a,b\n1,2\n", "c", "two.csv: has no column 'c'; expected one of its columns, a, b"),
    ("two.parquet", {"a": [1], "b": [2]}, None, "two.parquet: has the columns a, b"),
    ("two.parquet", {"a": [1], "b": [2]}, "c", "two.parquet: has no column 'c'"),
    ("none.parquet", {"ids": [[1], None]}, None, "none.parquet: column 'ids' is empty in row 1"),
    ("huge.parquet", {"n": pa.array([2**63], pa.uint64())}, None, "huge.parquet: column 'n' has 9223372036854775808"),
    ("text.parquet", "no Parquet", None, "text.parquet: cannot be read ("),
]


@pytest.mark.parametrize(("name", "content", "column", "told"), REJECTED)
def test_what_are_no_lengths_is_rejected_in_one_line(write, name, content, column, told):
    path = write(name, content)
    with pytest.raises(FormatError) as caught:
        read_lengths(path, column)
    assert str(caught.value).startswith(f"{path.parent}/{told}")
    assert "\n" not in str(caught.value)


def test_missing_files_and_empty_folders_are_rejected(tmp_path):
    for name in ("none.txt", "none.csv", "none.parquet"):
        with pytest.raises(FormatError, match="cannot be read"):
            read_lengths(tmp_path / name)
    with pytest.raises(FormatError, match=r"has no file \*\.parquet"):
        read_lengths(tmp_path)


def test_a_million_lengths_are_read_from_a_stream():
    numbers = np.random.default_rng(0).integers(1, 500, 1_000_000)
    stream = io.BytesIO("\n".join(map(str, numbers.tolist())).encode())
    assert np.array_equal(text_lengths(stream, "-"), numbers)
