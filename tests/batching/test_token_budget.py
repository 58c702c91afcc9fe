import numpy as np
import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.batching.plan import epoch_rng
from lengthwise.batching.token_budget import TokenBudget


def greedy_sizes(lengths, tokens):
    sizes, rows = [], 0
    for length in sorted(lengths):
        if (rows + 1) * length > tokens:
            sizes.append(rows)
            rows = 0
        rows += 1
    return sizes + [rows] * (rows > 0)


@settings(max_examples=up_to(300), deadline=None)
@given(st.lists(st.integers(1, 30), max_size=120), st.integers(30, 200), st.integers(0, 100))
def test_token_budget_is_never_exceeded_and_is_used_as_a_greedy_loop_uses_it(lengths, tokens, seed):
    plan = TokenBudget(tokens).plan(np.array(lengths, np.int64), epoch_rng(seed, 0))
    assert np.all(plan.rows * plan.widths <= tokens)
    assert sorted(plan.rows.tolist()) == sorted(greedy_sizes(lengths, tokens))


def test_token_budget_refuses_a_sequence_that_fits_into_no_batch():
    with pytest.raises(ValueError, match=r"^tokens: got 29; expected at least 30, .* sequence 1; raise it"):
        TokenBudget(29).plan(np.array([3, 30, 4]), epoch_rng(0, 0))


def test_token_budget_mixes_the_sequences_of_a_length():
    lengths = np.full(16, 4)
    partners = {
        tuple(sorted(plan.sequence[plan.batch == 0].tolist()))
        for plan in (TokenBudget(8).plan(lengths, epoch_rng(seed, 0)) for seed in range(600))
    }
    assert len(partners) > 90  # 120 pairs are possible
