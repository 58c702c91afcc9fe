from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.training.trees import nodes_within, split, tree_sum


def leaves(values):
    return {(number, number + 1): value for number, value in enumerate(values)}


@given(data=st.data(), shards=st.integers(1, 40))
def test_sums_have_the_same_bytes_whoever_adds_which_part(data, shards):
    seed = data.draw(st.integers(0, 2**32 - 1))
    values = list(np.random.default_rng(seed).lognormal(0, 8, (shards, 3)).astype(np.float32))
    cuts = sorted(data.draw(st.sets(st.integers(1, shards - 1), max_size=6))) if shards > 1 else []
    tree = (0, shards)
    sums = {}
    for own in zip([0, *cuts], [*cuts, shards], strict=True):
        theirs = leaves(values)
        for node in nodes_within(own, tree):
            # An owner has nothing but its own.
            here = {leaf: theirs[leaf] for leaf in theirs if own[0] <= leaf[0] < own[1]}
            sums[node] = tree_sum(node, here)
    assert tree_sum(tree, sums).tobytes() == tree_sum(tree, leaves(values)).tobytes()


@given(first=st.integers(0, 39), last=st.integers(0, 40), shards=st.integers(1, 40))
def test_nodes_have_every_shard_of_an_owner_once(first, last, shards):
    nodes = nodes_within((first, last), (0, shards))
    assert [shard for node in nodes for shard in range(*node)] == list(range(first, min(last, shards)))
    # No two of them make a larger node.
    for left, right in pairwise(nodes):
        whole = left[0], right[1]
        assert split(whole) != (left, right) or nodes_within(whole, (0, shards)) != [whole]


def test_tree_of_three_adds_the_first_two_first():
    one, tiny = np.float32([1]), np.float32([2.0**-24])
    # From the right: 1 + 2**-23. From the left each is lost.
    assert tree_sum((0, 3), leaves([one, tiny, tiny])) == 1
    assert tree_sum((0, 3), leaves([tiny, tiny, one])) > 1
