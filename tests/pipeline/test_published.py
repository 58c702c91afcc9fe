import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lengthwise.errors import FormatError, LengthwiseError
from lengthwise.pipeline.published import (
    DIGITS,
    TEXT_COLUMNS,
    headline_of,
    publish,
    rounded,
    rounded_csv,
    write_headline,
    write_rounded_json,
)

# Half a unit in the last of six digits, of numbers that begin with 1.
LARGEST_ERROR = 5e-6
# What float64 has left of a sum that another processor adds up in another order.
NOISE = 1e-9

numbers = st.floats(allow_nan=False, allow_infinity=False)
# No metric of ours is so small that float64 has fewer digits for it.
normal = numbers.filter(lambda value: value == 0 or 1e-300 < abs(value) < 1e300)
texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(',"\r\n 0123456789.e-'), max_size=12)
names = st.sampled_from(sorted(TEXT_COLUMNS))


def maps(values):
    return st.dictionaries(texts, values, max_size=4)


def write_csv(rows):
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return out.getvalue()


def read_csv(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@given(numbers)
@example(-0.0)
@example(9.9999995)
@example(5e-324)
@example(1.7976931348623157e308)
def test_rounding_a_second_time_changes_nothing(value):
    once = rounded(value)
    assert rounded(once) == once
    assert math.copysign(1, rounded(once)) == math.copysign(1, once)


@given(normal)
def test_rounding_leaves_six_digits(value):
    assert math.isclose(rounded(value), value, rel_tol=LARGEST_ERROR * (1 + 1e-9), abs_tol=0)
    digits = f"{abs(rounded(value)):.16e}".split("e")[0].replace(".", "")
    assert DIGITS == 6
    assert set(digits[DIGITS:15]) <= {"0"} or set(digits[DIGITS:15]) == {"9"}


@given(normal, st.floats(-NOISE, NOISE))
def test_last_bits_of_another_processor_are_rounded_away(value, noise):
    other = value * (1 + noise)
    # Only where the numbers are on both sides of a half of the last digit may they differ.
    low, high = sorted((value, other))
    if value:
        unit = 10.0 ** (math.floor(math.log10(abs(value))) - DIGITS + 1)
        assume(math.floor(low / unit + 0.5) == math.floor(high / unit + 0.5))
        halves = abs(value / unit + 0.5 - round(value / unit + 0.5))
        assume(halves > 1e-3)
    assert rounded(value) == rounded(other)


def test_last_bits_change_about_one_number_in_a_thousand():
    # NOISE is a thousandth of half a unit of the sixth digit: nothing else may make a difference.
    rng = np.random.default_rng(0)
    values = rng.uniform(0.1, 1, 20_000)
    others = values * (1 + rng.uniform(-NOISE, NOISE, len(values)))
    changed = sum(rounded(a) != rounded(b) for a, b in zip(values, others, strict=True))
    assert changed < len(values) / 1000


@given(st.integers() | st.booleans())
def test_a_whole_number_stays(value):
    assert rounded(value) is value


def test_minus_nothing_is_nothing():
    assert str(rounded(-0.0)) == "0.0"
    assert rounded_csv("a,b\n-0.0,-0e5\n") == "a,b\n0,0\n"


@given(maps(texts | st.integers() | st.booleans() | maps(texts | st.integers())))
def test_json_keeps_whole_numbers_and_texts(tmp_path_factory, figures):
    path = tmp_path_factory.getbasetemp() / "figures.json"
    write_rounded_json(path, figures)
    assert json.loads(path.read_text(encoding="utf-8")) == figures


@given(maps(normal), maps(maps(normal)))
def test_json_rounds_numbers_at_every_depth(tmp_path_factory, flat, deep):
    path = tmp_path_factory.getbasetemp() / "figures.json"
    figures = {"flat": flat, **deep}
    write_rounded_json(path, figures)
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read == {name: {key: rounded(value) for key, value in of.items()} for name, of in figures.items()}
    first = path.read_bytes()
    write_rounded_json(path, read)
    assert path.read_bytes() == first


@given(st.lists(st.tuples(texts, st.integers(), normal, texts), max_size=6), names)
@example([("a,b", 1, 0.5, 'say "no"'), ("two\nlines", -7, 1e-30, "a\rb"), ("", 0, 0.0, "")], "name")
@example([("1e5", 10**30, 1.5, "0.123456789")], "model")
def test_csv_changes_numbers_with_a_point_and_nothing_else(rows, name):
    header = [name, "count", "value", "changes"]
    text = rounded_csv(write_csv([header, *rows]))
    read = read_csv(text)
    assert read[0] == header
    assert len(read) == len(rows) + 1
    for (label, count, value, change), cells in zip(rows, read[1:], strict=True):
        assert cells[0] == label
        assert cells[1] == str(count)
        assert float(cells[2]) == rounded(value)
        assert cells[3] == change
    assert rounded_csv(text) == text


@given(st.lists(st.lists(texts, min_size=2, max_size=2), min_size=1, max_size=5))
def test_csv_of_any_cells_keeps_its_shape_and_is_rounded_once(rows):
    text = rounded_csv(write_csv(rows))
    assert [len(row) for row in read_csv(text)] == [2] * len(rows)
    assert read_csv(text)[0] == rows[0]
    assert rounded_csv(text) == text


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("0.123456789", "0.123457"),
        ("-0.123456789", "-0.123457"),
        ("1234567.8", "1.23457e+06"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("2.5E-07", "2.5e-07"),
        ("123456789012345678901", "123456789012345678901"),
        ("-7", "-7"),
        ("007", "007"),
        ("1e999", "1e999"),
        ("", ""),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1_0.5", "1_0.5"),
        (" 0.123456789", " 0.123456789"),
        ("0.123456789\n", "0.123456789\n"),
        ("٣.١٤١٥٩٢٦٥", "٣.١٤١٥٩٢٦٥"),
        ("0x1p-2", "0x1p-2"),
        ("1.", "1."),
        (".5", ".5"),
        ("--0.5", "--0.5"),
        ("male 10.123456789", "male 10.123456789"),
    ],
)
def test_csv_cell(cell, expected):
    assert read_csv(rounded_csv(write_csv([["value", "count"], [cell, "1"]])))[1] == [expected, "1"]


