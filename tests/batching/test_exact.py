import numpy as np

from lengthwise.batching.exact import Exact
from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.stats import plan_stats


def test_exact_never_pads_and_fills_all_but_one_batch_of_a_length():
    lengths = np.minimum(np.random.default_rng(3).zipf(1.5, 400), 60)
    for seed in range(50):
        plan = Exact(batch_size=8).plan(lengths, epoch_rng(seed, 0))
        assert plan_stats(plan).padding_share == 0
        for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
            rows = sorted(plan.rows[plan.widths == length].tolist(), reverse=True)
            assert rows == [8] * (count // 8) + ([count % 8] if count % 8 else [])


def test_exact_mixes_the_sequences_of_a_length():
    lengths = np.full(16, 4)
    together = sum(
        {0, 1} <= set(plan.sequence[plan.batch == number].tolist())
        for plan in (Exact(batch_size=2).plan(lengths, epoch_rng(seed, 0)) for seed in range(150))
        for number in range(len(plan))
    )
    assert 2 <= together <= 30  # 10 in expectation
