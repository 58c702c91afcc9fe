import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.ragged import offsets_of
from lengthwise.prepare.text.chunks import SPACE, Chunks, find_runs, joined_chunks, replace_runs, split_chunks
from lengthwise.prepare.text.normalization import Normalization

AS_IT_IS = Normalization(False, False)
TEXTS = st.lists(
    st.one_of(
        st.text(st.sampled_from("ab.’ \n\t\xa0\u2003\x85\x1c\u200b\u180e\x00"), max_size=10),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    ),
    max_size=6,
)


def chunks_of(texts, normalize=AS_IT_IS):
    chunks = split_chunks(texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string()), normalize)
    strings = chunks.strings.to_pylist()
    assert strings[0] == SPACE
    assert len(set(strings)) == len(strings)
    words = [strings[number] for number in chunks.ids.tolist()]
    offsets = chunks.offsets.tolist()
    assert offsets[0] == 0
    assert offsets[-1] == len(words)
    return [words[start:stop] for start, stop in pairwise(offsets)]


def by_hand(text):
    # A blank ends a piece; what is left of white space within a piece, or an empty piece, is a token to spaCy.
    return [
        SPACE if not part.strip() else part
        for piece in text.split(" ")
        for part in (re.findall(r"\s+|\S+", piece) or [""])
    ]


@settings(max_examples=up_to(300), deadline=None)
@given(TEXTS)
def test_split_chunks_gives_what_a_plain_split_gives(texts):
    assert chunks_of(texts) == [by_hand(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("", [SPACE]),
        (" ", [SPACE, SPACE]),
        ("a b", ["a", "b"]),
        ("a  b", ["a", SPACE, "b"]),
        (" a", [SPACE, "a"]),
        ("a ", ["a", SPACE]),
        ("a\nb", ["a", SPACE, "b"]),
        ("a \r\n\t b", ["a", SPACE, "b"]),
        ("a\xa0b", ["a", SPACE, "b"]),
        ("a\u200bb", ["a\u200bb"]),
    ],
)
def test_split_chunks_takes_one_blank_away_and_keeps_other_white_space(text, chunks):
    assert chunks_of([text]) == [chunks]


def test_split_chunks_takes_a_part_of_a_larger_array():
    texts = pa.array(["zero  zero", "a b", "", "c\nd", "last last"])
    assert chunks_of(texts.slice(1, 3)) == [["a", "b"], [SPACE], ["c", SPACE, "d"]]
    assert chunks_of(texts.slice(2, 0)) == []


def test_split_chunks_joins_chunks_that_become_the_same():
    texts = ["don’t don't", "aaaaaa\naaaa aaa"]
    assert chunks_of(texts, Normalization(True, True)) == [["don't", "don't"], ["aaa", SPACE, "aaa", "aaa"]]


def grouped(flags):
    runs, start = [], 0
    for place in range(1, len(flags) + 1):
        if place == len(flags) or not flags[place]:
            if place - start > 1:
                runs.append((start, place))
            start = place
    return runs


@settings(max_examples=up_to(300), deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=6), min_size=1, max_size=4))
def test_find_and_replace_runs_join_what_lists_join(texts):
    flat = [pair for text in texts for pair in text]
    offsets = offsets_of(np.array([len(text) for text in texts]))
    joined = np.array([flag for _, flag in flat], bool)
    joined[[start for start in offsets[:-1] if start < len(flat)]] = False
    strings = [SPACE, "a", "b", ":", ")"]
    chunks = Chunks(pa.array(strings), np.array([number for number, _ in flat], np.int32), offsets)
    runs = find_runs(chunks, joined)
    expected = grouped(joined.tolist())
    assert list(zip(runs.begins.tolist(), runs.ends.tolist(), strict=True)) == expected
    found = runs.texts.take(pa.array(runs.which)).to_pylist()
    assert found == [" ".join(strings[flat[i][0]] for i in range(*run)) for run in expected]
    assert len(set(runs.texts.to_pylist())) == len(runs.texts)

    numbers = np.arange(100, 100 + len(expected))
    replaced = replace_runs(chunks, runs, numbers)
    result, place = [], 0
    for text in texts:
        row, end = [], place + len(text)
        while place < end:
            run = next((i for i, (begin, _) in enumerate(expected) if begin == place), None)
            row.append(flat[place][0] if run is None else 100 + run)
            place = place + 1 if run is None else expected[run][1]
        result.append(row)
    assert replaced.ids.tolist() == [number for row in result for number in row]
    assert replaced.offsets.tolist() == offsets_of(np.array([len(row) for row in result])).tolist()
    # The chunks themselves stay as they are.
    assert chunks.ids.tolist() == [number for number, _ in flat]


@settings(max_examples=up_to(100), deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=5), st.integers(0, 2**32 - 1))
def test_joined_chunks_are_those_that_the_table_has_within_a_text(texts, seed):
    rng = np.random.default_rng(seed)
    first, last, table = rng.integers(0, 3, 5), rng.integers(0, 3, 5), rng.random((3, 3)) < 0.5
    expected = [
        place > 0 and bool(table[last[text[place - 1]], first[text[place]]])
        for text in texts
        for place in range(len(text))
    ]
    ids = np.array([chunk for text in texts for chunk in text], np.int64)
    found = joined_chunks(ids, offsets_of(np.array([*map(len, texts)], np.int64)), first, last, table)
    assert found.tolist() == expected
