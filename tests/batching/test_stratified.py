import numpy as np
import pytest

from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.stratified import Stratified


@pytest.mark.parametrize("count", [1, 7, 64, 100, 129])
def test_stratified_takes_one_sequence_from_each_stratum(count):
    lengths = np.random.default_rng(count).permutation(np.arange(1, count + 1))  # All distinct: a length is a rank.
    strata = min(8, count)
    for seed in range(30):
        plan = Stratified(batch_size=8).plan(lengths, epoch_rng(seed, 0))
        assert sorted(plan.rows.tolist(), reverse=True) == plan.rows.tolist()
        assert set(plan.rows[:-1].tolist()) <= {strata}
        for number in range(len(plan)):
            ranks = lengths[plan.sequence[plan.batch == number]] - 1
            stratum = ranks * strata // count
            assert len(set(stratum.tolist())) == len(ranks)
            assert np.all(np.diff(ranks) < 0)


def test_stratified_batches_have_the_mean_length_of_the_corpus():
    lengths = np.minimum(np.random.default_rng(4).zipf(1.5, 2048), 200)
    plan = Stratified(batch_size=64).plan(lengths, epoch_rng(1, 0))
    means = plan.steps / plan.rows
    random_means = np.random.default_rng(5).permutation(lengths).reshape(-1, 64).mean(axis=1)
    assert means.std() < random_means.std() / 3


def test_stratified_mixes_a_stratum():
    lengths = np.arange(1, 17)
    partners = {
        tuple(plan.sequence[plan.batch == 0].tolist())
        for plan in (Stratified(batch_size=2).plan(lengths, epoch_rng(seed, 0)) for seed in range(600))
    }
    assert len(partners) > 50  # 64 pairs are possible
