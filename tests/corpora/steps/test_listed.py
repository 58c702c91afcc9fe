import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lengthwise.errors import CorpusError


def parquet(path, columns, **options):
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
    return path


@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_lists_of_any_kind_are_read_whatever_the_row_groups(tmp_path, read_all, rows):
    vectors = [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]], [[7.0, 8.0]]]
    columns = {
        "words": [["a"], ["b", "c"], ["d"]],
        "fixed": pa.array(vectors, pa.list_(pa.list_(pa.float64(), 2))),
        "large": pa.array([[v[0] for v in one] for one in vectors], pa.large_list(pa.int16())),
    }
    source = parquet(tmp_path / "a.parquet", columns, row_group_size=rows)
    form, documents, _ = read_all(source, tokens="words", features=["fixed", "large"])
    assert [column.size for column in form.steps] == [0, 2, 1]
    for document, words, one in zip(documents, columns["words"], vectors, strict=True):
        assert document.steps[0] == words
        np.testing.assert_array_equal(document.steps[1], np.array(one, np.float32))
        np.testing.assert_array_equal(document.steps[2], np.array(one, np.float32)[:, :1])


def test_tags_that_are_codes_have_the_names_that_the_file_says(tmp_path, read_all):
    names = ["O", "B-place", "I-place"]
    said = {"info": {"features": {"tags": {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}}}}
    table = pa.table({"words": [["a", "b"]], "tags": [[1, 0]]}).replace_schema_metadata(
        {"huggingface": json.dumps(said)}
    )
    form, documents, _ = read_all(parquet(tmp_path / "a.parquet", table), tokens="words", tags=["tags"])
    assert form.steps[1].classes == ("B-place", "O")
    assert documents[0].steps[1] == [0, 1]
    # Without them, codes are names.
    form, _, _ = read_all(
        parquet(tmp_path / "a.parquet", table.replace_schema_metadata({})), tokens="words", tags=["tags"]
    )
    assert form.steps[1].classes == ("0", "1")


def test_a_sequence_without_steps_is_counted(tmp_path, read_all):
    source = parquet(tmp_path / "a.parquet", {"x": [[1.0], [], [2.0]]})
    _, documents, counts = read_all(source, features=["x"])
    assert len(documents) == 2
    assert (counts["sequences_read"], counts["sequences_without_steps"]) == (3, 1)


@pytest.mark.parametrize("column", ["x", "words", "kind", "size"])
def test_null_is_a_missing_value(tmp_path, read_all, column):
    columns = {"x": [[1.0, 2.0]] * 3, "words": [["a", "b"]] * 3, "kind": ["u", "v", "w"], "size": [1.0, 2.0, 3.0]}
    columns[column] = [*columns[column][:2], [None, *columns[column][2][1:]] if column in ("x", "words") else None]
    source = parquet(tmp_path / "a.parquet", columns)
    keys = {"features": ["x"], "tokens": "words", "label": "kind", "numbers": ["size"]}
    with pytest.raises(CorpusError, match=r"a.parquet row 2: lacks (a|the) "):
        read_all(source, **keys)
    _, documents, counts = read_all(source, missing="leave_out", **keys)
    assert len(documents) == 2
    assert counts["sequences_missing_values"] == 1


@pytest.mark.parametrize(
    ("columns", "keys", "expected"),
    [
        ({"x": [[1.0], [1.0, 2.0]], "w": [["a"], ["b"]]}, {"tokens": "w"}, "row 1: has 1 steps of w and 2 of x"),
        ({"x": [[[1.0, 2.0]], [[3.0]]]}, {}, "row 1: a step of x has 1 numbers; expected 2"),
        ({"x": [[[1.0]], None]}, {}, "row 1: x is null; expected a list"),
        ({"x": [1.0]}, {}, "x is double; expected lists"),
        ({"x": [["a"]]}, {}, "from row 0: .*'a'"),
        ({"y": [[1.0]]}, {}, "has no column 'x'; expected one of y; change ingest.steps.features"),
        ({"x": [[[[1.0]]]]}, {}, "expected numbers"),
        ({"x": [[1.0]], "who": [None]}, {"group": "who"}, "row 0: has no who; expected a group"),
        ({"x": [[1.0]]}, {"sequence": "x", "format": "parquet"}, "ingest.steps.sequence"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_row(tmp_path, read_all, columns, keys, expected):
    with pytest.raises(CorpusError, match=expected) as caught:
        read_all(parquet(tmp_path / "a.parquet", columns), features=["x"], **keys)
    assert "\n" not in str(caught.value)


def test_damaged_and_cut_files_are_refused_in_a_line(tmp_path, read_all):
    whole = parquet(tmp_path / "a.parquet", {"x": [[float(i)] * 9 for i in range(999)]}).read_bytes()
    for damaged in (whole[:-9], whole[:4] + b"\xff" * 400 + whole[404:], whole[:100]):
        (tmp_path / "a.parquet").write_bytes(damaged)
        with pytest.raises(CorpusError, match="get the file again") as caught:
            read_all(tmp_path / "a.parquet", features=["x"])
        assert "\n" not in str(caught.value)


def test_a_list_that_unpacks_to_more_than_the_limit_is_refused_before_it_is_unpacked(tmp_path, read_all):
    # A million equal values are a few bytes in Parquet.
    table = pa.table({"x": pa.array([np.zeros(1_000_000)], pa.list_(pa.float64()))})
    source = parquet(tmp_path / "a.parquet", table, compression="zstd")
    assert source.stat().st_size < 100_000
    with pytest.raises(CorpusError, match=r"has rows of [0-9]+ MiB; expected at most 1; raise ingest.max_member_mb"):
        read_all(source, features=["x"])
