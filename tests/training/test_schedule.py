from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from closeness import assert_close

from lengthwise.names import SCHEDULES
from lengthwise.pipeline.settings.params import OptimizerParams
from lengthwise.training.adam import FusedAdam
from lengthwise.training.schedule import learning_rate


def rates_of(schedule, highest, steps):
    rate = learning_rate(schedule, highest, steps)
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
        learning_rate("linear", 0.1, 3)


def test_params_know_the_schedules():
    assert sorted(get_args(OptimizerParams.model_fields["schedule"].annotation)) == sorted(SCHEDULES)
