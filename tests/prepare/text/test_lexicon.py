import numpy as np
import pyarrow as pa
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(max_examples=up_to(150), deadline=None)
@given(PARTS)
def test_merge_lexicons_orders_by_bytes(parts):
    lexicon, ids = merge_lexicons(arrays(parts))
    assert lexicon.to_pylist() == sorted({token for part in parts for token in part}, key=str.encode)
    assert [[lexicon[n].as_py() for n in part.tolist()] for part in ids] == parts
    assert all(part.dtype == np.int32 for part in ids)


def test_merge_lexicons_does_not_depend_on_how_tokens_are_parted():
    tokens = ["é", "z", "\N{GRINNING FACE}", "\uffee", "a", ""]
    whole = merge_lexicons(arrays([tokens]))[0]
    assert merge_lexicons(arrays([tokens[4:], tokens[:4], [], tokens[1:3]]))[0] == whole
    # Code points beyond 16 bits come last in UTF-8, first among them in UTF-16.
    assert whole.to_pylist() == ["", "a", "z", "é", "\uffee", "\N{GRINNING FACE}"]
