from bisect import bisect_left
from itertools import pairwise

import pyarrow as pa
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.prepare.text import by_rule
from lengthwise.prepare.text.by_rule import SPACE_CHUNK, _chunk_ranges
from lengthwise.prepare.text.chunks import SPACE
from lengthwise.prepare.text.lexicon import lower_bound

STRINGS = st.lists(st.text("ab\x01é\uffee\N{GRINNING FACE}", min_size=1, max_size=3), max_size=12)


def in_byte_order(strings):
    return sorted(set(strings), key=str.encode)


@settings(max_examples=up_to(200), deadline=None)
@given(STRINGS, st.text("ab\x01é\uffee\N{GRINNING FACE}", min_size=1, max_size=3))
def test_lower_bound_counts_the_chunks_before_a_string_in_byte_order(strings, sought):
    ordered = in_byte_order(strings)
    found = lower_bound(pa.array([SPACE, *ordered]), sought.encode(), SPACE_CHUNK + 1)
    # White space comes first, also before chunks that are less in byte order.
    assert found == SPACE_CHUNK + 1 + bisect_left([string.encode() for string in ordered], sought.encode())


@pytest.mark.parametrize(("size", "every"), [(20, 10), (10, 10), (1, 10), (1000, 10)])
@pytest.mark.parametrize("slices", [1, 3])
def test_chunk_ranges_leave_no_chunk_out_and_take_none_twice(monkeypatch, size, every, slices):
    monkeypatch.setattr(by_rule, "CHUNKS_PER_RANGE", size)
    monkeypatch.setattr(by_rule, "SAMPLED_EVERY", every)
    chunks = in_byte_order(f"{number:x}" for number in range(300))
    ranges = _chunk_ranges([pa.array(chunks[i::every]) for i in range(slices)])
    assert ranges[0].low is None
    assert ranges[-1].high is None
    assert all(one.high == two.low for one, two in pairwise(ranges))
    assert all(one.low is None or one.low < one.high for one in ranges[:-1])
    assert {task.slices for task in ranges} == {slices}
    sampled = slices * len(chunks[::every])
    assert len(ranges) == max(1, -(-sampled // max(1, size // every)))


def test_chunk_ranges_of_no_chunks_are_one(monkeypatch):
    assert _chunk_ranges([pa.array([], pa.string())] * 2) == [(None, None, 2)]
