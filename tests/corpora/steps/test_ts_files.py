import numpy as np
import pytest
from examples import up_to
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lengthwise.errors import CorpusError

HEAD = "#a comment\n\n@problemName some\n@timeStamps false\n@missing false\n"
VALUES = st.floats(-1e6, 1e6, width=32)


def ts(path, data, head=HEAD):
    path.write_text(f"{head}@data\n{data}", encoding="utf-8")
    return path


@st.composite
def recordings(draw):
    size = draw(st.integers(1, 3))
    return [
        [[draw(VALUES) for _ in range(steps)] for _ in range(size)]
        for steps in draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    ]


@settings(max_examples=up_to(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=recordings(), answer=st.sampled_from(["class", "target", ""]), blanks=st.sampled_from(["", " "]))
def test_what_is_written_reads_back_the_same(tmp_path_factory, read_all, made, answer, blanks):
    head = {"class": "@classLabel true a b\n", "target": "@TargetLabel True\n", "": "@classlabel false\n"}[answer]
    answers = {"class": [":a", ":b"], "target": [":0.25", ":-3"], "": ["", ""]}[answer]
    lines = [":".join(f",{blanks}".join(map(str, row)) for row in one) + answers[i % 2] for i, one in enumerate(made)]
    source = ts(tmp_path_factory.mktemp("ts") / "a.ts", "\r\n".join(lines), f"{HEAD}@dimensions {len(made[0])}\n{head}")
    keys = {"class": {"label": "kind"}, "target": {"numbers": ["size"]}, "": {}}[answer]
    form, documents, _ = read_all(source, **keys)
    assert [(column.name, column.size) for column in form.steps] == [("features", len(made[0]))]
    assert len(documents) == len(made)
    for i, (one, document) in enumerate(zip(made, documents, strict=True)):
        np.testing.assert_array_equal(document.steps[0], np.array(one, np.float32).T)
        assert document.steps[0].dtype == np.float32
        assert document.codes == ((i % 2,) if answer == "class" else ())
        assert document.numbers == (((0.25, -3.0)[i % 2],) if answer == "target" else ())


def test_a_univariate_file_of_unequal_lengths_is_read(tmp_path, read_all):
    source = ts(tmp_path / "a.ts", "1,2,3:x\n4:y\n", "@univariate true\n@equalLength false\n@classLabel true x y\n")
    form, documents, counts = read_all(source, label="kind")
    assert [document.steps[0].tolist() for document in documents] == [[[1], [2], [3]], [[4]]]
    assert form.factors[0].classes == ("x", "y")
    assert counts["steps"] == 4


def test_a_target_that_is_missing_is_a_missing_value(tmp_path, read_all):
    source = ts(tmp_path / "a.ts", "1,2:?\n3:2.5\n", "@targetLabel true\n")
    _, documents, counts = read_all(source, numbers=["size"], missing="leave_out")
    assert [document.numbers for document in documents] == [(2.5,)]
    assert counts["sequences_missing_values"] == 1


CLASSES = "@classLabel true a b\n"


@pytest.mark.parametrize(
    ("head", "data", "keys", "expected"),
    [
        ("@timeStamps true\n", "(0,1),(1,2):a\n", {}, "has time stamps; expected values alone"),
        (CLASSES, "1,2:3:a\n", {"label": "kind"}, r"a.ts line 3: has dimensions of lengths \[1, 2\]"),
        (CLASSES, "1,two:a\n", {}, "line 3: could not convert string to float: 'two'; expected numbers"),
        (CLASSES, "1,,2:a\n", {}, "line 3: could not convert"),
        (CLASSES, "1,2:c\n", {"label": "kind"}, "has the label 'c'; expected one of a, b"),
        (CLASSES + "@dimensions 3\n", "1:2:a\n", {}, "has 2 dimensions; expected 3"),
        (CLASSES, "1:a\n", {"numbers": ["size"]}, "ingest.steps.numbers: got size .* no line @targetLabel true"),
        ("@targetLabel true\n", "1:2\n", {"label": "kind"}, "ingest.steps.label: .* no line @classLabel true"),
        (CLASSES, "1:a\n", {"tokens": "x"}, "ingest.steps.tokens: got x .* has features alone"),
        (CLASSES, "1:a\n", {"features": ["x"]}, "ingest.steps.features: got x .* has one column, features"),
        (CLASSES, "1:a\n", {"group": "who"}, "ingest.steps.group: got who .* has no groups"),
        ("a line\n", "1:a\n", {"format": "ts"}, "line 1: stands before @data"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(tmp_path, read_all, head, data, keys, expected):
    source = ts(tmp_path / "a.ts", data, head)
    with pytest.raises(CorpusError, match=expected):
        read_all(source, **keys)


def test_a_file_without_data_is_refused(tmp_path, read_all):
    (tmp_path / "a.ts").write_text("@classLabel true a\n1,2:a\n")
    with pytest.raises(CorpusError, match="line 2: stands before @data"):
        read_all(tmp_path / "a.ts")
    (tmp_path / "a.ts").write_text("@classLabel true a\n")
    with pytest.raises(CorpusError, match="has no line @data"):
        read_all(tmp_path / "a.ts")
