from hypothesis import given
from hypothesis import strategies as st

from lengthwise.system.dotted import leaves

KEYS = st.text("abc", min_size=1, max_size=3)
NESTED = st.recursive(st.integers() | st.none(), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=20)


def nested_again(flat):
    """The maps that dotted keys stand for."""
    content = {}
    for key, value in flat.items():
        *above, last = key.split(".")
        here = content
        for part in above:
            here = here.setdefault(part, {})
        here[last] = value
    return content


@given(st.dictionaries(KEYS, NESTED, max_size=4))
def test_leaves_stand_for_the_maps_that_they_are_of(content):
    flat = dict(leaves(content))
    assert nested_again(flat) == content
    assert not any(isinstance(value, dict) and value for value in flat.values())


def test_leaves_of_an_empty_map_are_none_and_one_within_is_a_value():
    assert dict(leaves({})) == {}
    assert dict(leaves({"a": {}, "b": {"c": {}}})) == {"a": {}, "b.c": {}}


def test_leaves_of_what_is_no_map_is_itself_by_the_key_above():
    assert dict(leaves(3, "a.b")) == {"a.b": 3}
    assert dict(leaves(None)) == {"": None}
    assert dict(leaves({}, "a")) == {"a": {}}
