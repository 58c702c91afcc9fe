import numpy as np
import pytest

from lengthwise.core.affixes import BUCKETS, PER_TOKEN, affixes_of, shape_of


@pytest.mark.parametrize("letters", [1, 2, 3, 8])
def test_affixes_are_numbers_below_the_buckets_whatever_the_token(letters):
    tokens = ["a", "", "walked", "Ö", "🙂🙂", "U.S.", "x" * 1000, "2026-11-27", "\ud800"]
    found = affixes_of(tokens, letters)
    assert (found.shape, found.dtype) == ((len(tokens), PER_TOKEN), np.int32)
    assert found.min() >= 0
    assert found.max() < BUCKETS
    assert np.array_equal(found, np.concatenate([affixes_of([token], letters) for token in tokens]))


def test_tokens_share_the_affixes_that_they_have_in_common():
    walked, talked, upper = affixes_of(["walked", "talked", "WALKED"], 3)
    assert (walked == talked).tolist() == [False, True, True, True]
    assert (walked == upper).tolist() == [True, True, True, False]


def test_affixes_are_these_on_every_machine():
    # Networks that are saved know them by these numbers.
    assert affixes_of(["running"], 3).tolist() == [[5131, 12436, 8513, 4245]]


def test_shapes_tell_kinds_of_characters_and_not_how_many():
    assert shape_of("aaaaa") == shape_of("bb") == "xx"
    assert shape_of("A1-b") == "Xd-x"
    assert len(shape_of("a1" * 50)) <= 8
