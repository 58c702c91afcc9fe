import numpy as np
import pyarrow as pa
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.prepare.text import lexicon as lexicons
from lengthwise.prepare.text.lexicon import merge_lexicons, number_distinct

PARTS = st.lists(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=6, unique=True), max_size=5
)


def arrays(parts):
    return [pa.array(part, pa.string()) for part in parts]


@settings(max_examples=up_to(150), deadline=None)
@given(PARTS)
def test_number_distinct_numbers_by_first_appearance(parts):
    distinct, numbers = number_distinct(arrays(parts))
    assert distinct.to_pylist() == list(dict.fromkeys(token for part in parts for token in part))
    assert [[distinct[n].as_py() for n in part.tolist()] for part in numbers] == parts


def assert_merged(parts):
    lexicon, ids = merge_lexicons(arrays(parts))
    assert lexicon.to_pylist() == sorted({token for part in parts for token in part}, key=str.encode)
    assert [[lexicon[n].as_py() for n in part.tolist()] for part in ids] == parts
    assert [part.dtype for part in ids] == [np.dtype(np.int32)] * len(parts)


@settings(max_examples=up_to(150), deadline=None)
@given(PARTS)
def test_merge_lexicons_orders_by_bytes(parts):
    assert_merged(parts)


def test_merge_lexicons_does_not_depend_on_how_tokens_are_parted():
    tokens = ["é", "z", "\N{GRINNING FACE}", "\uffee", "a", ""]
    whole = merge_lexicons(arrays([tokens]))[0]
    assert merge_lexicons(arrays([tokens[4:], tokens[:4], [], tokens[1:3]]))[0] == whole
    # Code points beyond 16 bits come last in UTF-8, first among them in UTF-16.
    assert whole.to_pylist() == ["", "a", "z", "é", "\uffee", "\N{GRINNING FACE}"]


@pytest.fixture
def few_at_once(monkeypatch):
    # So that a few tokens are merged in many ranges.
    monkeypatch.setattr(lexicons, "TOKENS_AT_ONCE", 4)
    monkeypatch.setattr(lexicons, "TOKENS_PER_SAMPLE", 2)


@pytest.mark.usefixtures("few_at_once")
def test_merging_range_by_range_is_merging_at_once():
    @settings(max_examples=up_to(300), deadline=None)
    @given(PARTS)
    def merged(parts):
        assert_merged(parts)

    merged()


def test_no_range_has_many_more_tokens_than_are_merged_at_once(monkeypatch):
    monkeypatch.setattr(lexicons, "TOKENS_AT_ONCE", 1000)
    monkeypatch.setattr(lexicons, "TOKENS_PER_SAMPLE", 10)
    sizes, merge_range = [], lexicons._merge_range

    def measured(parts):
        sizes.append(sum(map(len, parts)))
        return merge_range(parts)

    monkeypatch.setattr(lexicons, "_merge_range", measured)
    rng = np.random.default_rng(1)
    # A token that all parts have, tokens that few have, parts that hold one, none, or all but one.
    own = [rng.choice(40_000, size, replace=False).tolist() for size in (9000, 1, 0, 4000, 300, 8000, 5)]
    parts = [[f"{number:x}" for number in dict.fromkeys([7, *part])] for part in own]
    found, ids = merge_lexicons(arrays(parts))
    assert found.to_pylist() == sorted({token for part in parts for token in part})
    assert [found.take(pa.array(part)).to_pylist() for part in ids] == parts
    assert sum(sizes) == sum(map(len, parts))
    # Between two samples of each part lie as many tokens as are sampled by one.
    assert max(sizes) <= 1000 + 2 * 10 * len(parts)
    assert len(sizes) >= sum(sizes) // 1000
