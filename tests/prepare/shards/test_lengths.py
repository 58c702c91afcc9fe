import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.prepare.shards.lengths import LengthLimits


def pieces_by_loop(lengths, shortest, longest, too_long):
    kept, funnel = [], dict.fromkeys(FUNNEL, 0)
    for unit, length in enumerate(lengths):
        funnel["sequences_in"] += 1
        funnel["tokens_in"] += length
        parts = [(0, length)]
        if longest is not None and length > longest:
            if too_long == "drop":
                funnel["sequences_too_long"] += 1
                funnel["tokens_too_long"] += length
                continue
            if too_long == "truncate":
                parts = [(0, longest)]
                funnel["tokens_too_long"] += length - longest
            else:
                parts = [(start, min(longest, length - start)) for start in range(0, length, longest)]
                funnel["sequences_added_by_splitting"] += len(parts) - 1
        for start, count in parts:
            kind = "too_short" if count < shortest else "kept"
            funnel[f"sequences_{kind}"] += 1
            funnel[f"tokens_{kind}"] += count
            if kind == "kept":
                kept.append((unit, start, count))
    return kept, funnel


FUNNEL = (
    "sequences_in",
    "sequences_added_by_splitting",
    "sequences_too_long",
    "sequences_too_short",
    "sequences_kept",
    "tokens_in",
    "tokens_too_long",
    "tokens_too_short",
    "tokens_kept",
)
LIMITS = st.tuples(
    st.integers(1, 10),
    st.one_of(st.none(), st.integers(0, 12)),
    st.sampled_from(["drop", "truncate", "split"]),
)


@settings(max_examples=up_to(400), deadline=None)
@given(st.lists(st.integers(1, 60), max_size=30), LIMITS)
def test_pieces_equals_a_plain_loop_and_its_funnel_adds_up(lengths, limits):
    shortest, more, too_long = limits
    longest = None if more is None else shortest + more
    pieces = LengthLimits(shortest, longest, too_long).pieces(np.array(lengths, np.int64))
    kept, funnel = pieces_by_loop(lengths, shortest, longest, too_long)
    triples = zip(pieces.unit.tolist(), pieces.start.tolist(), pieces.length.tolist(), strict=True)
    assert list(triples) == kept
    assert pieces.funnel == funnel
    assert funnel["sequences_in"] + funnel["sequences_added_by_splitting"] == sum(
        funnel[f"sequences_{kind}"] for kind in ("too_long", "too_short", "kept")
    )
    assert funnel["tokens_in"] == sum(funnel[f"tokens_{kind}"] for kind in ("too_long", "too_short", "kept"))


@pytest.mark.parametrize(
    ("too_long", "expected"),
    [
        ("drop", [(1, 0, 5)]),
        ("truncate", [(1, 0, 5), (2, 0, 5), (3, 0, 5)]),
        ("split", [(1, 0, 5), (2, 0, 5), (3, 0, 5), (3, 5, 5), (3, 10, 3)]),
    ],
)
def test_pieces_of_lengths_at_and_beside_the_limits(too_long, expected):
    pieces = LengthLimits(3, 5, too_long).pieces(np.array([2, 5, 6, 13]))
    assert list(zip(pieces.unit, pieces.start, pieces.length, strict=True)) == expected


def test_pieces_keeps_both_limits():
    assert LengthLimits(5, 30, "drop").pieces(np.arange(1, 41)).length.tolist() == list(range(5, 31))


def test_pieces_have_plain_numbers_in_the_funnel():
    funnel = LengthLimits(2, 3, "split").pieces(np.array([7, 1])).funnel
    assert {type(count) for count in funnel.values()} == {int}


def test_pieces_of_nothing_is_nothing():
    pieces = LengthLimits(2, 3, "split").pieces(np.array([], np.int64))
    assert len(pieces.unit) == len(pieces.start) == len(pieces.length) == 0
    assert set(pieces.funnel.values()) == {0}
