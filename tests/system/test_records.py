import json
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Literal

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.system.records import DIGITS, read_record


@dataclass(frozen=True)
class Leaf:
    name: str
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share: got {self.share}; expected 0 to 1")


@dataclass(frozen=True)
class Tree:
    version: Literal[2]
    kind: Literal["oak", "elm"]
    height: int
    alive: bool
    leaves: tuple[Leaf, ...]
    size: tuple[int, float]
    by_name: dict[str, list[int]]
    best: Leaf | None = None
    note: str | int | None = None
    ratios: dict[Literal["a", "b"], float] = field(default_factory=dict)


FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
WHOLE = st.integers(-(10**20), 10**20)
LEAVES = st.builds(Leaf, TEXT, st.floats(0, 1))
TREES = st.builds(
    Tree,
    version=st.just(2),
    kind=st.sampled_from(["oak", "elm"]),
    height=WHOLE,
    alive=st.booleans(),
    leaves=st.lists(LEAVES, max_size=3).map(tuple),
    size=st.tuples(WHOLE, FINITE),
    by_name=st.dictionaries(TEXT, st.lists(WHOLE, max_size=3), max_size=3),
    best=st.none() | LEAVES,
    note=st.none() | TEXT | WHOLE,
    ratios=st.dictionaries(st.sampled_from(["a", "b"]), FINITE),
)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
GOOD = {
    "version": 2,
    "kind": "oak",
    "height": 3,
    "alive": True,
    "leaves": [{"name": "a"}, {"name": "b", "share": 1}],
    "size": [1, 2],
    "by_name": {"x": [1]},
}


def rejected(content, **options):
    with pytest.raises(ValueError) as error:  # noqa: PT011, the callers look at the message
        read_record(content if isinstance(content, str | bytes) else json.dumps(content), Tree, **options)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    return message


def same_types(left, right):
    assert type(left) is type(right)
    if is_dataclass(left):
        left, right = vars(left), vars(right)
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        left, right = list(left.values()), list(right.values())
    if isinstance(left, list | tuple):
        for one, other in zip(left, right, strict=True):
            same_types(one, other)


@settings(max_examples=up_to(200), deadline=None)
@given(TREES)
def test_record_is_read_back_as_it_was_written_to_the_types(tree):
    found = read_record(json.dumps(asdict(tree)), Tree)
    assert found == tree
    same_types(found, tree)


@settings(max_examples=up_to(400), deadline=None)
@given(st.data())
def test_record_with_any_value_in_any_place_is_read_or_rejected_with_the_place(data):
    # What is read holds what stood there: nothing is converted but whole numbers to the floats that they are.
    key = data.draw(st.sampled_from(sorted(GOOD | dict.fromkeys(["best", "note", "ratios", "other"]))))
    content = GOOD | {key: data.draw(JSON)}
    try:
        text = json.dumps(content, allow_nan=False)
        found = read_record(text, Tree)
    except ValueError as error:
        message = str(error)
        if "Out of range float" not in message:
            assert message.startswith((key, "content"))
            assert len(message.splitlines()) == 1
    else:
        plain = json.loads(json.dumps(asdict(found)))
        assert key in plain
        if key not in ("leaves", "best"):  # A share that is left out has its default.
            assert plain[key] == content[key]


@settings(max_examples=up_to(300), deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_bytes_are_rejected_in_one_line(content):
    rejected(content)


def test_whole_number_that_no_float_is_is_rejected():
    assert read_record(json.dumps(GOOD | {"size": [0, 2**53]}), Tree).size == (0.0, 2.0**53)
    assert rejected(GOOD | {"size": [0, 2**53 + 1]}).startswith("size.1: got 9007199254740993; expected a number that")


def test_record_takes_defaults_whole_numbers_for_floats_and_ignored_keys():
    found = read_record(json.dumps(GOOD | {"seal": "x"}).encode(), Tree, ["seal"])
    assert found.leaves == (Leaf("a"), Leaf("b", 1.0))
    assert type(found.leaves[1].share) is type(found.size[1]) is float
    assert (found.best, found.note, found.ratios) == (None, None, {})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 1}, "version: got 1; expected 2"),
        ({"version": 2.0}, "version: got 2.0; expected 2"),
        ({"version": True}, "version: got True; expected 2"),
        ({"kind": "ash"}, 'kind: got \'ash\'; expected one of "oak", "elm"'),
        ({"height": "3"}, "height: got '3'; expected a whole number"),
        ({"height": 3.0}, "height: got 3.0; expected a whole number"),
        ({"height": True}, "height: got True; expected a whole number"),
        ({"alive": 1}, "alive: got 1; expected true or false"),
        ({"leaves": {}}, "leaves: got {}; expected a list"),
        ({"leaves": [{"name": 1}]}, "leaves.0.name: got 1; expected text"),
        ({"leaves": [{"name": "a", "share": True}]}, "leaves.0.share: got True; expected a finite number"),
        ({"leaves": [{"name": "a", "share": "0.5"}]}, "leaves.0.share: got '0.5'; expected a finite number"),
        ({"leaves": [{"name": "a"}, {"name": "b", "share": 2}]}, "leaves.1: share: got 2.0; expected 0 to 1"),
        ({"leaves": [{"name": "a", "code": "x"}]}, "leaves.0.code: is unknown; expected only name, share"),
        ({"leaves": [{}]}, "leaves.0.name: is missing; expected name, share"),
        ({"size": [1]}, "size: got [1]; expected a list of 2"),
        ({"by_name": {"x": [1, None]}}, "by_name.x.1: got None; expected a whole number"),
        ({"best": {"name": None}}, "best.name: got None; expected text"),
        ({"best": "leaf"}, "best: got 'leaf'; expected an object or null"),
        ({"note": 0.5}, "note: got 0.5; expected text or a whole number or null"),
        ({"note": "\ud800"}, "note: got '\\ud800'; expected text or a whole number or null"),
        ({"ratios": {"c": 1}}, 'ratios.c (the key): got \'c\'; expected one of "a", "b"'),
        ({"seal": "x"}, "seal: is unknown; expected only version, "),
    ],
)
def test_record_that_does_not_fit_is_rejected_with_its_place(changed, message):
    assert rejected(GOOD | changed).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "content: got []; expected an object"),
        ("null", "content: got None; expected an object"),
        ("", "content: is no JSON"),
        ("{} {}", "content: is no JSON"),
        (b"\xff\xfe", "content: is not UTF-8"),
        ("\ufeff{}", "content: is no JSON"),
        ('{"version": NaN}', "content: got NaN; expected finite numbers"),
        ('{"version": -Infinity}', "content: got -Infinity; expected finite numbers"),
        ('{"height": 1, "height": 1}', "content: has the key 'height' twice; expected each once"),
        ('{"height": ' + "9" * 5000 + "}", f"content: got a number of 5000 digits; expected at most {DIGITS}"),
        ("[" * 100_000, "content: is nested too deeply"),
        ("{}", "version: is missing; expected version, kind, "),
    ],
)
def test_content_that_is_no_record_is_rejected(content, message):
    assert rejected(content).startswith(message)


def test_float_beyond_the_largest_is_rejected():
    text = json.dumps(GOOD).replace("[1, 2]", "[1, 1e999]")
    assert rejected(text) == "size.1: got inf; expected a finite number"