@pytest.mark.parametrize("column", sorted(TEXT_COLUMNS))
def test_csv_keeps_names_that_look_like_numbers(column):
    text = f"{column},value\n1.00000001,1.00000001\n1e5,1e5\n"
    assert rounded_csv(text) == f"{column},value\n1.00000001,1\n1e5,100000\n"


def test_csv_keeps_columns_that_look_like_numbers():
    assert rounded_csv("0.123456789,1e5\n0.123456789,x\n") == "0.123456789,1e5\n0.123457,x\n"


def test_csv_of_one_column_keeps_its_empty_cells():
    text = 'value\n""\n0.5\n'
    assert rounded_csv(text) == text


@pytest.mark.parametrize("text", ["", "a,b\n"])
def test_csv_without_rows_stays_as_it_is(text):
    assert rounded_csv(text) == text


def test_csv_that_pandas_writes_has_the_same_form(root):
    # Of the committed metrics, with nothing but numbers changed: no quotes come or go.
    tables = sorted((root / "metrics").rglob("*.csv"))
    assert tables
    for path in tables:
        text = path.read_text(encoding="utf-8")
        again = rounded_csv(text)
        assert rounded_csv(again) == again, path
        for before, after in zip(text.splitlines(), again.splitlines(), strict=True):
            if before != after:
                assert before.count('"') == after.count('"')
                for cell, other in zip(*(next(csv.reader([line])) for line in (before, after)), strict=True):
                    assert cell == other or math.isclose(float(cell), float(other), rel_tol=LARGEST_ERROR)


@pytest.fixture
def figures(tmp_path):
    folder = tmp_path / "figures"
    (folder / "train" / "classifier" / "deep").mkdir(parents=True)
    (folder / "ingest.json").write_text('{"rate": 0.123456789, "documents": 7}')
    (folder / "other.json").write_text("{}")
    (folder / ".gitignore").write_text("/ingest.json\n")
    (folder / "train" / "classifier" / "epochs.csv").write_text("epoch,loss\n1,1.77504737693\n")
    (folder / "train" / "classifier" / "cost.json").write_text('{"share": 0.17555656}')
    (folder / "train" / "classifier" / "deep" / "more.csv").write_text("level,value\n1e3,1e3\n")
    (folder / "train" / "classifier" / ".gitignore").write_text("/epochs.csv\n")
    (folder / "train" / "classifier" / "notes.txt").write_text("0.123456789")
    return folder


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_publish_writes_the_named_files_and_folders_and_no_other(figures, tmp_path):
    metrics = tmp_path / "metrics"
    publish(figures, metrics, ["ingest.json", "train/classifier"])
    assert files_below(metrics) == [
        "ingest.json",
        "train/classifier/cost.json",
        "train/classifier/deep/more.csv",
        "train/classifier/epochs.csv",
    ]
    assert (metrics / "ingest.json").read_text() == '{\n  "documents": 7,\n  "rate": 0.123457\n}\n'
    assert (metrics / "train/classifier/epochs.csv").read_text() == "epoch,loss\n1,1.77505\n"
    assert (metrics / "train/classifier/deep/more.csv").read_text() == "level,value\n1e3,1000\n"


def test_publish_replaces_a_folder_as_a_whole_and_leaves_the_others(figures, tmp_path):
    metrics = tmp_path / "metrics"
    (metrics / "train" / "classifier").mkdir(parents=True)
    (metrics / "train" / "classifier" / "old.csv").write_text("a\n")
    (metrics / "train" / "seq2seq.json").write_text("{}")
    publish(figures, metrics, ["train/classifier"])
    assert "train/classifier/old.csv" not in files_below(metrics)
    assert (metrics / "train" / "seq2seq.json").read_text() == "{}"
    assert not list(tmp_path.rglob("*.partial"))


