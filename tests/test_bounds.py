"""A dataclass refuses exactly what lies outside the bounds beside its fields."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.bounds import Count, Letters, OneOf, Seed, Share, Within, check_fields, hints_of
from lengthwise.errors import ArgumentError

NAMES = {"padded": 1, "packed": 2}


@dataclass(frozen=True)
class Everything:
    count: Count = 1
    share: Share = 0.5
    step: Annotated[float, Within(above=0.0, most=10.0)] = 1.0
    limit: Annotated[int, Within(3, 7)] | None = None
    side: Literal["left", "right"] = "left"
    name: Annotated[str, OneOf(NAMES)] = "padded"
    word: Annotated[str, Letters(2)] = "en"
    flag: bool = False
    anything: tuple[int, ...] = ()

    def __post_init__(self):
        check_fields(self)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        *(("count", value, "a whole number from 1") for value in (0, -1, 1.0, True, "1", None, np.float64(2), [1])),
        *(("share", value, "a number from 0.0 below 1.0") for value in (-0.1, 1, 1.0, "0.5", None, False)),
        *(("share", value, "a number from 0.0 below 1.0") for value in (float("nan"), float("inf"), -float("inf"))),
        *(("step", value, "a number above 0.0 to 10.0") for value in (0, 0.0, -1, 10.1, float("inf"), float("nan"))),
        *(("limit", value, "a whole number from 3 to 7 or None") for value in (2, 8, 5.0, True, "5")),
        *(("side", value, "one of left, right") for value in ("Left", "", None, 0, ["left"])),
        *(("name", value, "one of padded, packed") for value in ("pad", "", None, 1)),
        *(("word", value, "text of 2 or more characters") for value in ("e", "", None, 12, b"en")),
        *(("flag", value, "True or False") for value in (0, 1, "true", None)),
    ],
)
def test_a_wrong_value_is_rejected_with_the_field_and_what_is_expected(field, value, expected):
    with pytest.raises(ArgumentError) as caught:
        Everything(**{field: value})
    assert str(caught.value) == f"{field}: got {value!r}; expected {expected}"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("count", (1, 10**30, np.int64(3), np.uint8(1))),
        ("share", (0, 0.0, 0.999, np.float32(0.5))),
        ("step", (1e-300, 10, 10.0, np.float64(0.5))),
        ("limit", (3, 7, None)),
        ("side", ("left", "right")),
        ("name", tuple(NAMES)),
        ("word", ("en", "long")),
        ("flag", (True, False)),
        ("anything", ((), None, "not looked at")),
    ],
)
def test_values_at_the_ends_are_accepted(field, values):
    for value in values:
        assert getattr(Everything(**{field: value}), field) is value


@given(
    st.tuples(*[st.none() | st.integers(-5, 5)] * 4),
    st.integers(-6, 6) | st.floats(-6, 6, allow_nan=False),
)
def test_bounds_allow_what_lies_between_them(ends, number):
    least, most, above, below = ends
    bounds = Within(least, most, above, below)
    outside = [
        least is not None and number < least,
        most is not None and number > most,
        above is not None and number <= above,
        below is not None and number >= below,
    ]
    assert bounds.allows(number) == (not any(outside))
    assert not any(end is not None for end in ends) or not bounds.allows(float("nan"))


def test_a_name_that_is_added_to_a_registry_is_legal_from_then_on(monkeypatch):
    with pytest.raises(ArgumentError, match="name: got 'exact'; expected one of padded, packed"):
        Everything(name="exact")
    monkeypatch.setitem(NAMES, "exact", 3)
    assert Everything(name="exact").name == "exact"


def test_a_plain_type_means_what_the_caller_says():
    @dataclass(frozen=True)
    class Rows:
        rows: int

        def __post_init__(self):
            check_fields(self, {int: Count})

    assert Rows(1).rows == 1
    with pytest.raises(ArgumentError, match="rows: got 0; expected a whole number from 1"):
        Rows(0)


def test_hints_are_those_of_the_fields_in_their_order():
    assert list(hints_of(Everything))[:2] == ["count", "share"]
    assert hints_of(Everything)["count"] == Count
    assert Seed == Annotated[int, Within(0, 2**31 - 1)]
