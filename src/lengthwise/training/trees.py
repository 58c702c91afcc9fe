"""Sums over logical shards in one fixed tree, so that their bytes do not depend on who adds which part of it."""

from collections.abc import Mapping

import numpy as np

# Shards from the first to before the last.
Node = tuple[int, int]


def split(node: Node) -> tuple[Node, Node]:
    """The two nodes below one of several shards; of an odd number the left one has one more."""
    first, last = node
    middle = (first + last + 1) // 2
    return (first, middle), (middle, last)


def nodes_within(own: Node, tree: Node) -> list[Node]:
    """The largest nodes of a tree that have none but some shards, left to right: these are what their owner can add.

    Of eight shards 2 to 5, for one:

    >>> nodes_within((2, 6), (0, 8))
    [(2, 4), (4, 6)]

    Args:
        own: the shards, from the first to before the last.
        tree: all shards.
    """
    if own[0] <= tree[0] and tree[1] <= own[1]:
        return [tree]
    if own[1] <= tree[0] or tree[1] <= own[0]:
        return []
    left, right = split(tree)
    return nodes_within(own, left) + nodes_within(own, right)


def tree_sum(node: Node, parts: Mapping[Node, np.ndarray]) -> np.ndarray:
    """The sum of a node of what is known of nodes below it.

    Args:
        node: what is asked for.
        parts: float32 (P,) each; together they have every shard of the node.
    """
    if node in parts:
        return parts[node]
    left, right = split(node)
    return tree_sum(left, parts) + tree_sum(right, parts)