def test_publish_of_one_file_of_a_folder_leaves_what_is_beside_it(figures, tmp_path):
    # train writes its curves itself, while it runs; the rest of the folder comes from here.
    metrics = tmp_path / "metrics"
    (metrics / "train" / "classifier").mkdir(parents=True)
    (metrics / "train" / "classifier" / "epochs.csv").write_text("live\n")
    publish(figures, metrics, ["train/classifier/cost.json"])
    assert (metrics / "train" / "classifier" / "epochs.csv").read_text() == "live\n"
    assert (metrics / "train" / "classifier" / "cost.json").read_text() == '{\n  "share": 0.175557\n}\n'


def test_publish_finds_the_main_figures_of_a_folder_within(figures, tmp_path):
    metrics = tmp_path / "metrics"
    (figures / "train" / "classifier" / "figures.json").write_text('{"loss": 0.123456789}')
    publish(figures, metrics, ["train/classifier.json"])
    assert files_below(metrics) == ["train/classifier.json"]
    assert (metrics / "train/classifier.json").read_text() == '{\n  "loss": 0.123457\n}\n'
    # Its own file comes first.
    (figures / "train" / "classifier.json").write_text('{"loss": 2.0}')
    publish(figures, metrics, ["train/classifier.json"])
    assert (metrics / "train/classifier.json").read_text() == '{\n  "loss": 2.0\n}\n'


def test_publish_twice_writes_the_same_bytes(figures, tmp_path):
    for name in ("one", "two"):
        publish(figures, tmp_path / name, ["ingest.json", "train/classifier"])
    for path in files_below(tmp_path / "one"):
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", b""),
        ("x.json", b"{"),
        ("x.json", b"[1, 2]"),
        ("x.json", b'"a text"'),
        ("x.json", b"null"),
        ("x.json", b'{"a": NaN}'),
        ("x.json", b'{"a": {"b": Infinity}}'),
        ("x.json", b'{"a": 1e999}'),
        ("x.json", b'{"a": "\xff"}'),
        ("x.json", b'{"a": ' * 20_000),
        ("x.json", b'{"a": ' + b"1" * 5000 + b"}"),
        ("x.json", b"PAR1\x00\x15"),
        ("x.csv", b"a,b\n1,2,3\n"),
        ("x.csv", b"a,b\n1\n"),
        ("x.csv", b'a,b\n"1,2\n'),
        ("x.csv", b'a,b\n"1"x,2\n'),
        ("x.csv", b"a,b\n\n1,2\n"),
        ("x.csv", b"a,b\n1\r2,3\n"),
        ("x.csv", b"\xff\xfe"),
        ("x.csv", b"a\n" + b"x" * 200_000 + b"\n"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_publish_refuses_what_is_damaged_in_one_line_and_writes_nothing_of_it(tmp_path, name, content, inside):
    source = tmp_path / "figures" / "folder" / name
    source.parent.mkdir(parents=True)
    source.write_bytes(content)
    named = "folder" if inside else f"folder/{name}"
    with pytest.raises(FormatError, match="expected JSON or CSV; run dvc repro") as caught:
        publish(tmp_path / "figures", tmp_path / "metrics", [named])
    assert str(caught.value).startswith(f"{source}: cannot be read (")
    assert "\n" not in str(caught.value)
    assert files_below(tmp_path / "metrics") == []


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a"])
def test_publish_refuses_what_is_not_there(tmp_path, name):
    with pytest.raises(FormatError, match=rf"figures/{name}: cannot be read \(.*No such file"):
        publish(tmp_path / "figures", tmp_path / "metrics", [name])


def test_publish_names_the_place_where_it_may_not_write(figures, tmp_path):
    (tmp_path / "metrics").write_text("a file")
    with pytest.raises(LengthwiseError, match=r"metrics/ingest\.json: cannot be written"):
        publish(figures, tmp_path / "metrics", ["ingest.json"])


def test_headline_has_short_names_and_rounded_figures(tmp_path):
    path = tmp_path / "headline.json"
    figures = {"acc": 0.517824497, "nll": 1.34132896}
    write_headline(path, {"classifier": figures, "majority": {"acc": 0.25}})
    assert json.loads(path.read_text()) == {"clf": {"acc": 0.517824, "nll": 1.34133}, "majority": {"acc": 0.25}}


def test_headline_leaves_out_what_json_has_no_word_for(tmp_path):
    path = tmp_path / "headline.json"
    write_headline(path, {"seq2seq": {"loss": math.nan, "acc": 0.5, "nll": math.inf}, "linear": {"nll": -math.inf}})
    assert json.loads(path.read_text()) == {"s2s": {"acc": 0.5}, "linear": {}}


@pytest.mark.parametrize("level", ["sentence", "document", "author"])
def test_headline_is_of_the_finest_level(level):
    coarser = {"author_accuracy": 0.9, "document_accuracy": 0.8, "author_gender": 0.7}
    figures = {**coarser, f"{level}_accuracy": 0.5, f"{level}_nll": 1.5, f"{level}_gender": 0.6}
    assert headline_of(figures) == {"acc": 0.5, "nll": 1.5}
