import numpy as np

from lengthwise.batching.padded import Padded
from lengthwise.batching.plan import epoch_rng


class FixedOrder:
    def permutation(self, count):
        assert count == 4
        return np.array([2, 0, 3, 1])


def test_padded_is_as_its_docstring_shows():
    plan = Padded(batch_size=2).plan(np.array([3, 1, 2, 3]), FixedOrder())
    assert plan.sequence.tolist() == [2, 0, 3, 1]
    assert plan.batch.tolist() == [0, 0, 1, 1]
    assert plan.row.tolist() == [0, 1, 0, 1]
    assert plan.widths.tolist() == [3, 3]
    assert plan.steps.tolist() == [5, 4]


def test_padded_fills_all_batches_but_the_last():
    plan = Padded(batch_size=4).plan(np.full(11, 3), epoch_rng(1, 1))
    assert plan.rows.tolist() == [4, 4, 3]


def test_padded_puts_any_two_sequences_together_in_some_epoch():
    lengths = np.array([1, 1, 1, 50])
    partners = set()
    for seed in range(60):
        plan = Padded(batch_size=2).plan(lengths, epoch_rng(seed, 0))
        partners |= {tuple(sorted(pair)) for pair in plan.sequence.reshape(2, 2).tolist()}
    assert len(partners) == 6
