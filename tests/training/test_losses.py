import numpy as np
import pytest

from lengthwise.training.losses import correct_count, cross_entropy


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    return rng.normal(0, 3, (50, 6)).astype(np.float32), rng.integers(0, 6, 50).astype(np.int32)


def test_cross_entropy_is_a_sum_in_nats_and_a_count(scored):
    logits, labels = scored
    double = logits.astype(np.float64)
    likelihood = np.exp(double)[np.arange(50), labels] / np.exp(double).sum(axis=1)
    total, count = cross_entropy(logits, labels)
    assert float(total) == pytest.approx(-np.log(likelihood).sum(), rel=1e-5)
    assert float(count) == 50.0


def test_cross_entropy_of_parts_adds_up(scored):
    logits, labels = scored
    parts = [cross_entropy(logits[part], labels[part]) for part in (slice(0, 7), slice(7, 8), slice(8, 50))]
    assert sum(float(total) for total, _ in parts) == pytest.approx(float(cross_entropy(logits, labels)[0]), rel=1e-5)
    assert sum(float(count) for _, count in parts) == 50.0


def test_cross_entropy_of_nothing_is_zero_of_zero():
    total, count = cross_entropy(np.zeros((0, 6), np.float32), np.zeros(0, np.int32))
    assert (float(total), float(count)) == (0.0, 0.0)


def test_cross_entropy_stays_finite_for_huge_logits():
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    assert float(cross_entropy(logits, np.array([0, 0], np.int32))[0]) == pytest.approx(2e4)


def test_correct_count_counts_the_likeliest_class(scored):
    logits, labels = scored
    assert float(correct_count(logits, labels)) == float((logits.argmax(axis=1) == labels).sum())
    assert float(correct_count(logits, logits.argmax(axis=1).astype(np.int32))) == 50.0
