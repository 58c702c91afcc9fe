from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.core.names import SCHEDULES
from lengthwise.errors import ArgumentError
from lengthwise.pipeline.settings.params import OptimizerParams
from lengthwise.training.adam import FusedAdam
from lengthwise.training.schedule import learning_rate


def rates_of(schedule, highest, steps, warmup_steps=0):
    rate = learning_rate(schedule, highest, steps, warmup_steps)
    return [float(rate(step)) if callable(rate) else rate for step in range(steps)]


def test_constant_learning_rate_is_the_number_itself():
    assert learning_rate("constant", 0.01, 7) == 0.01


@pytest.mark.parametrize("steps", [1, 2, 7, 100_000])
def test_cosine_learning_rate_falls_from_the_highest_to_nearly_nothing(steps):
    rates = rates_of("cosine", 0.01, steps) if steps < 1000 else None
    if rates is not None:
        expected = [0.005 * (1 + np.cos(np.pi * step / steps)) for step in range(steps)]
        assert np.allclose(rates, expected, rtol=1e-5, atol=1e-9)
    rate = learning_rate("cosine", 0.01, steps)
    assert float(rate(0)) == pytest.approx(0.01)
    assert float(rate(steps)) == pytest.approx(0.0, abs=1e-9)


def test_linear_learning_rate_falls_by_as_much_at_each_step():
    assert_close(rates_of("linear", 0.01, 8), [0.01 * (8 - step) / 8 for step in range(8)])
    assert float(learning_rate("linear", 0.01, 8)(8)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize("warmup_steps", [1, 4, 9])
def test_learning_rate_rises_to_its_highest_and_then_follows_its_schedule(schedule, warmup_steps):
    rates = rates_of(schedule, 0.01, 10, warmup_steps)
    assert_close(rates[:warmup_steps], [0.01 * (step + 1) / warmup_steps for step in range(warmup_steps)])
    assert_close(rates[warmup_steps:], rates_of(schedule, 0.01, 10 - warmup_steps))


@pytest.mark.parametrize("warmup_steps", [10, 11])
def test_learning_rate_refuses_a_rise_that_never_ends(warmup_steps):
    with pytest.raises(ArgumentError, match=f"warmup_steps: got {warmup_steps}; expected fewer than the 10 steps"):
        learning_rate("constant", 0.01, 10, warmup_steps)


@pytest.mark.parametrize("native", [False, pytest.param(True, marks=pytest.mark.native)])
def test_adam_takes_each_step_with_the_rate_of_its_number(native):
    rng = np.random.default_rng(1)
    gradients = [rng.normal(size=(3, 2)).astype(np.float32) for _ in range(6)]
    scheduled, stepped = (keras.Variable(np.ones((3, 2), np.float32)) for _ in range(2))
    ours = FusedAdam(learning_rate("cosine", 0.1, 6), native=native)
    ours.build([scheduled])
    theirs = keras.optimizers.Adam(0.1)
    theirs.build([stepped])
    apply = tf.function(lambda gradient: ours.apply([gradient], [scheduled]))
    for step, gradient in enumerate(gradients):
        apply(tf.constant(gradient))
        theirs.learning_rate = 0.05 * (1 + np.cos(np.pi * step / 6))
        theirs.apply([tf.constant(gradient)], [stepped])
        assert_close(scheduled, stepped, name=str(step))


def test_learning_rate_refuses_an_unknown_schedule():
    with pytest.raises(ValueError, match="schedule"):
        learning_rate("falling", 0.1, 3)


def test_params_know_the_schedules():
    assert sorted(get_args(OptimizerParams.model_fields["schedule"].annotation)) == sorted(SCHEDULES)
