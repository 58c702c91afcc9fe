import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.prepare.text.normalization import Normalization

CHUNKS = st.text(st.sampled_from("ab.!’“\N{GRINNING FACE}"), max_size=12)


@pytest.mark.parametrize(
    ("chunk", "straight", "collapsed", "both"),
    [
        ("‘a’‚b‛", "'a''b'", "‘a’‚b‛", "'a''b'"),
        ("“a”„b‟", '"a""b"', "“a”„b‟", '"a""b"'),
        ("«a»`b´", "«a»`b´", "«a»`b´", "«a»`b´"),
        ("aaa", "aaa", "aaa", "aaa"),
        ("aaaa", "aaaa", "aaa", "aaa"),
        ("soooooo!!!!!", "soooooo!!!!!", "sooo!!!", "sooo!!!"),
        ("abababab", "abababab", "abababab", "abababab"),
        ("aaAAA", "aaAAA", "aaAAA", "aaAAA"),
        ("’’''", "''''", "’’''", "'''"),
        ("\N{GRINNING FACE}" * 5, "\N{GRINNING FACE}" * 5, "\N{GRINNING FACE}" * 3, "\N{GRINNING FACE}" * 3),
        ("", "", "", ""),
    ],
)
def test_normalization_applies_what_is_on(chunk, straight, collapsed, both):
    assert Normalization(False, False)(chunk) == chunk
    assert Normalization(True, False)(chunk) == straight
    assert Normalization(False, True)(chunk) == collapsed
    assert Normalization(True, True)(chunk) == both


def test_normalization_changes_nothing_only_if_all_is_off():
    flags = [(False, False), (False, True), (True, False), (True, True)]
    assert [Normalization(*pair).changes_nothing for pair in flags] == [True, False, False, False]


@settings(max_examples=up_to(100), deadline=None)
@given(CHUNKS, st.booleans(), st.booleans())
def test_normalization_of_a_clean_chunk_changes_nothing(chunk, quotes, repeats):
    normalize = Normalization(quotes, repeats)
    assert normalize(normalize(chunk)) == normalize(chunk)
