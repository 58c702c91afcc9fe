import numpy as np

from lengthwise.batching.collate import collate
from lengthwise.batching.padded_to_longest import PaddedToLongest
from lengthwise.batching.plan import epoch_rng


def test_padded_to_longest_gives_every_batch_the_width_of_the_corpus(make_sequences):
    lengths = np.array([1, 2, 9, 1, 3, 2, 2])
    plan = PaddedToLongest(batch_size=2).plan(lengths, epoch_rng(1, 0))
    assert plan.widths.tolist() == [9] * 4
    batches = [collate(plan, number, make_sequences(lengths)) for number in range(len(plan))]
    assert [batch.tokens.shape for batch in batches] == [(2, 9), (2, 9), (2, 9), (1, 9)]
    assert sum(int(batch.mask.sum()) for batch in batches) == lengths.sum()
    assert sorted(length for batch in batches for length in batch.lengths.tolist()) == sorted(lengths.tolist())
