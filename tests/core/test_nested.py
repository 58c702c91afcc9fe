import numpy as np
import pytest

from lengthwise.core.nested import NestedSequences, nest
from lengthwise.core.sequences import Sequences
from lengthwise.errors import ArgumentError
from lengthwise.sources import from_arrays


def posts(seed=0):
    rng = np.random.default_rng(seed)
    authors = rng.integers(0, 7, 40)
    return from_arrays(
        [rng.integers(2, 9, rng.integers(1, 6)) for _ in range(40)],
        per_sequence={"author": authors, "label": authors % 3, "place": rng.permutation(40)},
    )


@pytest.mark.parametrize("order", [None, "place"])
@pytest.mark.parametrize("seed", range(5))
def test_nest_puts_each_sequence_where_a_loop_puts_it(seed, order):
    sequences = posts(seed)
    nested = nest(sequences, by="author", shared=["label"], order=order)
    expected = {}
    for row, author in enumerate(sequences["author"].tolist()):
        expected.setdefault(author, []).append(row)
    assert nested.outer["author"].tolist() == list(expected)
    assert nested.outer["label"].tolist() == [author % 3 for author in expected]
    for number, rows in enumerate(expected.values()):
        if order:
            rows.sort(key=lambda row: sequences["place"][row])
        begin, end = nested.outer.offsets[number : number + 2]
        inner, alone = nested.inner[int(begin) : int(end)], sequences.take(rows)
        assert inner["tokens"].tolist() == alone["tokens"].tolist()
        assert inner.lengths.tolist() == alone.lengths.tolist()
        assert nested.outer["place"][begin:end].tolist() == alone["place"].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "writer"}, "by: got 'writer'; expected a column with one value a sequence: author, label, place"),
        ({"by": "author", "order": "tokens"}, "order: got 'tokens'; expected a column"),
        ({"by": "author", "shared": ["date"]}, "shared: got 'date'; expected a column"),
        ({"by": "author", "shared": ["place"]}, "shared: got 'place', which differs within author "),
    ],
)
def test_nest_rejects_columns_that_do_not_fit(options, message):
    with pytest.raises(ArgumentError, match=f"^{message}"):
        nest(posts(), **options)


def test_nested_rejects_an_outer_table_of_another_number_of_steps():
    with pytest.raises(ArgumentError, match=r"^outer: got 39 steps in all; expected 40, one for each inner sequence"):
        NestedSequences(posts(), Sequences(np.array([0, 39]), {}))
