import math
from datetime import date

import pytest
from examples import up_to
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML, YAMLError

from lengthwise.errors import ParamsError
from lengthwise.system.strict_yaml import read_yaml

ODD = """
    yes Yes YES no No NO on On ON off Off OFF y Y n N true True TRUE false False tRUE null Null NULL ~ .inf -.inf +.inf
    .nan .NaN .INF 010 0o10 0b11 0x1f 1:30 1:30.5 08 089 07 00 -010 +010 1_000 0_7 _1 -_1 1e3 1e-3 1.e3 1. .5 -.5 +.5
    0.5e3 12e03 2024-01-02 = << 190:20:30 1__0 0b 0x -
"""
SCALARS = st.one_of(
    st.text("0123456789_-+.:eExobn", min_size=1, max_size=8),
    st.from_regex(r"[-+]?(0[xob]?|\.)?[0-9_]{1,4}([:.][0-9]{0,2})?([eE][-+]?[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(ODD.split()),
)


@pytest.fixture(scope="module")
def parse(tmp_path_factory):
    path = tmp_path_factory.mktemp("yaml") / "params.yaml"

    def read(text):
        path.write_text(text, encoding="utf-8")
        return read_yaml(path)

    return read


def same(ours, theirs):
    if isinstance(ours, float) and isinstance(theirs, float) and math.isnan(ours):
        return math.isnan(theirs)
    # A key that is a number takes such a text as the number.
    if isinstance(ours, str) and isinstance(theirs, float):
        return float(ours.replace("_", "")) == theirs
    return ours == theirs and (type(ours) is type(theirs) or isinstance(ours, date))


@settings(max_examples=up_to(500), deadline=None)
@given(SCALARS)
@example("010")
@example("no")
@example("1:30")
def test_read_yaml_refuses_what_dvc_reads_otherwise_and_takes_what_it_reads_alike(parse, scalar):
    text = f"split:\n  seed: {scalar}\n"
    try:
        theirs = YAML(typ="safe").load(text)["split"]["seed"]
    except (YAMLError, ValueError, TypeError, AssertionError, IndexError):
        return
    try:
        ours = parse(text)["split"]["seed"]
    except ParamsError as error:
        assert "split.seed: got" in str(error) or "is not YAML" in str(error)  # noqa: PT017
        return
    assert same(ours, theirs), (ours, theirs)


@pytest.mark.parametrize(
    ("scalar", "said"),
    [
        ("010", "split.seed: got 010 in line 2, which is 8 to YAML 1.1 and 10 to YAML 1.2"),
        ("no", "split.seed: got no in line 2, which is false to YAML 1.1 and the text 'no' to YAML 1.2"),
        ("On", "split.seed: got On in line 2, which is true to YAML 1.1 and the text 'On' to YAML 1.2"),
        ("1:30", "split.seed: got 1:30 in line 2, which is 90 to YAML 1.1 and the text '1:30' to YAML 1.2"),
        ("1:30.5", "split.seed: got 1:30.5 in line 2, which is 90.5 to YAML 1.1 and the text '1:30.5' to YAML 1.2"),
        ("0o10", "split.seed: got 0o10 in line 2, which is the text '0o10' to YAML 1.1 and an integer to YAML 1.2"),
        ("089", "split.seed: got 089 in line 2, which is the text '089' to YAML 1.1 and an integer to YAML 1.2"),
        ("!!int 010", "split.seed: got 010 in line 2, which is 8 to YAML 1.1 and 10 to YAML 1.2"),
    ],
)
def test_read_yaml_says_what_a_value_is_to_either_version(parse, scalar, said):
    with pytest.raises(ParamsError) as error:
        parse(f"split:\n  seed: {scalar}\n")
    assert said in str(error.value)
    assert str(error.value).endswith("; write it out, or put it in quotes for text")


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("'010'", "010"), ('"no"', "no"), ("!!str no", "no"), ("07", 7), ("0", 0), ("-12", -12), ("1_000", 1000),
        ("0x1F", 31), ("0b101", 5), ("true", True), ("False", False), ("null", None), ("", None), ("1e-4", "1e-4"),
        ("1.5", 1.5), ("north", "north"), ("10s", "10s"), ("13-17", "13-17"), ("a:b", "a:b"), ("y", "y"),
    ],
)  # fmt: skip
def test_read_yaml_takes_what_is_the_same_to_both(parse, scalar, value):
    assert parse(f"a: {scalar}\n") == {"a": value}
    assert YAML(typ="safe").load(f"a: {scalar}\n") in ({"a": value}, {"a": 1e-4})


def test_read_yaml_names_the_keys_of_a_list_and_of_a_map_in_it(parse):
    with pytest.raises(ParamsError, match=r"a\.b\.c: got off in line 4"):
        parse("a:\n  b:\n  - x: 1\n  - c: off\n")
    with pytest.raises(ParamsError, match=r"a: got 010 in line 1"):
        parse("a: [1, 010]\nb: 2\n")
    with pytest.raises(ParamsError, match=r"yaml: got yes in line 1"):
        parse("yes: 1\n")
    with pytest.raises(ParamsError, match=r"b: got no in line 3"):
        parse("a:\n  x: 1\nb: no\n")
