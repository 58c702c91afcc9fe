import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lengthwise.errors import CorpusError

KEYS = {"sequence": "run", "step": "at", "features": ["x", "y"]}


def table(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_in_any_order_become_the_steps_of_their_sequences(tmp_path, read_all):
    text = "run,at,x,y,mark\nb,10,1,2,u\na,0,3,4,v\nb,9,5,6,w\n"
    form, documents, counts = read_all(table(tmp_path / "a.csv", text), tags=["mark"], **KEYS)
    assert [column.name for column in form.steps] == ["mark", "x", "y"]
    # Sequences by their first rows; 10 comes after 9.
    assert [document.steps[1].tolist() for document in documents] == [[[5.0], [1.0]], [[3.0]]]
    assert documents[0].steps[0] == [2, 0]
    assert counts["steps"] == 3


def test_without_a_step_rows_are_in_order(tmp_path, read_all):
    source = table(tmp_path / "a.csv", "run,x\na,3\nb,1\na,2\n")
    _, documents, _ = read_all(source, sequence="run", features=["x"])
    assert [document.steps[0].tolist() for document in documents] == [[[3.0], [2.0]], [[1.0]]]


@pytest.mark.parametrize(
    ("steps", "order"),
    [
        (["2024-03-01", "2024-02-29", "2023-12-31"], [2, 1, 0]),
        (["1.5", "-2", "1e1"], [1, 0, 2]),
        # Nanoseconds: as floats the last two were one.
        (["1700000000000000002", "5", "1700000000000000001"], [1, 2, 0]),
        (["b", "a", "aa"], [1, 2, 0]),
    ],
)
def test_steps_are_ordered_as_integers_numbers_or_text(tmp_path, read_all, steps, order):
    text = "".join(f"r,{step},{i}\n" for i, step in enumerate(steps))
    _, documents, _ = read_all(table(tmp_path / "a.csv", "run,at,x\n" + text), **{**KEYS, "features": ["x"]})
    assert documents[0].steps[0][:, 0].tolist() == order


def test_steps_of_parquet_are_ordered_by_their_type(tmp_path, read_all):
    times = pa.array([3, 10, 2], pa.timestamp("ns"))
    pq.write_table(pa.table({"run": [7, 7, 7], "at": times, "x": [0, 1, 2]}), tmp_path / "a.parquet")
    _, documents, _ = read_all(tmp_path / "a.parquet", **{**KEYS, "features": ["x"]})
    assert documents[0].steps[0][:, 0].tolist() == [2, 0, 1]


def test_numbers_with_decimal_commas_are_numbers(tmp_path, read_all):
    source = table(tmp_path / "a.csv", "run;at;x;y\na;0;1,5;-2\na;1;3;4,25\n")
    _, documents, _ = read_all(source, **KEYS)
    assert [column.tolist() for column in documents[0].steps] == [[[1.5], [3.0]], [[-2.0], [4.25]]]


@pytest.mark.parametrize("nothing", ["", "?", "NA", "NaN", "null"])
def test_what_stands_for_no_number_is_missing_and_no_word_is(tmp_path, read_all, nothing):
    source = table(tmp_path / "a.csv", f"run,at,x,y,word\na,0,1,2,NA\nb,0,{nothing},2,?\n")
    with pytest.raises(CorpusError, match="run b: lacks a value of x"):
        read_all(source, tokens="word", **KEYS)
    _, documents, counts = read_all(source, tokens="word", missing="leave_out", **KEYS)
    assert [document.steps[0] for document in documents] == [["NA"]]
    assert counts["sequences_missing_values"] == 1


def test_a_word_that_is_empty_is_missing(tmp_path, read_all):
    source = table(tmp_path / "a.csv", "run,word\na,one\na,\n")
    with pytest.raises(CorpusError, match="run a: lacks a token"):
        read_all(source, sequence="run", tokens="word")


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [
        ("run,at,x\na,0,1\n", {}, "has no column 'y'; expected one of run, at, x; change ingest.steps.features"),
        ("run,at,x,y,y\na,0,1,2,3\n", {}, "has more than one column 'y'"),
        ("run,at,x,y\na,0,1,2\na,0,3,4\n", {}, "run a has at 0 twice; .* empty ingest.steps.step"),
        ("run,at,x,y\na,,1,2\n", {}, "row 1 has no at"),
        ("run,at,x,y\na,0,1,2\n,1,3,4\n", {}, "row 2 has no run"),
        ("run,at,x,y\na,0,one,2\n", {}, "'one'"),
        ("run,at,x,y,kind\na,0,1,2,u\na,1,1,2,v\n", {"label": "kind"}, "sequence a has kind u and v; expected one"),
        ("run,at,x,y,size\na,0,1,2,big\n", {"numbers": ["size"]}, "could not convert string to float: 'big'"),
        ("run,at,x,y,who\na,0,1,2,\n", {"group": "who"}, "run a: has no who; expected a group"),
        ("run,at,x,y\na,0,1\n", {}, "Expected 4 columns, got 3"),
        ("", {"format": "long"}, "has no header"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(tmp_path, read_all, text, keys, expected):
    with pytest.raises(CorpusError, match=expected) as caught:
        read_all(table(tmp_path / "a.csv", text), **{**KEYS, **keys})
    assert "\n" not in str(caught.value)


def test_a_table_without_the_key_that_makes_it_long_is_told(tmp_path, read_all):
    with pytest.raises(CorpusError, match=r"looks like a table; name in ingest.steps.sequence"):
        read_all(table(tmp_path / "a.csv", "run,at,x\na,0,1 2\nb,0,1\n"), features=["x"])
